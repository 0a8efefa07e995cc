//! What the service keeps beside connections: the events that it tells, how far each receiver has got, and attempts that wait for their user.

use async_trait::async_trait;
use keyfob_client::{Saved, Secret, StoreUnavailable, Timestamp, TokenStore};

/// Events that are looked at for being past in one write, so that nobody waits for it long.
pub const SWEPT_AT_ONCE: u64 = 1000;

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
    /// The name of the state; [`REMOVED`] where the connection is gone.
    pub to: String,
    /// Since when.
    pub since: Timestamp,
}

/// What an event says of a connection that was removed.
pub const REMOVED: &str = "removed";

/// What became of the wish for an attempt.
#[derive(Debug)]
pub enum TakenAttempt {
    /// It is the caller's, and nobody else will ever get it.
    First(Secret<String>),
    /// It was taken before; this is what was last left in its place.
    Again(Secret<String>),
    /// There is none of this name, or it is past.
    Unknown,
}

/// A store for the service.
#[async_trait]
pub trait VaultStore: TokenStore {
    /// Which vault this is: made with it, and another in each. Numbers of events mean something within one only.
    fn vault_id(&self) -> &str;

    /// Up to `limit` changes of state, from the first number above `after`.
    async fn events(&self, after: u64, limit: usize) -> Result<Vec<StoredEvent>, StoreUnavailable>;

    /// How many connections there are whose names stand behind `after` and before `before`.
    async fn count(&self, after: &str, before: &str) -> Result<u64, StoreUnavailable>;

    /// The number that a reader of events has got to; 0 for a new one.
    async fn cursor(&self, reader: &str) -> Result<u64, StoreUnavailable>;

    /// Moves a reader on. [`Saved::Conflict`]: it does not stand at `from`.
    async fn move_cursor(&self, reader: &str, from: u64, to: u64) -> Result<Saved, StoreUnavailable>;

    /// Keeps an attempt, sealed, until it is past. The name is a digest; the content is secret.
    async fn keep_attempt(
        &self,
        name: &str,
        content: &Secret<String>,
        until: Timestamp,
    ) -> Result<(), StoreUnavailable>;

    /// Takes an attempt and leaves something in its place, in one step: of many who ask at once, one is the first.
    async fn take_attempt(
        &self,
        name: &str,
        left: &Secret<String>,
        now: Timestamp,
    ) -> Result<TakenAttempt, StoreUnavailable>;

    /// Replaces what was left of an attempt that was taken.
    async fn leave(&self, name: &str, left: &Secret<String>) -> Result<(), StoreUnavailable>;

    /// Removes attempts that are past. How many there were.
    async fn sweep_attempts(&self, now: Timestamp) -> Result<u64, StoreUnavailable>;

    /// Removes events of before a time, of the [`SWEPT_AT_ONCE`] oldest. How many there were. Their numbers are not given again.
    async fn sweep_events(&self, before: Timestamp) -> Result<u64, StoreUnavailable>;
}
