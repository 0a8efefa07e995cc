//! The client library's contract for a store of connections, on the files of [`super::files`].
//!
//! Tokens, state and identity stand in the connection's file; lease and open refresh stand in a journal beside it (`journal.rs`), which
//! outlives it, since a lease's number must never be given twice. Every step happens under the directory's lock. New tokens are one
//! replacement of the file, and an open refresh names a generation: where a crash comes between file and journal, the journal speaks of the past.

use super::files::{Files, Locked};
use super::journal::{Journal, Lease};
use super::kept::{Kept, Place};
use async_trait::async_trait;
use keyfob_client::{
    Fence, Intent, IntentFate, LeaseAnswer, Leased, Listed, Saved, StoreUnavailable, StoredConnection, Timestamp,
    TokenStore, Trouble,
};
use std::collections::HashMap;
use std::sync::Mutex;

/// Connections in files.
pub(crate) struct FileTokenStore {
    files: Files,
    /// What a new connection's file says beside its tokens.
    place: Place,
    /// The locks that say of our leases that we are alive.
    alive: Mutex<HashMap<String, (Fence, Locked)>>,
    /// Why the last write of tokens failed, if it did: they are in memory only.
    unwritten: Mutex<Option<String>>,
}

impl FileTokenStore {
    pub(crate) fn new(files: Files, place: Place) -> FileTokenStore {
        FileTokenStore { files, place, alive: Mutex::default(), unwritten: Mutex::default() }
    }

    /// Why tokens that came are not in their file, if so.
    pub(crate) fn unwritten(&self) -> Option<String> {
        self.unwritten.lock().expect("invariant: nothing panics while the lock is held").clone()
    }

    /// Takes everything secret out of a connection that was given back. A refresh in flight loses.
    pub(crate) async fn give_back(&self, id: &str, now: Timestamp) -> anyhow::Result<()> {
        let _locked = self.files.locked().await?;
        self.overtake(id)?;
        if let Some(mut kept) = self.files.read(id)? {
            kept.give_back(now);
            self.files.write(id, &kept)?;
        }
        Ok(())
    }

    /// One step on one connection.
    async fn step<T>(&self, work: impl FnOnce() -> anyhow::Result<T>) -> Result<T, StoreUnavailable> {
        let _locked = self.files.locked().await.map_err(unavailable)?;
        work().map_err(unavailable)
    }

    /// One step that writes tokens.
    async fn writes(&self, work: impl FnOnce() -> anyhow::Result<Saved>) -> Result<Saved, StoreUnavailable> {
        let written = self.step(work).await;
        *self.unwritten.lock().expect("invariant: nothing panics while the lock is held") =
            written.as_ref().err().map(|unavailable| unavailable.0.clone());
        written
    }

    fn row(&self, id: &str) -> anyhow::Result<Option<StoredConnection>> {
        Ok(self.files.read(id)?.and_then(|kept| kept.row()))
    }

    /// Ends lease and open refresh under a higher number.
    fn overtake(&self, id: &str) -> anyhow::Result<()> {
        let fence = self.files.journal(id)?.fence + 1;
        self.files.write_journal(id, &Journal { fence, ..Journal::default() })?;
        self.alive().remove(id);
        Ok(())
    }

    fn alive(&self) -> std::sync::MutexGuard<'_, HashMap<String, (Fence, Locked)>> {
        self.alive.lock().expect("invariant: nothing panics while the lock is held")
    }

    /// Ends our lease.
    fn end_lease(&self, id: &str, fence: Fence, journal: Journal) -> anyhow::Result<()> {
        self.files.write_journal(id, &Journal { lease: None, ..journal })?;
        let mut alive = self.alive();
        if alive.get(id).is_some_and(|(ours, _)| *ours == fence) {
            alive.remove(id);
        }
        Ok(())
    }
}

#[async_trait]
impl TokenStore for FileTokenStore {
    async fn load(&self, id: &str) -> Result<Option<StoredConnection>, StoreUnavailable> {
        self.row(id).map_err(unavailable)
    }

    /// What a consent brings is kept as of the app that asked for it. A connection does not change its authority.
    async fn save(&self, id: &str, replaces: Option<u64>, next: &StoredConnection) -> Result<Saved, StoreUnavailable> {
        self.writes(|| {
            let before = self.files.read(id)?;
            if let Some(before) =
                before.as_ref().filter(|before| !before.place.authority.is_same(&self.place.authority))
            {
                anyhow::bail!("connection {id} is at {}", before.place.authority.described());
            }
            if before.and_then(|before| before.row()).map(|row| row.generation) != replaces {
                return Ok(Saved::Conflict);
            }
            self.files.write(id, &Kept::new(self.place.clone(), next))?;
            let journal = self.files.journal(id)?;
            if journal.open.is_some() {
                self.files.write_journal(id, &Journal { open: None, ..journal })?;
            }
            Ok(Saved::Stored)
        })
        .await
    }

    async fn note(&self, id: &str, generation: u64, trouble: Option<&Trouble>) -> Result<Saved, StoreUnavailable> {
        self.step(|| {
            let Some(mut kept) = self.files.read(id)? else { return Ok(Saved::Conflict) };
            let Some(mut row) = kept.row().filter(|row| row.generation == generation) else {
                return Ok(Saved::Conflict);
            };
            if row.trouble.as_ref().map(|trouble| trouble.kind) == trouble.map(|trouble| trouble.kind) {
                return Ok(Saved::Conflict);
            }
            row.trouble = trouble.cloned();
            kept.put(&row);
            self.files.write(id, &kept)?;
            Ok(Saved::Stored)
        })
        .await
    }

    /// A holder's life shows by its lock, so that nobody waits for a process that has died.
    async fn take_lease(&self, id: &str, now: Timestamp, until: Timestamp) -> Result<LeaseAnswer, StoreUnavailable> {
        self.step(|| {
            let journal = self.files.journal(id)?;
            let lock = self.files.try_lease(id)?;
            if let Some(Lease { until, by_lock }) = journal.lease.filter(|lease| now < lease.until)
                && !(by_lock && lock.is_some())
            {
                return Ok(LeaseAnswer::Held { until });
            }
            let fence = Fence(journal.fence + 1);
            let lease = Some(Lease { until, by_lock: lock.is_some() });
            self.files.write_journal(id, &Journal { fence: fence.0, lease, open: journal.open.clone() })?;
            if let Some(lock) = lock {
                self.alive().insert(id.to_owned(), (fence, lock));
            }
            let row = self.row(id)?;
            let open = journal.open.filter(|open| row.as_ref().is_some_and(|row| row.generation == open.generation));
            Ok(LeaseAnswer::Taken(Box::new(Leased { fence, row, open })))
        })
        .await
    }

    async fn prolong(&self, id: &str, fence: Fence, until: Timestamp) -> Result<Saved, StoreUnavailable> {
        self.step(|| {
            let mut journal = self.files.journal(id)?;
            match journal.lease.as_mut().filter(|_| journal.fence == fence.0) {
                Some(lease) => lease.until = until,
                None => return Ok(Saved::Conflict),
            }
            self.files.write_journal(id, &journal)?;
            Ok(Saved::Stored)
        })
        .await
    }

    async fn open_intent(&self, id: &str, fence: Fence, intent: &Intent) -> Result<Saved, StoreUnavailable> {
        self.step(|| {
            let journal = self.files.journal(id)?;
            if journal.fence != fence.0 || self.row(id)?.map(|row| row.generation) != Some(intent.generation) {
                return Ok(Saved::Conflict);
            }
            self.files.write_journal(id, &Journal { open: Some(intent.clone()), ..journal })?;
            Ok(Saved::Stored)
        })
        .await
    }

    async fn finish(
        &self,
        id: &str,
        fence: Fence,
        replaces: u64,
        next: &StoredConnection,
    ) -> Result<Saved, StoreUnavailable> {
        self.writes(|| {
            let journal = self.files.journal(id)?;
            let Some(mut kept) = self.files.read(id)? else { return Ok(Saved::Conflict) };
            if journal.fence != fence.0 || kept.row().map(|row| row.generation) != Some(replaces) {
                return Ok(Saved::Conflict);
            }
            kept.put(next);
            self.files.write(id, &kept)?;
            self.end_lease(id, fence, Journal { open: None, ..journal })?;
            Ok(Saved::Stored)
        })
        .await
    }

    async fn release(&self, id: &str, fence: Fence, intent: IntentFate) -> Result<(), StoreUnavailable> {
        self.step(|| {
            let mut journal = self.files.journal(id)?;
            if journal.fence != fence.0 {
                return Ok(());
            }
            if intent == IntentFate::NothingHappened {
                journal.open = None;
            }
            self.end_lease(id, fence, journal)
        })
        .await
    }

    async fn page(&self, after: Option<&str>, limit: usize) -> Result<Vec<Listed>, StoreUnavailable> {
        let names = self.files.names().map_err(unavailable)?;
        let names = names.into_iter().filter(|name| after.is_none_or(|after| name.as_str() > after));
        let listed = names.filter_map(|id| {
            let row = self.row(&id).map_err(unavailable).transpose()?;
            let open = self.files.journal(&id).ok().and_then(|journal| journal.open);
            let refresh_is_open =
                row.as_ref().is_ok_and(|row| open.is_some_and(|open| open.generation == row.generation));
            Some(Listed { id, row, refresh_is_open })
        });
        Ok(listed.take(limit).collect())
    }

    async fn remove(&self, id: &str) -> Result<bool, StoreUnavailable> {
        self.step(|| {
            let is_there = self.row(id)?.is_some();
            self.overtake(id)?;
            self.files.remove(id).map(|_| is_there)
        })
        .await
    }
}

fn unavailable(error: anyhow::Error) -> StoreUnavailable {
    StoreUnavailable(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyfob_client::conformance;
    use std::sync::Arc;

    /// A directory with connections.
    struct Directory(tempfile::TempDir);

    #[async_trait]
    impl conformance::Place for Directory {
        async fn fresh() -> Directory {
            Directory(tempfile::tempdir().expect("a directory"))
        }

        async fn open(&self) -> Arc<dyn TokenStore> {
            Arc::new(FileTokenStore::new(Files::at(self.0.path()), Place::sample()))
        }
    }

    keyfob_client::token_store_conformance!(Directory);
}
