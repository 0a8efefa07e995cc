//! Rows as plain values, for a move. Whoever moves holds the data directory alone, which keeps other processes from writing; see the
//! composition of `keyfob migrate`.

use async_trait::async_trait;
use keyfob_authority::moving::{Column, Kind, LARGEST_PAGE, Row, Rows, STORE, StoreRow, TABLES, Table, Value};
use keyfob_authority::store::{StoreError, Written};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension as _, Result, ToSql, params_from_iter};

use crate::SqliteStore;
use crate::columns::senseless;

#[async_trait]
impl Rows for SqliteStore {
    async fn hold(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn count(&self, table: &'static Table) -> Result<u64, StoreError> {
        self.long_read(|connection| {
            let count: i64 =
                connection.query_row(&format!("SELECT count(*) FROM {}", table.name), [], |row| row.get(0))?;
            Ok(count.unsigned_abs())
        })
        .await
    }

    async fn rows(&self, table: &'static Table, after: Option<Value>, limit: u32) -> Result<Vec<Row>, StoreError> {
        self.long_read(move |connection| page(connection, table, after, limit)).await
    }

    async fn last_key(&self, table: &'static Table) -> Result<Option<Value>, StoreError> {
        self.long_read(|connection| {
            let key = table.key();
            let sql = format!("SELECT {0} FROM {1} ORDER BY {0} DESC LIMIT 1", key.name, table.name);
            connection.query_row(&sql, [], |row| value(key, row.get_ref(0)?)).optional()
        })
        .await
    }

    async fn add(&self, table: &'static Table, rows: Vec<Row>) -> Result<(), StoreError> {
        self.write(move |connection| {
            let places = vec!["?"; table.columns.len()].join(", ");
            let sql = format!("INSERT INTO {} ({}) VALUES ({places})", table.name, table.column_names());
            let mut insert = connection.prepare_cached(&sql)?;
            rows.iter().try_for_each(|row| insert.execute(params_from_iter(row.iter().map(Bound))).map(drop))
        })
        .await
    }

    async fn last_number(&self, table: &'static Table) -> Result<i64, StoreError> {
        self.long_read(|connection| {
            connection.query_row(
                "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = ?",
                [table.name],
                |row| row.get(0),
            )
        })
        .await
    }

    async fn set_last_number(&self, table: &'static Table, number: i64) -> Result<(), StoreError> {
        self.write(move |connection| {
            connection.execute("DELETE FROM sqlite_sequence WHERE name = ?", [table.name])?;
            connection.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table.name, number)).map(drop)
        })
        .await
    }

    async fn clear(&self) -> Result<(), StoreError> {
        self.write(|connection| {
            // Those that refer to others first.
            TABLES
                .iter()
                .rev()
                .try_for_each(|table| connection.execute(&format!("DELETE FROM {}", table.name), []).map(drop))
        })
        .await
    }

    async fn store_row(&self) -> Result<StoreRow, StoreError> {
        StoreRow::read(self.rows(&STORE, None, 2).await?)
    }

    async fn replace_store_row(&self, issuer: Option<String>, row: StoreRow) -> Result<Written, StoreError> {
        self.write(move |connection| {
            let places = vec!["?"; STORE.columns.len()].join(", ");
            let sql = format!("UPDATE store SET ({}) = ({places}) WHERE issuer IS ?", STORE.column_names());
            let was = issuer.clone().map_or(Value::Null, Value::Text);
            let values = row.values().iter().chain([&was]).map(Bound);
            let rows = connection.execute(&sql, params_from_iter(values))?;
            Ok(if rows == 0 { Written::Lost } else { Written::Won })
        })
        .await
    }

    async fn leave(&self, row: StoreRow) -> Result<(), StoreError> {
        // Nobody waits: the directory is held alone, and who opens the store later reads the mark.
        let issuer = self.store_row().await?.issuer();
        match self.replace_store_row(issuer, row).await? {
            Written::Won => Ok(()),
            Written::Lost => Err(StoreError::Broken("somebody else wrote to the store's row".to_owned())),
        }
    }

    async fn close(&self) {
        SqliteStore::close(self).await;
    }
}

fn page(connection: &Connection, table: &Table, after: Option<Value>, limit: u32) -> Result<Vec<Row>> {
    let (key, columns) = (table.key().name, table.column_names());
    // Two statements: with one for both SQLite would not use the key's order.
    let sql = match after {
        None => format!("SELECT {columns} FROM {} ORDER BY {key} LIMIT ?1", table.name),
        Some(_) => format!("SELECT {columns} FROM {} WHERE {key} > ?2 ORDER BY {key} LIMIT ?1", table.name),
    };
    let mut statement = connection.prepare_cached(&sql)?;
    let limit = Value::Int(limit.into());
    let mut rows =
        statement.query(params_from_iter([Some(&limit), after.as_ref()].into_iter().flatten().map(Bound)))?;
    let (mut page, mut bytes) = (Vec::new(), 0);
    while bytes < LARGEST_PAGE
        && let Some(row) = rows.next()?
    {
        let mut values = Row::with_capacity(table.columns.len());
        for (place, column) in table.columns.iter().enumerate() {
            let found = row.get_ref(place)?;
            bytes += size(found);
            values.push(value(*column, found)?);
        }
        page.push(values);
    }
    Ok(page)
}

fn size(found: ValueRef<'_>) -> usize {
    match found {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.len() + size_of::<Value>(),
        _ => size_of::<Value>(),
    }
}

fn value(column: Column, found: ValueRef<'_>) -> Result<Value> {
    match (column.kind, found) {
        (_, ValueRef::Null) => Ok(Value::Null),
        (Kind::Int, ValueRef::Integer(number)) => Ok(Value::Int(number)),
        (Kind::Bool, ValueRef::Integer(number @ (0 | 1))) => Ok(Value::Bool(number == 1)),
        (Kind::Text, ValueRef::Text(_)) => Ok(Value::Text(found.as_str()?.to_owned())),
        (Kind::Blob, ValueRef::Blob(bytes)) => Ok(Value::Blob(bytes.to_vec())),
        (kind, found) => Err(senseless(column.name, format_args!("{}, not {kind:?}", found.data_type()))),
    }
}

/// A value as a parameter.
struct Bound<'v>(&'v Value);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Value::Null => ValueRef::Null,
            Value::Int(number) => ValueRef::Integer(*number),
            Value::Bool(yes) => ValueRef::Integer((*yes).into()),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}
