//! The client library's store of tokens, on the files of [`super::files`].

use super::files::{Files, Locked};
use async_trait::async_trait;
use keyfob_client::{Lease, Saved, StoreUnavailable, StoredConnection, TokenStore};
use std::sync::Mutex;

/// Connections in files.
pub(crate) struct FileTokenStore {
    files: Files,
    /// Why the last write failed, if it did: the tokens it was about are in memory only.
    unwritten: Mutex<Option<String>>,
}

impl Lease for Locked {}

impl FileTokenStore {
    pub(crate) fn new(files: Files) -> FileTokenStore {
        FileTokenStore { files, unwritten: Mutex::default() }
    }

    /// Why tokens that came are not in their file, if so.
    pub(crate) fn unwritten(&self) -> Option<String> {
        self.unwritten.lock().expect("invariant: nothing panics while the lock is held").clone()
    }

    fn note(&self, unwritten: Option<String>) {
        *self.unwritten.lock().expect("invariant: nothing panics while the lock is held") = unwritten;
    }
}

#[async_trait]
impl TokenStore for FileTokenStore {
    async fn load(&self, id: &str) -> Result<Option<StoredConnection>, StoreUnavailable> {
        Ok(self.files.read(id).map_err(unavailable)?.and_then(|kept| kept.row()))
    }

    /// A connection comes into being by `keyfob connect` and nowhere else, so without a file there is nothing to replace.
    async fn save(&self, id: &str, replaces: Option<u64>, next: &StoredConnection) -> Result<Saved, StoreUnavailable> {
        let changed = self.files.change(id, |kept| {
            let standing = kept.filter(|kept| kept.row().map(|row| row.generation) == replaces);
            Ok(standing.map(|mut kept| {
                kept.put(next);
                kept
            }))
        });
        match changed.await {
            Ok(stored) => {
                self.note(None);
                Ok(if stored { Saved::Stored } else { Saved::Conflict })
            }
            Err(error) => {
                self.note(Some(error.to_string()));
                Err(unavailable(error))
            }
        }
    }

    async fn lease(&self, id: &str) -> Result<Box<dyn Lease>, StoreUnavailable> {
        let locked = self.files.lease(id).await.map_err(unavailable)?;
        Ok(Box::new(locked))
    }
}

fn unavailable(error: anyhow::Error) -> StoreUnavailable {
    StoreUnavailable(error.to_string())
}
