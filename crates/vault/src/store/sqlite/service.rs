//! Events, cursors and attempts in the SQLite file.

use super::engine::Fault;
use super::{Inside, SqliteTokenStore, unavailable};
use crate::store::contract::{SWEPT_AT_ONCE, StoredEvent, TakenAttempt, VaultStore};
use crate::store::seal;
use async_trait::async_trait;
use keyfob_client::{Saved, Secret, StoreUnavailable, Timestamp};
use rusqlite::{Connection, OptionalExtension};

const WAITING: i64 = 0;
const TAKEN: i64 = 1;

impl SqliteTokenStore {
    async fn write<T: Send + 'static>(
        &self,
        name: &str,
        change: impl FnOnce(&Connection, &Inside, &str) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, StoreUnavailable> {
        let (inside, name) = (self.inside.clone(), name.to_owned());
        self.engine.write(move |connection| change(connection, &inside, &name)).await.map_err(unavailable)
    }
}

impl Inside {
    /// Seals what stands for an attempt, under the key of now. A key that is retired before the attempt is past takes the attempt with it.
    fn seal_attempt(
        &self,
        connection: &Connection,
        name: &str,
        content: &Secret<String>,
    ) -> Result<(u32, Vec<u8>), Fault> {
        let (number, key) = self.keys.current(connection)?;
        let sealed = seal::seal_attempt(&key, (name, number), content, self.entropy.as_ref());
        Ok((number, sealed.map_err(|error| Fault(error.to_string()))?))
    }

    fn open_attempt(
        &self,
        connection: &Connection,
        name: &str,
        number: u32,
        sealed: &[u8],
    ) -> Result<Option<Secret<String>>, Fault> {
        let Ok(key) = self.keys.get(connection, number) else { return Ok(None) };
        Ok(seal::open_attempt(&key, (name, number), sealed))
    }
}

#[async_trait]
impl VaultStore for SqliteTokenStore {
    fn vault_id(&self) -> &str {
        &self.vault_id
    }

    async fn events(&self, after: u64, limit: usize) -> Result<Vec<StoredEvent>, StoreUnavailable> {
        SqliteTokenStore::events(self, after, limit).await
    }

    async fn count(&self, after: &str, before: &str) -> Result<u64, StoreUnavailable> {
        let counted = self.engine.read(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT count(*) FROM connections WHERE id > ?1 AND id < ?2")?;
            Ok(statement.query_row((after, before), |row| row.get(0))?)
        });
        counted.map_err(unavailable)
    }

    async fn cursor(&self, reader: &str) -> Result<u64, StoreUnavailable> {
        let found = self.engine.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT number FROM cursors WHERE reader = ?1")?;
            Ok(statement.query_row([reader], |row| row.get(0)).optional()?)
        });
        Ok(found.map_err(unavailable)?.unwrap_or_default())
    }

    async fn move_cursor(&self, reader: &str, from: u64, to: u64) -> Result<Saved, StoreUnavailable> {
        self.write(reader, move |connection, _, reader| {
            connection
                .prepare_cached("INSERT INTO cursors (reader, number) VALUES (?1, 0) ON CONFLICT DO NOTHING")?
                .execute([reader])?;
            let moved = connection
                .prepare_cached("UPDATE cursors SET number = ?3 WHERE reader = ?1 AND number = ?2")?
                .execute((reader, from, to))?;
            Ok(if moved == 1 { Saved::Stored } else { Saved::Conflict })
        })
        .await
    }

    async fn keep_attempt(
        &self,
        name: &str,
        content: &Secret<String>,
        until: Timestamp,
    ) -> Result<(), StoreUnavailable> {
        let content = content.clone();
        self.write(name, move |connection, inside, name| {
            let (number, sealed) = inside.seal_attempt(connection, name, &content)?;
            connection
                .prepare_cached(
                    "INSERT INTO attempts (name, stage, until, data_key, sealed) VALUES (?1, ?2, ?3, ?4, ?5)",
                )?
                .execute((name, WAITING, until.0, number, sealed))?;
            Ok(())
        })
        .await
    }

    async fn take_attempt(
        &self,
        name: &str,
        left: &Secret<String>,
        now: Timestamp,
    ) -> Result<TakenAttempt, StoreUnavailable> {
        let left = left.clone();
        self.write(name, move |connection, inside, name| {
            let found: Option<(i64, u32, Vec<u8>)> = connection
                .prepare_cached("SELECT stage, data_key, sealed FROM attempts WHERE name = ?1 AND until > ?2")?
                .query_row((name, now.0), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
                .optional()?;
            let Some((stage, number, sealed)) = found else { return Ok(TakenAttempt::Unknown) };
            let Some(content) = inside.open_attempt(connection, name, number, &sealed)? else {
                return Ok(TakenAttempt::Unknown);
            };
            if stage != WAITING {
                return Ok(TakenAttempt::Again(content));
            }
            let (number, sealed) = inside.seal_attempt(connection, name, &left)?;
            connection
                .prepare_cached("UPDATE attempts SET stage = ?2, data_key = ?3, sealed = ?4 WHERE name = ?1")?
                .execute((name, TAKEN, number, sealed))?;
            Ok(TakenAttempt::First(content))
        })
        .await
    }

    async fn leave(&self, name: &str, left: &Secret<String>) -> Result<(), StoreUnavailable> {
        let left = left.clone();
        self.write(name, move |connection, inside, name| {
            let (number, sealed) = inside.seal_attempt(connection, name, &left)?;
            connection
                .prepare_cached("UPDATE attempts SET data_key = ?3, sealed = ?4 WHERE name = ?1 AND stage = ?2")?
                .execute((name, TAKEN, number, sealed))?;
            Ok(())
        })
        .await
    }

    async fn sweep_attempts(&self, now: Timestamp) -> Result<u64, StoreUnavailable> {
        self.write("", move |connection, _, _| {
            let swept = connection.prepare_cached("DELETE FROM attempts WHERE until <= ?1")?.execute([now.0])?;
            Ok(swept as u64)
        })
        .await
    }

    async fn sweep_events(&self, before: Timestamp) -> Result<u64, StoreUnavailable> {
        self.write("", move |connection, _, _| {
            let swept = connection
                .prepare_cached(
                    "DELETE FROM events WHERE since < ?1 AND number IN (SELECT number FROM events ORDER BY number LIMIT ?2)",
                )?
                .execute((before.0, SWEPT_AT_ONCE))?;
            Ok(swept as u64)
        })
        .await
    }
}
