//! The store's own row during a move: a plain row of [`STORE`] whose few columns that matter have names here.

use super::mark::Mark;
use super::{Row, STORE, Value};
use crate::store::{StoreError, StoreIdentity};

/// The one row of [`STORE`]: whose store it is, and its counters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreRow(Row);

impl StoreRow {
    /// A row that was read.
    ///
    /// # Errors
    /// It is not one row of [`STORE`]: the store is broken.
    pub fn read(mut rows: Vec<Row>) -> Result<StoreRow, StoreError> {
        match (rows.pop(), rows.is_empty()) {
            (Some(row), true) if row.len() == STORE.columns.len() => Ok(StoreRow(row)),
            _ => Err(StoreError::Broken("the table store does not have its one row".to_owned())),
        }
    }

    /// The values in the order of the columns of [`STORE`].
    pub fn values(&self) -> &Row {
        &self.0
    }

    /// Whose it is; `None`: nobody's yet.
    pub fn mark(&self) -> Option<Mark> {
        match self.value("issuer") {
            Value::Text(text) => Some(Mark::parse(text)),
            _ => None,
        }
    }

    /// As it stands there.
    pub fn issuer(&self) -> Option<String> {
        self.mark().map(|mark| mark.to_text())
    }

    /// The tick.
    pub fn tick(&self) -> i64 {
        match self.value("tick") {
            Value::Int(tick) => *tick,
            _ => 0,
        }
    }

    /// The identity, as if the store were this issuer's.
    pub(super) fn identity(&self, issuer: &str) -> Option<StoreIdentity> {
        let (Value::Blob(check), Value::Bool(sandbox)) = (self.value("key_check"), self.value("sandbox")) else {
            return None;
        };
        let key_check = check.as_slice().try_into().ok()?;
        Some(StoreIdentity { issuer: issuer.to_owned(), key_check, sandbox: *sandbox })
    }

    /// With this mark.
    pub(super) fn marked(mut self, mark: &Mark) -> StoreRow {
        self.set("issuer", Value::Text(mark.to_text()));
        self
    }

    /// With the counters that tell every node to look again raised by this much.
    pub(super) fn raised(mut self, by: i64) -> StoreRow {
        for name in ["settings_version", "tick"] {
            if let Value::Int(number) = *self.value(name) {
                self.set(name, Value::Int(number + by));
            }
        }
        self
    }

    /// With counters that no store has: rows that were copied under it are not trusted again.
    pub(super) fn distrusted(mut self) -> StoreRow {
        self.set("probes", Value::Int(-1));
        self
    }

    fn value(&self, name: &str) -> &Value {
        &self.0[place(name)]
    }

    fn set(&mut self, name: &str, value: Value) {
        self.0[place(name)] = value;
    }
}

fn place(name: &str) -> usize {
    STORE.columns.iter().position(|column| column.name == name).expect("invariant: named above, and in STORE")
}
