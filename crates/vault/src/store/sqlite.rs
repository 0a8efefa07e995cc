//! The embedded store: one SQLite file, written durably, sealed row by row.
//!
//! Several processes on one machine may open it; each conditional write is one transaction. Whoever changes a state records the event in
//! the same transaction, so that no event is lost to a crash and none is told twice.

mod engine;
mod keys;
mod open;
mod rotation;

use super::data_keys::DataKeys;
use super::master_key::MasterKey;
use super::open::OpenError;
use super::row::{self, damaged};
use async_trait::async_trait;
use engine::{Engine, Fault};
use keyfob_client::fail_points::reach;
use keyfob_client::{
    Clock, Entropy, Fence, Intent, IntentFate, LeaseAnswer, Leased, Listed, Saved, StoreUnavailable, StoredConnection,
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
}

/// What a write needs besides the database.
struct Inside {
    keys: DataKeys,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

/// A change of state as recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEvent {
    /// Grows with every event; never used twice.
    pub number: u64,
    /// The connection's name.
    pub id: String,
    /// The generation that came to stand.
    pub generation: u64,
    /// The name of the former state; `None` for a new connection.
    pub from: Option<String>,
    /// The name of the state.
    pub to: String,
    /// Since when.
    pub since: Timestamp,
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
        let (writer, reader) = open::open(path, &keys, clock.now(), entropy.as_ref())?;
        let engine = Engine::start(writer, reader).map_err(|error| OpenError::Unavailable(error.to_string()))?;
        Ok(SqliteTokenStore { engine: Arc::new(engine), inside: Arc::new(Inside { keys, clock, entropy }) })
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

    async fn write<T: Send + 'static>(
        &self,
        id: &str,
        change: impl FnOnce(&Connection, &Inside, &str) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, StoreUnavailable> {
        let (inside, id) = (self.inside.clone(), id.to_owned());
        self.engine.write(move |connection| change(connection, &inside, &id)).await.map_err(unavailable)
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

    /// Writes a row under the key of now, and the event if the state is another.
    fn put(
        &self,
        connection: &Connection,
        id: &str,
        before: Option<&StoredConnection>,
        next: &StoredConnection,
    ) -> Result<(), Fault> {
        let status = next.status();
        self.reseal(connection, id, next)?;
        let from = before.map(|row| row.status().state);
        if from != Some(status.state) {
            connection
                .prepare_cached(
                    "INSERT INTO events (id, generation, from_state, to_state, since) VALUES (?1, ?2, ?3, ?4, ?5)",
                )?
                .execute((id, next.generation, from.map(|state| state.name()), status.state.name(), status.since.0))?;
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

fn generation(connection: &Connection, id: &str) -> Result<Option<u64>, Fault> {
    let mut statement = connection.prepare_cached("SELECT generation FROM connections WHERE id = ?1")?;
    Ok(statement.query_row([id], |row| row.get(0)).optional()?)
}

fn fence(connection: &Connection, id: &str) -> Result<Option<u64>, Fault> {
    let mut statement = connection.prepare_cached("SELECT fence FROM leases WHERE id = ?1")?;
    Ok(statement.query_row([id], |row| row.get(0)).optional()?)
}

fn close_intent(connection: &Connection, id: &str) -> Result<(), Fault> {
    connection.prepare_cached("DELETE FROM intents WHERE id = ?1")?.execute([id])?;
    Ok(())
}

fn end_lease(connection: &Connection, id: &str) -> Result<(), Fault> {
    connection.prepare_cached("UPDATE leases SET leased_until = NULL WHERE id = ?1")?.execute([id])?;
    Ok(())
}

#[async_trait]
impl TokenStore for SqliteTokenStore {
    async fn load(&self, id: &str) -> Result<Option<StoredConnection>, StoreUnavailable> {
        self.engine.read(|connection| self.inside.read(connection, id)).map_err(unavailable)
    }

    async fn save(&self, id: &str, replaces: Option<u64>, next: &StoredConnection) -> Result<Saved, StoreUnavailable> {
        let next = next.clone();
        self.write(id, move |connection, inside, id| {
            if generation(connection, id)? != replaces {
                return Ok(Saved::Conflict);
            }
            // A damaged row can be replaced by a new consent: that is how it is mended.
            let before = inside.read(connection, id).ok().flatten();
            inside.put(connection, id, before.as_ref(), &next)?;
            close_intent(connection, id)?;
            Ok(Saved::Stored)
        })
        .await
    }

    async fn note(&self, id: &str, generation: u64, trouble: Option<&Trouble>) -> Result<Saved, StoreUnavailable> {
        let trouble = trouble.cloned();
        self.write(id, move |connection, inside, id| {
            let Some(before) = inside.read(connection, id)?.filter(|row| row.generation == generation) else {
                return Ok(Saved::Conflict);
            };
            if before.trouble.as_ref().map(|trouble| trouble.kind) == trouble.as_ref().map(|trouble| trouble.kind) {
                return Ok(Saved::Conflict);
            }
            let next = StoredConnection { trouble, ..before.clone() };
            inside.put(connection, id, Some(&before), &next)?;
            Ok(Saved::Stored)
        })
        .await
    }

    async fn take_lease(&self, id: &str, now: Timestamp, until: Timestamp) -> Result<LeaseAnswer, StoreUnavailable> {
        self.write(id, move |connection, inside, id| {
            let fence: Option<u64> = connection
                .prepare_cached(
                    "INSERT INTO leases (id, fence, leased_until) VALUES (?1, 1, ?3) \
                     ON CONFLICT (id) DO UPDATE SET fence = fence + 1, leased_until = excluded.leased_until \
                     WHERE leased_until IS NULL OR leased_until <= ?2 RETURNING fence",
                )?
                .query_row((id, now.0, until.0), |row| row.get(0))
                .optional()?;
            let Some(fence) = fence else {
                let mut held = connection.prepare_cached("SELECT leased_until FROM leases WHERE id = ?1")?;
                return Ok(LeaseAnswer::Held { until: Timestamp(held.query_row([id], |row| row.get(0))?) });
            };
            let open = connection
                .prepare_cached("SELECT generation, digest, begun_at FROM intents WHERE id = ?1")?
                .query_row([id], |row| {
                    let (digest, begun_at) = (TokenDigest(row.get(1)?), Timestamp(row.get(2)?));
                    Ok(Intent { generation: row.get(0)?, digest, begun_at })
                })
                .optional()?;
            let row = inside.read(connection, id)?;
            reach("store.before_commit.take_lease");
            Ok(LeaseAnswer::Taken(Box::new(Leased { fence: Fence(fence), row, open })))
        })
        .await
    }

    async fn prolong(&self, id: &str, fence: Fence, until: Timestamp) -> Result<Saved, StoreUnavailable> {
        self.write(id, move |connection, _, id| {
            let changed = connection
                .prepare_cached(
                    "UPDATE leases SET leased_until = ?3 WHERE id = ?1 AND fence = ?2 AND leased_until IS NOT NULL",
                )?
                .execute((id, fence.0, until.0))?;
            Ok(if changed == 1 { Saved::Stored } else { Saved::Conflict })
        })
        .await
    }

    async fn open_intent(&self, id: &str, ours: Fence, intent: &Intent) -> Result<Saved, StoreUnavailable> {
        let intent = intent.clone();
        self.write(id, move |connection, _, id| {
            if fence(connection, id)? != Some(ours.0) || generation(connection, id)? != Some(intent.generation) {
                return Ok(Saved::Conflict);
            }
            connection
                .prepare_cached(
                    "INSERT OR REPLACE INTO intents (id, generation, digest, begun_at) VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute((id, intent.generation, intent.digest.0, intent.begun_at.0))?;
            reach("store.before_commit.open_intent");
            Ok(Saved::Stored)
        })
        .await
    }

    async fn finish(
        &self,
        id: &str,
        ours: Fence,
        replaces: u64,
        next: &StoredConnection,
    ) -> Result<Saved, StoreUnavailable> {
        let next = next.clone();
        self.write(id, move |connection, inside, id| {
            if fence(connection, id)? != Some(ours.0) || generation(connection, id)? != Some(replaces) {
                return Ok(Saved::Conflict);
            }
            let before = inside.read(connection, id)?;
            inside.put(connection, id, before.as_ref(), &next)?;
            close_intent(connection, id)?;
            end_lease(connection, id)?;
            reach("store.before_commit.finish");
            Ok(Saved::Stored)
        })
        .await
    }

    async fn release(&self, id: &str, ours: Fence, intent: IntentFate) -> Result<(), StoreUnavailable> {
        self.write(id, move |connection, _, id| {
            if fence(connection, id)? == Some(ours.0) {
                end_lease(connection, id)?;
                if intent == IntentFate::NothingHappened {
                    close_intent(connection, id)?;
                }
            }
            Ok(())
        })
        .await
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
        self.write(id, move |connection, _, id| {
            close_intent(connection, id)?;
            connection
                .prepare_cached("UPDATE leases SET fence = fence + 1, leased_until = NULL WHERE id = ?1")?
                .execute([id])?;
            Ok(connection.prepare_cached("DELETE FROM connections WHERE id = ?1")?.execute([id])? == 1)
        })
        .await
    }
}
