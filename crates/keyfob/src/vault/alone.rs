//! One `keyfob vault` at a time serves an SQLite store: two would deliver, tend and sign in side by side, which only PostgreSQL's nodes are made for.
//! Commands (`check`, `import`, `reseal`) go on beside it.

use super::settings::StoreSetting;
use crate::composition::master_key;
use crate::exit::Exit;
use std::fs::{File, TryLockError};
use std::path::Path;

/// Held for as long as this lives; the system gives it back however the process ends.
///
/// # Errors
/// Another process serves this store.
pub(super) fn serving(store: &StoreSetting) -> anyhow::Result<Option<File>> {
    let StoreSetting::File(path) = store else { return Ok(None) };
    if !master_key::directory_of(path).is_dir() {
        // Told by whoever looks for the store.
        return Ok(None);
    }
    match lock(path) {
        Ok(file) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Err(Exit::Conflict.because(format!(
            "another keyfob vault serves the store {}; stop it first, or for several nodes use PostgreSQL (docs/vault.md, Several nodes)",
            path.display()
        ))),
        // A full disk, or one that knows no locks: no reason to let connections die.
        Err(TryLockError::Error(error)) => {
            tracing::warn!(store = %path.display(), %error, "it cannot be made sure that no other keyfob vault serves this store");
            Ok(None)
        }
    }
}

/// Beside the database and not on it: closing any handle of that would give back SQLite's own locks.
fn lock(database: &Path) -> Result<File, TryLockError> {
    let file = File::create(master_key::beside(database, ".serving")).map_err(TryLockError::Error)?;
    file.try_lock()?;
    Ok(file)
}
