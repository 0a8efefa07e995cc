//! Rows that are added and replaced whole: their columns stand once for both.

use keyfob_authority::store::Administered;
use rusqlite::{Connection, Params, Result};

use crate::administration::{added, changed};

/// A table with an `id`, and its other columns.
pub(crate) struct Table {
    pub(crate) name: &'static str,
    /// Comma-separated, as in a statement.
    pub(crate) columns: &'static str,
}

impl Table {
    /// Adds a row, given as its id and then its columns; id 0 lets SQLite choose. Conflict: something unique is taken.
    pub(crate) fn add(&self, connection: &Connection, row: impl Params) -> Result<Administered> {
        let (Table { name, columns }, values) = (self, self.values());
        let rows = connection.execute(
            &format!("INSERT INTO {name} (id, {columns}) VALUES (NULLIF(?1, 0), {values}) ON CONFLICT DO NOTHING"),
            row,
        )?;
        Ok(added(connection, rows))
    }

    /// Replaces the row with this id; `row` begins with it, too.
    pub(crate) fn replace(&self, connection: &Connection, id: i64, row: impl Params) -> Result<Administered> {
        let (Table { name, columns }, values) = (self, self.values());
        let rows =
            connection.execute(&format!("UPDATE OR IGNORE {name} SET ({columns}) = ({values}) WHERE id = ?1"), row)?;
        changed(connection, name, id, rows)
    }

    /// `?2, ?3, …`: the id is the first.
    fn values(&self) -> String {
        let numbers: Vec<_> = (2..).zip(self.columns.split(',')).map(|(number, _)| format!("?{number}")).collect();
        numbers.join(", ")
    }
}
