//! The store for several nodes: one PostgreSQL database, sealed row by row.
//!
//! All nodes are equal. Whatever is written about a connection is one transaction under the lock of its row in `leases`, decided by
//! `change.rs`; whoever changes a state records the event in the same transaction. Leases follow the times that the contract hands in, so
//! the clocks of the nodes have to agree within a few seconds of its thirty; where they do not, the fence decides.

mod batch;
mod effects;
mod keys;
mod open;
mod rotation;
mod service;

use super::change::{Answer, Change};
use super::contract::StoredEvent;
use super::data_keys::DataKeys;
use super::master_key::MasterKey;
use super::open::OpenError;
use super::row::{self, damaged};

use async_trait::async_trait;
use batch::{Job, Writes};
use keyfob_client::{
    Clock, Entropy, Fence, Intent, IntentFate, LeaseAnswer, Listed, Saved, StoreUnavailable, StoredConnection,
    Timestamp, TokenStore, Trouble,
};
use keyfob_postgres::{Address, Dialer, Engine, Fault, Lane, Options, Schema};
use keyfob_protocol::entropy;
use std::sync::Arc;
use tokio_postgres::Row;

/// What a database needs to be a vault's.
const SCHEMA: Schema = Schema {
    migrations: &[
        include_str!("postgres/migrations/0001_vault.sql"),
        include_str!("postgres/migrations/0002_vault_id.sql"),
    ],
    // "Keyv" and a number.
    lock: 0x4b65_7976_0000_0001,
    marks: &[("vault", "key_check"), ("connections", "data_key")],
};

/// With the key, so that no key is missing that was retired after the row was read.
const LOAD: &str = "SELECT c.generation, c.data_key, c.sealed, k.sealed FROM connections c \
                    JOIN data_keys k ON k.number = c.data_key WHERE c.id = $1";
const PAGE: &str = "SELECT c.generation, c.data_key, c.sealed, k.sealed, c.id, i.id IS NOT NULL FROM connections c \
                    JOIN data_keys k ON k.number = c.data_key LEFT JOIN intents i ON i.id = c.id \
                    WHERE c.id > $1 OR $2 ORDER BY c.id LIMIT $3";
const EVENTS: &str = "SELECT number, id, generation, from_state, to_state, since FROM events \
                      WHERE number > $1 ORDER BY number LIMIT $2";

/// Connections in one PostgreSQL database, which any number of nodes may have open. Cheap to clone.
#[derive(Clone)]
pub struct PostgresTokenStore {
    engine: Arc<Engine>,
    lanes: Arc<[Lane<Writes>]>,
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

impl PostgresTokenStore {
    /// Whether the database has a vault, and not its tables alone. Changes nothing.
    ///
    /// # Errors
    /// [`OpenError::Postgres`]: it cannot be reached, or holds something else.
    pub async fn is_there(address: Address) -> Result<bool, OpenError> {
        Ok(SCHEMA.stands(&Dialer::to(address)?, "vault").await?)
    }

    /// Connects to the database and makes it a vault if it is empty.
    ///
    /// # Errors
    /// [`OpenError`]; the database is then as it was.
    pub async fn open(
        address: Address,
        options: &Options,
        master: MasterKey,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<PostgresTokenStore, OpenError> {
        let dialer = Dialer::to(address)?;
        SCHEMA.prepare(&dialer).await?;
        let engine = Arc::new(Engine::start(&dialer, options));
        let inside = Arc::new(Inside { keys: DataKeys::new(master), clock, entropy });
        let open::Claimed { is_new, id } = open::claim_or_judge(&engine, &inside).await?;
        let lane = |_| Lane::start(dialer.clone(), options.queue, options.largest_batch.max(1));
        let lanes = (0..options.lanes.max(1)).map(lane).collect();
        Ok(PostgresTokenStore { engine, lanes, inside, is_new, vault_id: id.into() })
    }

    /// Whether this opening has made the vault: the database was empty.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// Up to `limit` changes of state, from the first number above `after`.
    ///
    /// # Errors
    /// [`StoreUnavailable`].
    pub async fn events(&self, after: u64, limit: usize) -> Result<Vec<StoredEvent>, StoreUnavailable> {
        let (after, limit) = (i64::try_from(after).unwrap_or(i64::MAX), i64::try_from(limit).unwrap_or(i64::MAX));
        let rows = self.engine.read(EVENTS, &[&after, &limit]).await.map_err(unavailable)?;
        rows.iter().map(event).collect::<Result<_, _>>().map_err(unavailable)
    }

    /// Answers the writes that wait, refuses later ones and ends the connections.
    pub async fn close(&self) {
        for lane in &*self.lanes {
            lane.close().await;
        }
        self.engine.close();
    }

    async fn change(&self, id: &str, change: Change) -> Result<Answer, StoreUnavailable> {
        if id.contains('\0') {
            return Err(StoreUnavailable("PostgreSQL keeps no name with a NUL in it".to_owned()));
        }
        let nonce: [u8; 16] =
            entropy::random(self.inside.entropy.as_ref()).map_err(|error| StoreUnavailable(error.to_string()))?;
        let job = Job { inside: self.inside.clone(), id: id.to_owned(), nonce, change };
        self.lane_of(id).ask(job).await.map_err(unavailable)?
    }

    /// Always the same for a name, so that the lanes of one node do not wait for each other's rows.
    fn lane_of(&self, id: &str) -> &Lane<Writes> {
        let sum = id.bytes().fold(0_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
        &self.lanes[sum % self.lanes.len()]
    }
}

impl std::fmt::Debug for PostgresTokenStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresTokenStore").finish_non_exhaustive()
    }
}

fn unavailable(fault: Fault) -> StoreUnavailable {
    StoreUnavailable(fault.to_string())
}

/// A number that is stored in another width or sign than it has.
fn number<T: TryFrom<N>, N: Copy + std::fmt::Display>(column: &'static str, value: N) -> Result<T, Fault> {
    T::try_from(value).map_err(|_| Fault::Senseless { column, value: value.to_string() })
}

fn event(row: &Row) -> Result<StoredEvent, Fault> {
    Ok(StoredEvent {
        number: number::<_, i64>("events.number", row.try_get(0)?)?,
        id: row.try_get(1)?,
        generation: number::<_, i64>("events.generation", row.try_get(2)?)?,
        from: row.try_get(3)?,
        to: row.try_get(4)?,
        since: Timestamp(row.try_get(5)?),
    })
}

impl Inside {
    /// Opens a row by its generation, the number of its key, itself and its sealed key, which stand in this order from a column on.
    fn open_row(&self, id: &str, row: &Row, at: usize) -> Result<Result<StoredConnection, StoreUnavailable>, Fault> {
        let generation: u64 = number::<_, i64>("connections.generation", row.try_get(at)?)?;
        let data_key: u32 = number::<_, i64>("connections.data_key", row.try_get(at + 1)?)?;
        let (sealed, key): (&[u8], &[u8]) = (row.try_get(at + 2)?, row.try_get(at + 3)?);
        let key = match self.keys.learn(data_key, key) {
            Ok(key) => key,
            Err(error) => return Ok(Err(StoreUnavailable(error.to_string()))),
        };
        Ok(row::open(id, generation, data_key, sealed, &key).ok_or_else(|| StoreUnavailable(damaged(id))))
    }
}

#[async_trait]
impl TokenStore for PostgresTokenStore {
    async fn load(&self, id: &str) -> Result<Option<StoredConnection>, StoreUnavailable> {
        if id.contains('\0') {
            return Ok(None);
        }
        match self.engine.read_opt(LOAD, &[&id]).await.map_err(unavailable)? {
            Some(row) => self.inside.open_row(id, &row, 0).map_err(unavailable)?.map(Some),
            None => Ok(None),
        }
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
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let values: [&(dyn tokio_postgres::types::ToSql + Sync); 3] =
            [&after.unwrap_or_default(), &after.is_none(), &limit];
        let rows = self.engine.read(PAGE, &values).await.map_err(unavailable)?;
        let listed = rows.iter().map(|row| {
            let id: String = row.try_get(4)?;
            let opened = self.inside.open_row(&id, row, 0)?;
            Ok(Listed { id, row: opened, refresh_is_open: row.try_get(5)? })
        });
        listed.collect::<Result<_, Fault>>().map_err(unavailable)
    }

    async fn remove(&self, id: &str) -> Result<bool, StoreUnavailable> {
        self.change(id, Change::Remove).await?.removed()
    }
}
