//! Moving an authority's rows from one store into another, whatever kinds they are.
//!
//! A row is moved as it lies there: nothing is decided anew, so every grant, code and session goes on. [`Rows`] is what a store does
//! for it, [`TABLES`] says what there is, and [`Move`] is the move itself. It lives beside the contract of the store and not in the
//! binary because it trusts neither side: that only one of both stores ever serves, and that what arrived is what left, is law as much
//! as the single use of a code. Nothing is opened or decrypted here; the master key is only compared with the store's key check.

mod digest;
mod errors;
mod mark;
mod mover;
mod store_row;
mod tables;

pub use digest::Digest;
pub use errors::{MoveError, Side};
pub use mark::Mark;
pub use mover::{Move, Moved, MovedTable, Progress, check_source};
pub use store_row::StoreRow;
pub use tables::{Column, Kind, STORE, TABLES, Table};

use crate::store::{StoreError, Written};
use async_trait::async_trait;

/// What stands in one column of one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Nothing.
    Null,
    /// A number; a time is one, too.
    Int(i64),
    /// A text.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
    /// Yes or no.
    Bool(bool),
}

/// The values of one row, in the order of [`Table::columns`]; the first is its key.
pub type Row = Vec<Value>;

/// Bytes of rows after which a page ends, so that memory stays bounded whatever the rows hold.
pub const LARGEST_PAGE: usize = 4 << 20;

/// A store's rows as plain values, for a move. One task at a time uses it.
#[async_trait]
pub trait Rows: Send + Sync {
    /// Keeps everybody else from writing, until this value is dropped or [`Rows::leave`] has been called. Reading goes on.
    async fn hold(&self) -> Result<(), StoreError>;

    /// How many rows there are; for progress only.
    async fn count(&self, table: &'static Table) -> Result<u64, StoreError>;

    /// Rows whose key is above `after`, in the order of their keys. At most `limit` of them; fewer as soon as they take more than
    /// [`LARGEST_PAGE`] bytes. None: there are no more.
    async fn rows(&self, table: &'static Table, after: Option<Value>, limit: u32) -> Result<Vec<Row>, StoreError>;

    /// The highest key, if there are rows.
    async fn last_key(&self, table: &'static Table) -> Result<Option<Value>, StoreError>;

    /// Adds rows whose keys are not there yet; all of them or, after an error, none.
    async fn add(&self, table: &'static Table, rows: Vec<Row>) -> Result<(), StoreError>;

    /// The highest number that this table has ever given, whether its row is still there or not; 0 before the first. Only where
    /// [`Table::numbered`].
    async fn last_number(&self, table: &'static Table) -> Result<i64, StoreError>;

    /// Makes the table go on above this number.
    async fn set_last_number(&self, table: &'static Table, number: i64) -> Result<(), StoreError>;

    /// Removes the rows of all [`TABLES`], in one transaction.
    async fn clear(&self) -> Result<(), StoreError>;

    /// The store's own row.
    async fn store_row(&self) -> Result<StoreRow, StoreError>;

    /// Replaces the store's own row if the issuer in it is still `issuer`.
    async fn replace_store_row(&self, issuer: Option<String>, row: StoreRow) -> Result<Written, StoreError>;

    /// Replaces the store's own row and ends the hold at the same moment, and sees to it that whoever waited for its end, or comes
    /// later with a store that was opened before, writes nothing any more.
    async fn leave(&self, row: StoreRow) -> Result<(), StoreError>;

    /// Brings everything into its final place and lets go of it, a hold included.
    async fn close(&self);
}
