//! A handle on the database file for syncing it, and for nothing else.
//!
//! POSIX drops all locks a process holds on a file when *any* of its handles on it is closed, SQLite's among them. So
//! there is one handle per file and process, and it lives at least as long as every connection to that file.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::fault::Fault;

/// Device and inode.
type Identity = (u64, u64);

/// The open handles and how many shares each has. Locked while a handle is opened or closed.
static HANDLES: Mutex<BTreeMap<Identity, (Arc<File>, usize)>> = Mutex::new(BTreeMap::new());

fn handles() -> MutexGuard<'static, BTreeMap<Identity, (Arc<File>, usize)>> {
    HANDLES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A share in the process' one handle on a database file. Drop it after the connections.
#[derive(Debug)]
pub(super) struct SyncHandle {
    /// `None` only while it is dropped.
    file: Option<Arc<File>>,
    identity: Identity,
}

impl SyncHandle {
    /// The handle on `path`. Creates the file, readable by its owner only, if there is none; SQLite gives its log the same mode.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut handles = handles();
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        let metadata = std::fs::metadata(path)?;
        let identity = (metadata.dev(), metadata.ino());
        if let Some((file, shares)) = handles.get_mut(&identity) {
            *shares += 1;
            return Ok(Self { file: Some(Arc::clone(file)), identity });
        }
        let file = Arc::new(File::open(path)?);
        handles.insert(identity, (Arc::clone(&file), 1));
        Ok(Self { file: Some(file), identity })
    }

    /// Another share.
    pub(super) fn share(&self) -> Self {
        if let Some((_, shares)) = handles().get_mut(&self.identity) {
            *shares += 1;
        }
        Self { file: self.file.clone(), identity: self.identity }
    }

    /// Waits until everything written to the file is on the disk.
    pub(super) fn sync(&self) -> Result<(), Fault> {
        let file = self.file.as_ref().expect("invariant: the file is there until the handle is dropped");
        file.sync_data().map_err(|error| Fault::Io(error.to_string()))
    }
}

impl Drop for SyncHandle {
    fn drop(&mut self) {
        let mut handles = handles();
        // Under the lock, so that nobody opens the file again between our last look at it and its closing.
        self.file = None;
        if let Some((_, shares)) = handles.get_mut(&self.identity) {
            *shares -= 1;
            if *shares == 0 {
                handles.remove(&self.identity);
            }
        }
    }
}
