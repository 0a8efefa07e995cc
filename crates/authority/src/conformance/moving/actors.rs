//! Who moves in these cases, and a store that fails when it is told to.

use super::super::Place;
use super::super::build::NOW;
use crate::keys::MasterKey;
use crate::moving::{Move, MoveError, Moved, Progress, Row, Rows, StoreRow, Table, Value};
use crate::open::{OpenError, Opener};
use crate::store::{Store, StoreError, Written};
use async_trait::async_trait;
use keyfob_protocol::access_token::SigningAlgorithm;
use keyfob_protocol::{Entropy, EntropyFailed};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// What the target is called.
pub(super) const TARGET: &str = "the other place";

struct Counted;

impl Entropy for Counted {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyFailed> {
        bytes.iter_mut().zip(0u8..).for_each(|(byte, number)| *byte = number.wrapping_mul(number) ^ 0x5a);
        Ok(())
    }
}

/// Says nothing.
pub struct Quiet;

impl Progress for Quiet {
    fn copied(&self, _: &'static str, _: u64, _: u64) {}
    fn verified(&self, _: &'static str, _: u64, _: u64) {}
    fn resumed(&self, _: bool) {}
}

/// Whose rows are moved.
pub fn opener() -> Opener {
    let master = Arc::new(MasterKey::generate(&Counted).unwrap());
    let issuer = "https://id.example.com".to_owned();
    Opener { master, issuer, sandbox: false, algorithm: SigningAlgorithm::EdDsa }
}

/// A store that is ours.
pub async fn claimed(place: &impl Place) -> Arc<dyn Store> {
    let store = place.open().await;
    opener().open(&*store, NOW, &Counted).await.unwrap();
    store
}

/// Whether a store is ours to serve.
pub(super) async fn whose(store: &dyn Store) -> Result<(), OpenError> {
    opener().fits(&store.identity().await.unwrap().unwrap()).map(drop)
}

/// A fresh place of the same kind.
pub async fn another<P: Place>(_: &P) -> P {
    P::fresh().await
}

/// Moves as the command does.
pub async fn move_to(source: &dyn Rows, target: &dyn Rows, keep_source: bool) -> Result<Moved, MoveError> {
    let opener = opener();
    let moving = Move { source, target, target_name: TARGET.to_owned(), opener: &opener, keep_source };
    let moved = moving.run(&Quiet).await;
    // Whatever came of it, the source is held no longer.
    source.close().await;
    moved
}

pub(super) async fn move_named(source: &dyn Rows, target: &dyn Rows, name: &str) -> Result<Moved, MoveError> {
    let opener = opener();
    let moving = Move { source, target, target_name: name.to_owned(), opener: &opener, keep_source: false };
    moving.run(&Quiet).await
}

/// A target that fails, or that does not keep what it was given.
pub struct Faulty {
    rows: Box<dyn Rows>,
    adds_left: AtomicU32,
    flips: AtomicBool,
    replacements_left: AtomicU32,
    /// Rows that were added.
    pub added: AtomicU64,
}

impl Faulty {
    fn new(rows: Box<dyn Rows>, adds: u32, flips: bool, replacements: u32) -> Faulty {
        Faulty {
            rows,
            adds_left: AtomicU32::new(adds),
            flips: AtomicBool::new(flips),
            replacements_left: AtomicU32::new(replacements),
            added: AtomicU64::new(0),
        }
    }

    /// Takes this many pages.
    pub fn failing_after(adds: u32, rows: Box<dyn Rows>) -> Faulty {
        Faulty::new(rows, adds, false, u32::MAX)
    }

    /// Changes one bit of the last column of the first row of the sessions.
    pub fn flipping(rows: Box<dyn Rows>) -> Faulty {
        Faulty::new(rows, u32::MAX, true, u32::MAX)
    }

    /// Can be marked as unfinished and then no more.
    pub fn failing_to_open(rows: Box<dyn Rows>) -> Faulty {
        Faulty::new(rows, u32::MAX, false, 1)
    }
}

fn spend(left: &AtomicU32) -> Result<(), StoreError> {
    let spent = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
    spent.map(drop).map_err(|_| StoreError::Unavailable("as it was told".to_owned()))
}

#[async_trait]
impl Rows for Faulty {
    async fn hold(&self) -> Result<(), StoreError> {
        self.rows.hold().await
    }

    async fn count(&self, table: &'static Table) -> Result<u64, StoreError> {
        self.rows.count(table).await
    }

    async fn rows(&self, table: &'static Table, after: Option<Value>, limit: u32) -> Result<Vec<Row>, StoreError> {
        self.rows.rows(table, after, limit).await
    }

    async fn last_key(&self, table: &'static Table) -> Result<Option<Value>, StoreError> {
        self.rows.last_key(table).await
    }

    async fn add(&self, table: &'static Table, mut rows: Vec<Row>) -> Result<(), StoreError> {
        spend(&self.adds_left)?;
        if table.name == "sessions"
            && self.flips.swap(false, Ordering::Relaxed)
            && let Some(Value::Int(number)) = rows[0].last_mut()
        {
            *number ^= 1;
        }
        self.added.fetch_add(rows.len() as u64, Ordering::Relaxed);
        self.rows.add(table, rows).await
    }

    async fn last_number(&self, table: &'static Table) -> Result<i64, StoreError> {
        self.rows.last_number(table).await
    }

    async fn set_last_number(&self, table: &'static Table, number: i64) -> Result<(), StoreError> {
        self.rows.set_last_number(table, number).await
    }

    async fn clear(&self) -> Result<(), StoreError> {
        self.rows.clear().await
    }

    async fn store_row(&self) -> Result<StoreRow, StoreError> {
        self.rows.store_row().await
    }

    async fn replace_store_row(&self, issuer: Option<String>, row: StoreRow) -> Result<Written, StoreError> {
        spend(&self.replacements_left)?;
        self.rows.replace_store_row(issuer, row).await
    }

    async fn leave(&self, row: StoreRow) -> Result<(), StoreError> {
        self.rows.leave(row).await
    }

    async fn close(&self) {
        self.rows.close().await;
    }
}
