//! A handle on the database file for syncing it, and for nothing else.
//!
//! POSIX drops all locks a process holds on a file when *any* of its handles on it is closed, SQLite's among them. So
//! there is one handle per file and process, and it lives at least as long as every connection to that file.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::fault::Fault;

type Identity = (u64, u64);

static HANDLES: Mutex<Option<HashMap<Identity, (Arc<File>, usize)>>> = Mutex::new(None);

/// A share in the process' one handle on a database file. Drop it after the connections.
#[derive(Debug)]
pub(super) struct SyncHandle {
    file: Arc<File>,
    identity: Identity,
}

impl SyncHandle {
    /// The handle on `path`, which must exist.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut handles = HANDLES.lock().unwrap_or_else(PoisonError::into_inner);
        let handles = handles.get_or_insert_default();
        let metadata = std::fs::metadata(path)?;
        let identity = (metadata.dev(), metadata.ino());
        if let Some((file, shares)) = handles.get_mut(&identity) {
            *shares += 1;
            return Ok(Self { file: Arc::clone(file), identity });
        }
        let file = Arc::new(File::open(path)?);
        handles.insert(identity, (Arc::clone(&file), 1));
        Ok(Self { file, identity })
    }

    /// Another share.
    pub(super) fn share(&self) -> Self {
        let mut handles = HANDLES.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, shares)) = handles.get_or_insert_default().get_mut(&self.identity) {
            *shares += 1;
        }
        Self { file: Arc::clone(&self.file), identity: self.identity }
    }

    /// Waits until everything written to the file is on the disk.
    pub(super) fn sync(&self) -> Result<(), Fault> {
        self.file.sync_data().map_err(|error| Fault::Io(error.to_string()))
    }
}

impl Drop for SyncHandle {
    fn drop(&mut self) {
        let mut handles = HANDLES.lock().unwrap_or_else(PoisonError::into_inner);
        let handles = handles.get_or_insert_default();
        if let Some((_, shares)) = handles.get_mut(&self.identity) {
            *shares -= 1;
            if *shares == 0 {
                handles.remove(&self.identity);
            }
        }
    }
}
