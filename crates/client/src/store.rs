//! Where connections are kept: the contract.
//!
//! One row per connection, with a lease and at most one open refresh beside it. The order of a refresh is law: take the lease,
//! which reads the row → open the intent → send → [`TokenStore::finish`], the one write that keeps the new tokens and closes the intent.
//! Every method is one atomic step, and what it wrote is durable before it returns. `crates/client/src/conformance.rs` is
//! what an implementation must pass.

use crate::stored::{StoredConnection, Trouble};
use crate::tokens::{TokenDigest, TokenSet};
use async_trait::async_trait;
use keyfob_protocol::Timestamp;
use thiserror::Error;

/// The store cannot be read or written now. A fault of ours: nothing is known about the connection.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[error("the store of connections is unavailable: {0}")]
pub struct StoreUnavailable(pub String);

/// What became of a conditional write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saved {
    /// It was written, durably.
    Stored,
    /// Another generation or a newer fence stands there: read again and decide again.
    Conflict,
}

/// The number of a lease. It grows with every lease of the connection; a writer with an older one loses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fence(pub u64);

/// The right to refresh one connection, and what stood there when it was given.
#[derive(Clone, Debug)]
pub struct Leased {
    /// Its number.
    pub fence: Fence,
    /// The row, read in the same step.
    pub row: Option<StoredConnection>,
    /// A refresh that somebody began and nobody finished: a crash, or an answer that never came.
    pub open: Option<Intent>,
}

/// What became of the wish for a lease.
#[derive(Clone, Debug)]
pub enum LeaseAnswer {
    /// It is ours.
    Taken(Box<Leased>),
    /// Another task or node has it, and keeps it until then unless it prolongs or releases it.
    Held {
        /// Its end.
        until: Timestamp,
    },
}

/// The journal's entry of a refresh that is about to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// The generation whose refresh token is sent.
    pub generation: u64,
    /// Which refresh token it is.
    pub digest: TokenDigest,
    /// When it was opened.
    pub begun_at: Timestamp,
}

impl Intent {
    /// The intent to send the refresh token of `tokens`; `None` if there is none.
    pub fn of(generation: u64, tokens: &TokenSet, begun_at: Timestamp) -> Option<Intent> {
        let digest = tokens.refresh_digest()?;
        Some(Intent { generation, digest, begun_at })
    }

    /// Whether both are about the same token.
    pub fn concerns_the_same_token(&self, other: &Intent) -> bool {
        (self.generation, self.digest) == (other.generation, other.digest)
    }
}

/// What happens to the open intent when a lease ends without new tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntentFate {
    /// The authority may have acted: whoever refreshes next has to know.
    StaysOpen,
    /// It is certain that the authority did nothing.
    NothingHappened,
}

/// One line of [`TokenStore::page`].
#[derive(Clone, Debug)]
pub struct Listed {
    /// The connection's name.
    pub id: String,
    /// The row. An error where this one alone cannot be read, so that it does not hide its neighbours.
    pub row: Result<StoredConnection, StoreUnavailable>,
    /// Whether a refresh is open.
    pub refresh_is_open: bool,
}

/// Keeps connections.
#[async_trait]
pub trait TokenStore: Send + Sync {
    /// The connection of this name, as last written.
    async fn load(&self, id: &str) -> Result<Option<StoredConnection>, StoreUnavailable>;

    /// Writes `next` if the generation `replaces` stands there (`None`: if nothing stands there), and closes an open intent: what a
    /// consent brings is newer than any refresh. Needs no lease; a refresh in flight loses by the generation.
    async fn save(&self, id: &str, replaces: Option<u64>, next: &StoredConnection) -> Result<Saved, StoreUnavailable>;

    /// Writes or clears the trouble of a row if `generation` stands there and the kind of its trouble differs: of several nodes that
    /// see the same, one gets [`Saved::Stored`].
    async fn note(&self, id: &str, generation: u64, trouble: Option<&Trouble>) -> Result<Saved, StoreUnavailable>;

    /// Gives the lease until `until` if nobody has it at `now`, under a number above all earlier ones.
    async fn take_lease(&self, id: &str, now: Timestamp, until: Timestamp) -> Result<LeaseAnswer, StoreUnavailable>;

    /// Prolongs the lease. [`Saved::Conflict`]: it is no longer ours.
    async fn prolong(&self, id: &str, fence: Fence, until: Timestamp) -> Result<Saved, StoreUnavailable>;

    /// Opens the intent if the lease is ours and the intent's generation stands there. It replaces an older intent.
    async fn open_intent(&self, id: &str, fence: Fence, intent: &Intent) -> Result<Saved, StoreUnavailable>;

    /// Writes `next` if no newer lease was given and the generation `replaces` stands there. The same write closes the intent
    /// and ends the lease, so that no crash can come between.
    async fn finish(
        &self,
        id: &str,
        fence: Fence,
        replaces: u64,
        next: &StoredConnection,
    ) -> Result<Saved, StoreUnavailable>;

    /// Ends the lease, if it is still ours.
    async fn release(&self, id: &str, fence: Fence, intent: IntentFate) -> Result<(), StoreUnavailable>;

    /// Up to `limit` connections in the order of their names, from the first name above `after`.
    async fn page(&self, after: Option<&str>, limit: usize) -> Result<Vec<Listed>, StoreUnavailable>;

    /// Removes the connection with its intent and ends its lease under a higher number, so that a late writer loses even if a connection
    /// of the same name begins anew. Whether it was there.
    async fn remove(&self, id: &str) -> Result<bool, StoreUnavailable>;
}

/// One connection as a page has it, which tells a damaged row from a store that cannot be used now.
///
/// # Errors
/// [`StoreUnavailable`].
pub async fn listed(store: &dyn TokenStore, id: &str) -> Result<Option<Listed>, StoreUnavailable> {
    // A page begins behind a name: behind one that stands right below this.
    let mut below = id.to_owned();
    if let Some(lower) = below.pop().and_then(|last| char::from_u32(u32::from(last).wrapping_sub(1))) {
        below.extend([lower, char::MAX]);
    }
    let found = store.page(Some(&below), 1).await?.pop();
    Ok(found.filter(|found| found.id == id))
}
