//! Who may touch a data directory: servers and commands share it, a restore wants it alone.

use crate::config::Config;
use crate::exit::Exit;
use rustix::fs::{FlockOperation, flock};
use std::fs::File;

/// Held for as long as this lives, together with others.
pub(crate) fn shared(config: &Config) -> anyhow::Result<File> {
    let file = lock_file(config)?;
    flock(&file, FlockOperation::NonBlockingLockShared)
        .map_err(|_| Exit::Unavailable.because("a restore is going on in this data directory"))?;
    Ok(file)
}

/// Held alone; `None` while somebody else holds it.
pub(crate) fn alone(config: &Config) -> anyhow::Result<Option<File>> {
    let file = lock_file(config)?;
    Ok(flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok().then_some(file))
}

fn lock_file(config: &Config) -> anyhow::Result<File> {
    let path = config.data.join("serve.lock");
    File::create(&path).map_err(|error| {
        let hint = "is the disk full or read-only, or the directory another user's?";
        Exit::Unavailable.because(format!("{}: {error}; {hint}", path.display()))
    })
}
