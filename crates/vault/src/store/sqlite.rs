//! The embedded store: one SQLite file, written durably, sealed row by row.
//!
//! Several processes on one machine may open it; each conditional write is one transaction. Whoever changes a state records the event in
//! the same transaction, so that no event is lost to a crash and none is told twice.

mod engine;
mod keys;
mod open;
mod rotation;
mod service;

use super::change::{Answer, Change, Effects, Found, IntentEffect, Lease, RowEffect};
use super::contract::{REMOVED, StoredEvent};
use super::data_keys::DataKeys;
use super::master_key::MasterKey;
use super::open::OpenError;
use super::row::{self, damaged};
use async_trait::async_trait;
use engine::{Engine, Fault};
use keyfob_client::{
    Clock, Entropy, Fence, Intent, IntentFate, LeaseAnswer, Listed, Saved, StoreUnavailable, StoredConnection,
    Timestamp, TokenDigest, TokenStore, Trouble,
};
use rusqlite::{Connection, OptionalExtension, Row};
use std::path::Path;
use std::sync::Arc;

/// Connections in one SQLite file. Cheap to clone.
#[derive(Clone)]
pub struct SqliteTokenStore {
    engine: Arc<Engine>,
    inside: Arc<Inside>,
    is_new: bool,
    vault_id: Arc<str>,
}

/// What a write needs besides the database.
struct Inside {
    keys: DataKeys,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl SqliteTokenStore {
    /// Opens the vault at `path`, or makes it, readable for this user alone.
    ///
    /// # Errors
    /// [`OpenError`]; the file is then as it was.
    pub fn open(
        path: &Path,
        master: MasterKey,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<SqliteTokenStore, OpenError> {
        let keys = DataKeys::new(master);
        let open::Open { writer, reader, is_new, id } = open::open(path, &keys, clock.now(), entropy.as_ref())?;
        let engine = Engine::start(writer, reader).map_err(|error| OpenError::Unavailable(error.to_string()))?;
        let inside = Arc::new(Inside { keys, clock, entropy });
        Ok(SqliteTokenStore { engine: Arc::new(engine), inside, is_new, vault_id: id.into() })
    }

    /// Whether this opening has made the vault: nothing, or an empty file, was there.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// Up to `limit` changes of state, from the first number above `after`.
    ///
    /// # Errors
    /// [`StoreUnavailable`].
    pub async fn events(&self, after: u64, limit: usize) -> Result<Vec<StoredEvent>, StoreUnavailable> {
        let read = self.engine.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT number, id, generation, from_state, to_state, since FROM events \
                 WHERE number > ?1 ORDER BY number LIMIT ?2",
            )?;
            let events = statement.query_map((after, limit), |row| {
                Ok(StoredEvent {
                    number: row.get(0)?,
                    id: row.get(1)?,
                    generation: row.get(2)?,
                    from: row.get(3)?,
                    to: row.get(4)?,
                    since: Timestamp(row.get(5)?),
                })
            })?;
            Ok(events.collect::<rusqlite::Result<_>>()?)
        });
        read.map_err(unavailable)
    }

    /// Sets the size, in pages, at which the disk counts as full.
    ///
    /// # Errors
    /// [`StoreUnavailable`].
    #[cfg(feature = "fail-points")]
    pub async fn limit_pages_for_tests(&self, pages: u32) -> Result<(), StoreUnavailable> {
        let limit = move |connection: &Connection| {
            Ok(connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?)
        };
        self.engine.write(limit).await.map_err(unavailable)
    }

    /// Decides and writes in one transaction.
    async fn change(&self, id: &str, change: Change) -> Result<Answer, StoreUnavailable> {
        let (inside, id) = (self.inside.clone(), id.to_owned());
        let decided = self.engine.write(move |connection| {
            let (found, state) = inside.find(connection, &id, change.looks_inside())?;
            let lease = found.lease;
            let (answer, effects) = change.decide(found)?;
            if let Some(effects) = effects {
                if effects.lease != lease {
                    keep_lease(connection, &id, effects.lease)?;
                }
                inside.carry_out(connection, &id, state.as_deref(), effects)?;
            }
            change.before_commit();
            Ok(answer)
        });
        decided.await.map_err(unavailable)
    }
}

impl From<StoreUnavailable> for Fault {
    fn from(unavailable: StoreUnavailable) -> Self {
        Fault(unavailable.0)
    }
}

fn unavailable(fault: Fault) -> StoreUnavailable {
    StoreUnavailable(fault.0)
}

impl Inside {
    fn read(&self, connection: &Connection, id: &str) -> Result<Option<StoredConnection>, Fault> {
        let mut statement =
            connection.prepare_cached("SELECT generation, data_key, sealed FROM connections WHERE id = ?1")?;
        let found = statement.query_row([id], Sealed::read).optional()?;
        found.map(|sealed| self.open(connection, id, &sealed)).transpose()
    }

    fn open(&self, connection: &Connection, id: &str, sealed: &Sealed) -> Result<StoredConnection, Fault> {
        let key = self.keys.get(connection, sealed.data_key)?;
        row::open(id, sealed.generation, sealed.data_key, &sealed.bytes, &key).ok_or_else(|| Fault(damaged(id)))
    }

    /// What stands there of a connection, and the name of its state.
    fn find(&self, connection: &Connection, id: &str, inside: bool) -> Result<(Found, Option<String>), Fault> {
        let lease = connection
            .prepare_cached("SELECT fence, leased_until FROM leases WHERE id = ?1")?
            .query_row([id], |row| {
                let until: Option<i64> = row.get(1)?;
                Ok(Lease { fence: row.get(0)?, until: until.map(Timestamp) })
            })
            .optional()?;
        let row = connection
            .prepare_cached("SELECT generation, data_key, sealed, state FROM connections WHERE id = ?1")?
            .query_row([id], |row| Ok((Sealed::read(row)?, row.get::<_, String>(3)?)))
            .optional()?;
        let open = connection
            .prepare_cached("SELECT generation, digest, begun_at FROM intents WHERE id = ?1")?
            .query_row([id], |row| {
                let (digest, begun_at) = (TokenDigest(row.get(1)?), Timestamp(row.get(2)?));
                Ok(Intent { generation: row.get(0)?, digest, begun_at })
            })
            .optional()?;
        let generation = row.as_ref().map(|(sealed, _)| sealed.generation);
        let opened = row.as_ref().filter(|_| inside);
        let opened = opened.map(|(sealed, _)| self.open(connection, id, sealed).map_err(unavailable));
        let found = Found { lease: lease.unwrap_or_default(), generation, row: opened, open };
        Ok((found, row.map(|(_, state)| state)))
    }

    /// Writes row and intent as decided, and the event if the state is another.
    fn carry_out(
        &self,
        connection: &Connection,
        id: &str,
        before: Option<&str>,
        effects: Effects,
    ) -> Result<(), Fault> {
        match effects.row {
            RowEffect::Stays => {}
            RowEffect::Goes { generation } => {
                connection
                    .prepare_cached(
                        "INSERT INTO events (id, generation, from_state, to_state, since) VALUES (?1, ?2, ?3, ?4, ?5)",
                    )?
                    .execute((id, generation, before, REMOVED, self.clock.now().0))?;
                connection.prepare_cached("DELETE FROM connections WHERE id = ?1")?.execute([id])?;
            }
            RowEffect::Becomes(next) => {
                self.reseal(connection, id, &next)?;
                let (status, generation) = (next.status(), next.generation);
                if before != Some(status.state.name()) {
                    connection
                        .prepare_cached(
                            "INSERT INTO events (id, generation, from_state, to_state, since) VALUES (?1, ?2, ?3, ?4, ?5)",
                        )?
                        .execute((id, generation, before, status.state.name(), status.since.0))?;
                }
            }
        }
        match effects.intent {
            IntentEffect::Stays => {}
            IntentEffect::Closes => {
                connection.prepare_cached("DELETE FROM intents WHERE id = ?1")?.execute([id])?;
            }
            IntentEffect::Opens(intent) => {
                connection
                    .prepare_cached(
                        "INSERT OR REPLACE INTO intents (id, generation, digest, begun_at) VALUES (?1, ?2, ?3, ?4)",
                    )?
                    .execute((id, intent.generation, intent.digest.0, intent.begun_at.0))?;
            }
        }
        Ok(())
    }

    /// Writes a row under the key of now.
    fn reseal(&self, connection: &Connection, id: &str, row: &StoredConnection) -> Result<(), Fault> {
        let (number, key) = self.keys.current(connection)?;
        let sealed =
            row::seal(id, row, number, &key, self.entropy.as_ref()).map_err(|error| Fault(error.to_string()))?;
        let status = row.status();
        connection
            .prepare_cached(
                "INSERT INTO connections (id, generation, state, since, data_key, sealed) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
                 ON CONFLICT (id) DO UPDATE SET generation = excluded.generation, state = excluded.state, \
                 since = excluded.since, data_key = excluded.data_key, sealed = excluded.sealed",
            )?
            .execute((id, row.generation, status.state.name(), status.since.0, number, sealed))?;
        Ok(())
    }
}

/// A row as it lies there.
struct Sealed {
    generation: u64,
    data_key: u32,
    bytes: Vec<u8>,
}

impl Sealed {
    fn read(row: &Row<'_>) -> rusqlite::Result<Sealed> {
        Ok(Sealed { generation: row.get(0)?, data_key: row.get(1)?, bytes: row.get(2)? })
    }
}

fn keep_lease(connection: &Connection, id: &str, lease: Lease) -> Result<(), Fault> {
    connection
        .prepare_cached(
            "INSERT INTO leases (id, fence, leased_until) VALUES (?1, ?2, ?3) \
             ON CONFLICT (id) DO UPDATE SET fence = excluded.fence, leased_until = excluded.leased_until",
        )?
        .execute((id, lease.fence, lease.until.map(|until| until.0)))?;
    Ok(())
}

#[async_trait]
impl TokenStore for SqliteTokenStore {
    async fn load(&self, id: &str) -> Result<Option<StoredConnection>, StoreUnavailable> {
        self.engine.read(|connection| self.inside.read(connection, id)).map_err(unavailable)
    }

    async fn save(&self, id: &str, replaces: Option<u64>, next: &StoredConnection) -> Result<Saved, StoreUnavailable> {
        self.change(id, Change::Save { replaces, next: Box::new(next.clone()) }).await?.saved()
    }

    async fn note(&self, id: &str, generation: u64, trouble: Option<&Trouble>) -> Result<Saved, StoreUnavailable> {
        self.change(id, Change::Note { generation, trouble: trouble.cloned() }).await?.saved()
    }

    async fn take_lease(&self, id: &str, now: Timestamp, until: Timestamp) -> Result<LeaseAnswer, StoreUnavailable> {
        self.change(id, Change::TakeLease { now, until }).await?.lease()
    }

    async fn prolong(&self, id: &str, fence: Fence, until: Timestamp) -> Result<Saved, StoreUnavailable> {
        self.change(id, Change::Prolong { fence, until }).await?.saved()
    }

    async fn open_intent(&self, id: &str, fence: Fence, intent: &Intent) -> Result<Saved, StoreUnavailable> {
        self.change(id, Change::OpenIntent { fence, intent: intent.clone() }).await?.saved()
    }

    async fn finish(
        &self,
        id: &str,
        fence: Fence,
        replaces: u64,
        next: &StoredConnection,
    ) -> Result<Saved, StoreUnavailable> {
        self.change(id, Change::Finish { fence, replaces, next: Box::new(next.clone()) }).await?.saved()
    }

    async fn release(&self, id: &str, fence: Fence, intent: IntentFate) -> Result<(), StoreUnavailable> {
        self.change(id, Change::Release { fence, intent }).await.map(drop)
    }

    async fn page(&self, after: Option<&str>, limit: usize) -> Result<Vec<Listed>, StoreUnavailable> {
        let page = self.engine.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT c.generation, c.data_key, c.sealed, c.id, i.id IS NOT NULL FROM connections c \
                 LEFT JOIN intents i ON i.id = c.id WHERE ?1 IS NULL OR c.id > ?1 ORDER BY c.id LIMIT ?2",
            )?;
            let rows = statement.query_map((after, limit), |row| {
                Ok((Sealed::read(row)?, row.get::<_, String>(3)?, row.get::<_, bool>(4)?))
            })?;
            let rows = rows.collect::<rusqlite::Result<Vec<_>>>()?;
            let listed = rows.into_iter().map(|(sealed, id, refresh_is_open)| {
                let row = self.inside.open(connection, &id, &sealed).map_err(unavailable);
                Listed { id, row, refresh_is_open }
            });
            Ok(listed.collect())
        });
        page.map_err(unavailable)
    }

    async fn remove(&self, id: &str) -> Result<bool, StoreUnavailable> {
        self.change(id, Change::Remove).await?.removed()
    }
}
