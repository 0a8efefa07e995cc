//! Files that hold a secret: only their owner may be able to read them (matrix KM-01).

use crate::exit::Exit;
use anyhow::Context;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// What a relative path was taken from: where the command was started, which whoever started it elsewhere did not mean.
fn from_where(path: &Path) -> String {
    match std::env::current_dir() {
        Ok(directory) if path.is_relative() => format!(" (looked for from {})", directory.display()),
        _ => String::new(),
    }
}

/// The bytes of the file that the setting `setting` names.
pub(crate) fn read(setting: &str, path: &Path) -> anyhow::Result<Vec<u8>> {
    let named = || format!("{setting} {}", path.display());
    let found = std::fs::metadata(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => {
            Exit::NotFound.because(format!("{} is not there{}; {}", named(), from_where(path), hint(path)))
        }
        _ => anyhow::Error::from(error).context(named()),
    })?;
    let mode = found.permissions().mode();
    if mode & 0o077 != 0 {
        let message =
            format!("{} can be read by others (mode {:o}); run: chmod 600 {}", named(), mode & 0o777, path.display());
        return Err(Exit::Refused.because(message));
    }
    std::fs::read(path).with_context(named)
}

fn hint(path: &Path) -> String {
    let path = path.display();
    format!("put the secret alone into it, and nobody else may read it: touch {path}; chmod 600 {path}")
}
