//! Events, cursors and attempts in the database.
//!
//! Each write is one statement. Where the answer of one is lost nobody knows whether it happened: an attempt then counts as taken, and its user
//! begins another.

use super::keys::{self, Sealer};
use super::{PostgresTokenStore, number, unavailable};
use crate::store::contract::{SWEPT_AT_ONCE, StoredEvent, TakenAttempt, VaultStore};
use crate::store::seal;
use async_trait::async_trait;
use keyfob_client::{Saved, Secret, StoreUnavailable, Timestamp};
use tokio_postgres::Row;

const KEY: &str = "SELECT number, sealed FROM data_keys ORDER BY number DESC LIMIT 1";
const CURSOR: &str = "SELECT number FROM cursors WHERE reader = $1";
const COUNT: &str = "SELECT count(*) FROM connections WHERE id > $1 AND id < $2";
const BEGIN_CURSOR: &str = "INSERT INTO cursors (reader, number) VALUES ($1, 0) ON CONFLICT (reader) DO NOTHING";
const MOVE_CURSOR: &str = "UPDATE cursors SET number = $3 WHERE reader = $1 AND number = $2 RETURNING number";
const KEEP: &str = "INSERT INTO attempts (name, stage, until, data_key, sealed) VALUES ($1, 0, $2, $3, $4)";
/// The lock makes whoever comes second wait, and then find another stage.
const TAKE: &str = "UPDATE attempts SET stage = 1, data_key = $3, sealed = $4 \
                    FROM (SELECT a.name, a.data_key, a.sealed, k.sealed AS key FROM attempts a \
                          JOIN data_keys k ON k.number = a.data_key \
                          WHERE a.name = $1 AND a.until > $2 AND a.stage = 0 FOR UPDATE OF a) AS waiting \
                    WHERE attempts.name = waiting.name RETURNING waiting.data_key, waiting.sealed, waiting.key";
const TAKEN: &str = "SELECT a.data_key, a.sealed, k.sealed FROM attempts a JOIN data_keys k ON k.number = a.data_key \
                     WHERE a.name = $1 AND a.until > $2 AND a.stage = 1";
const LEAVE: &str = "UPDATE attempts SET data_key = $2, sealed = $3 WHERE name = $1 AND stage = 1";
const SWEEP: &str = "DELETE FROM attempts WHERE until <= $1 RETURNING 1";
const SWEEP_EVENTS: &str = "DELETE FROM events WHERE since < $1 \
                            AND number IN (SELECT number FROM events ORDER BY number LIMIT $2) RETURNING 1";

impl PostgresTokenStore {
    /// Seals what stands for an attempt, under the key of now. A key that is retired before the attempt is past takes the attempt with it.
    async fn seal_attempt(&self, name: &str, content: &Secret<String>) -> Result<(i64, Vec<u8>), StoreUnavailable> {
        let rows = self.engine.read(KEY, &[]).await.map_err(unavailable)?;
        let Sealer { number, key } = keys::sealer(&rows, &self.inside).map_err(unavailable)?;
        let sealed = seal::seal_attempt(&key, (name, number), content, self.inside.entropy.as_ref());
        Ok((number.into(), sealed.map_err(|error| StoreUnavailable(error.to_string()))?))
    }

    fn open_attempt(&self, name: &str, row: &Row) -> Result<Option<Secret<String>>, StoreUnavailable> {
        let read = || {
            let data_key: u32 = number::<_, i64>("attempts.data_key", row.try_get(0)?)?;
            Ok::<_, keyfob_postgres::Fault>((data_key, row.try_get::<_, &[u8]>(1)?, row.try_get::<_, &[u8]>(2)?))
        };
        let (data_key, sealed, key) = read().map_err(unavailable)?;
        let Ok(key) = self.inside.keys.learn(data_key, key) else { return Ok(None) };
        Ok(seal::open_attempt(&key, (name, data_key), sealed))
    }
}

#[async_trait]
impl VaultStore for PostgresTokenStore {
    fn vault_id(&self) -> &str {
        &self.vault_id
    }

    async fn events(&self, after: u64, limit: usize) -> Result<Vec<StoredEvent>, StoreUnavailable> {
        PostgresTokenStore::events(self, after, limit).await
    }

    async fn count(&self, after: &str, before: &str) -> Result<u64, StoreUnavailable> {
        let row = self.engine.read_opt(COUNT, &[&after, &before]).await.map_err(unavailable)?;
        let read = |row: Row| number::<_, i64>("count", row.try_get(0)?);
        Ok(row.map(read).transpose().map_err(unavailable)?.unwrap_or_default())
    }

    async fn cursor(&self, reader: &str) -> Result<u64, StoreUnavailable> {
        let row = self.engine.read_opt(CURSOR, &[&reader]).await.map_err(unavailable)?;
        let read = |row: Row| number::<_, i64>("cursors.number", row.try_get(0)?);
        Ok(row.map(read).transpose().map_err(unavailable)?.unwrap_or_default())
    }

    async fn move_cursor(&self, reader: &str, from: u64, to: u64) -> Result<Saved, StoreUnavailable> {
        self.engine.write_again(BEGIN_CURSOR, &[&reader]).await.map_err(unavailable)?;
        let moved = self.engine.write_once(MOVE_CURSOR, &[&reader, &from.cast_signed(), &to.cast_signed()]).await;
        Ok(if moved.map_err(unavailable)?.is_empty() { Saved::Conflict } else { Saved::Stored })
    }

    async fn keep_attempt(
        &self,
        name: &str,
        content: &Secret<String>,
        until: Timestamp,
    ) -> Result<(), StoreUnavailable> {
        let (data_key, sealed) = self.seal_attempt(name, content).await?;
        self.engine.write_once(KEEP, &[&name, &until.0, &data_key, &sealed]).await.map(drop).map_err(unavailable)
    }

    async fn take_attempt(
        &self,
        name: &str,
        left: &Secret<String>,
        now: Timestamp,
    ) -> Result<TakenAttempt, StoreUnavailable> {
        let (data_key, sealed) = self.seal_attempt(name, left).await?;
        let taken = self.engine.write_once(TAKE, &[&name, &now.0, &data_key, &sealed]).await.map_err(unavailable)?;
        if let Some(row) = taken.first() {
            return Ok(self.open_attempt(name, row)?.map_or(TakenAttempt::Unknown, TakenAttempt::First));
        }
        match self.engine.read_opt(TAKEN, &[&name, &now.0]).await.map_err(unavailable)? {
            Some(row) => Ok(self.open_attempt(name, &row)?.map_or(TakenAttempt::Unknown, TakenAttempt::Again)),
            None => Ok(TakenAttempt::Unknown),
        }
    }

    async fn leave(&self, name: &str, left: &Secret<String>) -> Result<(), StoreUnavailable> {
        let (data_key, sealed) = self.seal_attempt(name, left).await?;
        self.engine.write_again(LEAVE, &[&name, &data_key, &sealed]).await.map(drop).map_err(unavailable)
    }

    async fn sweep_attempts(&self, now: Timestamp) -> Result<u64, StoreUnavailable> {
        let swept = self.engine.write_again(SWEEP, &[&now.0]).await.map_err(unavailable)?;
        Ok(swept.len() as u64)
    }

    async fn sweep_events(&self, before: Timestamp) -> Result<u64, StoreUnavailable> {
        let values: [&(dyn tokio_postgres::types::ToSql + Sync); 2] = [&before.0, &SWEPT_AT_ONCE.cast_signed()];
        let swept = self.engine.write_again(SWEEP_EVENTS, &values).await.map_err(unavailable)?;
        Ok(swept.len() as u64)
    }
}
