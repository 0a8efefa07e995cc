//! Where connections are kept: the contract, and an implementation in memory.
//!
//! One row per connection with a generation that grows by one at every change. A write names the generation it replaces, so
//! that of two writers who read the same row one learns that it lost. Encryption at rest, leases between nodes and the journal of open
//! refreshes are the vault's, which stands behind the same contract.

use crate::token_failure::Evidence;
use crate::tokens::TokenSet;
use async_trait::async_trait;
use keyfob_protocol::Timestamp;
use std::collections::HashMap;
use std::sync::Mutex;
use thiserror::Error;

/// One connection as kept.
#[derive(Clone, Debug)]
pub struct StoredConnection {
    /// Starts at 1 and grows by one at every write.
    pub generation: u64,
    /// Its standing.
    pub standing: Standing,
}

/// Whether a connection can be used.
#[derive(Clone, Debug)]
pub enum Standing {
    /// It has tokens.
    Live(TokenSet),
    /// The authority no longer takes its refresh token. Only the user can mend it, by connecting again.
    ReauthRequired(ReauthRequired),
}

/// Since when and why the user has to connect again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReauthRequired {
    /// When it was found out.
    pub since: Timestamp,
    /// What the authority said.
    pub evidence: Evidence,
}

/// The store cannot be read or written now. A fault of ours: nothing is known about the connection.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[error("the store of connections is unavailable: {0}")]
pub struct StoreUnavailable(pub String);

/// What became of a conditional write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saved {
    /// It was written, durably.
    Stored,
    /// Another generation stands there: read again and decide again.
    Conflict,
}

/// Keeps connections.
#[async_trait]
pub trait TokenStore: Send + Sync {
    /// The connection of this name, as last written.
    async fn load(&self, id: &str) -> Result<Option<StoredConnection>, StoreUnavailable>;

    /// Writes `next` if the generation `replaces` stands there (`None`: if nothing stands there), in one conditional write, durable
    /// before it returns.
    async fn save(&self, id: &str, replaces: Option<u64>, next: &StoredConnection) -> Result<Saved, StoreUnavailable>;

    /// Waits until nobody else refreshes this connection and keeps others waiting for as long as the lease lives. By default there is nobody
    /// else: one process has the store for itself.
    async fn lease(&self, id: &str) -> Result<Box<dyn Lease>, StoreUnavailable> {
        let _ = id;
        Ok(Box::new(()))
    }
}

/// The right to refresh one connection, given back when it is dropped.
pub trait Lease: Send {}

impl Lease for () {}

/// Keeps connections until the process ends: for tests and demos.
#[derive(Debug, Default)]
pub struct MemoryTokenStore {
    rows: Mutex<HashMap<String, StoredConnection>>,
}

#[async_trait]
impl TokenStore for MemoryTokenStore {
    async fn load(&self, id: &str) -> Result<Option<StoredConnection>, StoreUnavailable> {
        let rows = self.rows.lock().expect("invariant: nothing panics while the lock is held");
        Ok(rows.get(id).cloned())
    }

    async fn save(&self, id: &str, replaces: Option<u64>, next: &StoredConnection) -> Result<Saved, StoreUnavailable> {
        let mut rows = self.rows.lock().expect("invariant: nothing panics while the lock is held");
        if rows.get(id).map(|row| row.generation) != replaces {
            return Ok(Saved::Conflict);
        }
        rows.insert(id.to_owned(), next.clone());
        Ok(Saved::Stored)
    }
}
