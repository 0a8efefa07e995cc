//! Opening a page in the user's browser, where there is one.

use std::process::{Command, Stdio};

/// Whether a browser was asked to open the page. Only where a display is: on a server `xdg-open` would start a browser in the terminal.
pub(crate) fn open(url: &str) -> bool {
    let program = match std::env::consts::OS {
        "macos" => "open",
        _ if has_display() => "xdg-open",
        _ => return false,
    };
    let mut command = Command::new(program);
    command.arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().is_ok()
}

fn has_display() -> bool {
    ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}
