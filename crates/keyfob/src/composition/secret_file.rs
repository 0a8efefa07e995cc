//! Files that hold a secret: only their owner may be able to read them (matrix KM-01).

use crate::exit::Exit;
use anyhow::Context;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// The bytes of the file that the setting `setting` names.
pub(crate) fn read(setting: &str, path: &Path) -> anyhow::Result<Vec<u8>> {
    let named = || format!("{setting} {}", path.display());
    let mode = std::fs::metadata(path).with_context(named)?.permissions().mode();
    if mode & 0o077 != 0 {
        let message =
            format!("{} can be read by others (mode {:o}); run: chmod 600 {}", named(), mode & 0o777, path.display());
        return Err(Exit::Refused.because(message));
    }
    std::fs::read(path).with_context(named)
}
