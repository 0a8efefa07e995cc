//! Rows as plain values, for a move: one connection of its own, whose transaction may last as long as a move does.
//!
//! A source is held by a lock that every writer waits for and no reader does. Running nodes give a write up after their own bound and
//! answer that the store is unavailable. A source that is left stays in a state where the database itself refuses writes: a node
//! that was waiting for the lock at that very moment would otherwise write, and be answered, into rows that nobody reads any more.

use std::fmt::Write as _;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use keyfob_authority::moving::{Column, Kind, LARGEST_PAGE, Row, Rows, STORE, StoreRow, TABLES, Table, Value};
use keyfob_authority::store::{StoreError, Written};
use tokio::task::JoinHandle;
use tokio_postgres::Client;
use tokio_postgres::types::ToSql;

use crate::columns::senseless;
use crate::engine::{Address, Dialer, Fault, OpenError};
use crate::schema::SCHEMA;
use crate::store::store_error;

/// How often the lock is asked for when it meets writers that hold what it waits for and wait for what it holds.
const ATTEMPTS: u32 = 5;

/// How often, each quarter of a second, the place of another move is asked for.
const PATIENCE: u32 = 20;

/// "Keyf": the advisory lock of whoever moves rows from or to a schema of a database.
const LOCK: i32 = 0x4b65_7966;

/// The rows of one PostgreSQL database, for a move.
pub struct PostgresRows {
    client: Client,
    driver: JoinHandle<()>,
    held: AtomicBool,
}

impl PostgresRows {
    /// Connects to the database and brings it to the current schema as needed.
    ///
    /// # Errors
    /// The database cannot be reached or does not let us in, it holds something that this build does not know, or another move is
    /// going on there.
    pub async fn open(address: Address) -> Result<Self, OpenError> {
        let dialer = Dialer::to(address)?;
        SCHEMA.prepare(&dialer).await?;
        let name = || dialer.address.to_string();
        let database = |source| OpenError::Database { address: name(), source };
        let (client, driver) = dialer.connect().await.map_err(database)?;
        let driver = tokio::spawn(async move {
            // Whoever waits for an answer is told.
            let _ = driver.await;
        });
        let rows = Self { client, driver, held: AtomicBool::new(false) };
        let alone = rows.set_up().await.map_err(database)?;
        let problem = "another move from or to this database is going on".to_owned();
        if alone { Ok(rows) } else { Err(OpenError::Content { address: name(), problem }) }
    }

    /// Takes the bounds off that hold for a node. Whether nobody else is moving here.
    async fn set_up(&self) -> Result<bool, Fault> {
        self.run(
            "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; SET lock_timeout = '30s'; \
             SET default_transaction_isolation = 'read committed'",
        )
        .await?;
        // The first is known since PostgreSQL 17. What the target said is done must be durable before the source is left.
        for wish in [
            "SET transaction_timeout = 0",
            "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'",
        ] {
            if let Err(fault) = self.run(wish).await {
                tracing::debug!(%fault, "the database does not take a setting");
            }
        }
        // By schema: both ends of a move may be in one database.
        let sql = "SELECT pg_try_advisory_lock($1, hashtext(current_schema()::text))";
        let mut attempt = 1;
        loop {
            let alone = self.client.query_one(sql, &[&LOCK]).await?.try_get(0)?;
            if alone || attempt == PATIENCE {
                return Ok(alone);
            }
            // A move that was killed holds it until the server has noticed.
            tokio::time::sleep(Duration::from_millis(250)).await;
            attempt += 1;
        }
    }

    async fn run(&self, sql: &str) -> Result<(), Fault> {
        Ok(self.client.batch_execute(sql).await?)
    }

    async fn one<T>(&self, sql: &str) -> Result<T, Fault>
    where
        T: for<'r> tokio_postgres::types::FromSql<'r>,
    {
        Ok(self.client.query_one(sql, &[]).await?.try_get(0)?)
    }

    async fn lock(&self) -> Result<(), Fault> {
        let tables: Vec<&str> = TABLES.iter().chain([&STORE]).map(|table| table.name).collect();
        let lock = format!("BEGIN; LOCK TABLE {} IN SHARE MODE", tables.join(", "));
        let mut attempt = 1;
        loop {
            match self.run(&lock).await {
                Ok(()) => return Ok(()),
                Err(fault) => {
                    self.run("ROLLBACK").await?;
                    if attempt == ATTEMPTS || !matches!(fault, Fault::Contended(_)) {
                        return Err(fault);
                    }
                    attempt += 1;
                }
            }
        }
    }

    async fn page(&self, table: &Table, after: Option<Value>, limit: u32) -> Result<Vec<Row>, Fault> {
        let (key, columns) = (table.key(), table.column_names());
        let mut sql = format!("SELECT {columns} FROM {}", table.name);
        let after = match after {
            None => None,
            Some(Value::Int(number)) => Some(Box::new(number) as Box<dyn ToSql + Sync + Send>),
            Some(Value::Blob(bytes)) => Some(Box::new(bytes) as _),
            Some(_) => return Err(senseless(key.name, "a key that is neither a number nor bytes")),
        };
        if after.is_some() {
            write_sql(&mut sql, format_args!(" WHERE {} > $1", key.name));
        }
        write_sql(&mut sql, format_args!(" ORDER BY {} LIMIT {limit}", key.name));
        let statement = self.client.prepare(&sql).await?;
        let values = after.iter().map(|value| &**value as &(dyn ToSql + Sync));
        let mut rows = pin!(self.client.query_raw(&statement, values).await?);
        let (mut page, mut bytes) = (Vec::new(), 0);
        while bytes < LARGEST_PAGE
            && let Some(row) = rows.try_next().await?
        {
            bytes += row.raw_size_bytes() + size_of::<Value>() * table.columns.len();
            let values = table.columns.iter().enumerate().map(|(place, column)| value(*column, &row, place));
            page.push(values.collect::<Result<Row, Fault>>()?);
        }
        Ok(page)
    }

    async fn insert(&self, table: &Table, rows: &[Row]) -> Result<(), Fault> {
        let mut columns: Vec<Box<dyn ToSql + Sync + Send>> = Vec::new();
        let mut places = Vec::new();
        for (place, column) in table.columns.iter().enumerate() {
            places.push(format!("${}::{}[]", place + 1, sql_type(column.kind)));
            columns.push(column_values(*column, place, rows)?);
        }
        let sql = format!(
            "INSERT INTO {} ({}) SELECT * FROM unnest({})",
            table.name,
            table.column_names(),
            places.join(", ")
        );
        let statement = self.client.prepare(&sql).await?;
        let values: Vec<&(dyn ToSql + Sync)> = columns.iter().map(|column| &**column as _).collect();
        self.client.execute(&statement, &values).await?;
        Ok(())
    }

    async fn update_store_row(&self, issuer: Option<&str>, row: &StoreRow) -> Result<Written, Fault> {
        let mut sql = "UPDATE store SET ".to_owned();
        let mut values: Vec<Box<dyn ToSql + Sync + Send>> = Vec::new();
        for (place, column) in STORE.columns.iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            write_sql(
                &mut sql,
                format_args!("{comma}{} = (${}::{}[])[1]", column.name, place + 1, sql_type(column.kind)),
            );
            values.push(column_values(*column, place, std::slice::from_ref(row.values()))?);
        }
        write_sql(&mut sql, format_args!(" WHERE issuer IS NOT DISTINCT FROM ${}::text", values.len() + 1));
        values.push(Box::new(issuer.map(str::to_owned)));
        let statement = self.client.prepare(&sql).await?;
        let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| &**value as _).collect();
        let rows = self.client.execute(&statement, &values).await?;
        Ok(if rows == 0 { Written::Lost } else { Written::Won })
    }

    /// The mark, and triggers that refuse every write with the error that a read-only database gives. They are SQL's own means, need
    /// a lock that no reader stands in the way of, and are seen by a statement that waits for ours: it looks again when it has the lock.
    async fn close_for_good(&self, row: &StoreRow) -> Result<(), Fault> {
        let was = self.client.query_one("SELECT issuer FROM store", &[]).await?;
        let was: Option<String> = was.try_get(0)?;
        if self.update_store_row(was.as_deref(), row).await? == Written::Lost {
            return Err(Fault::Contended("the store's row".to_owned()));
        }
        let mut sql = "CREATE OR REPLACE FUNCTION keyfob_moved() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             RAISE EXCEPTION 'these rows were moved away' USING ERRCODE = 'read_only_sql_transaction'; END $$;"
            .to_owned();
        for table in TABLES.iter().chain([&STORE]) {
            write_sql(
                &mut sql,
                format_args!(
                    " CREATE TRIGGER keyfob_moved BEFORE INSERT OR UPDATE OR DELETE ON {} FOR EACH STATEMENT \
                     EXECUTE FUNCTION keyfob_moved();",
                    table.name
                ),
            );
        }
        self.run(&sql).await?;
        self.run("COMMIT").await
    }

    async fn number(&self, table: &Table) -> Result<i64, Fault> {
        let key = table.key().name;
        let sequence: String = self.one(&format!("SELECT pg_get_serial_sequence('{}', '{key}')", table.name)).await?;
        // Rows may have come with numbers of their own, which the sequence does not know of.
        self.one(&format!(
            "SELECT greatest(CASE WHEN is_called THEN last_value ELSE last_value - 1 END, \
             (SELECT coalesce(max({key}), 0) FROM {})) FROM {sequence}",
            table.name
        ))
        .await
    }

    async fn set_number(&self, table: &Table, number: i64) -> Result<(), Fault> {
        let sequence = format!("pg_get_serial_sequence('{}', '{}')", table.name, table.key().name);
        // A sequence cannot be set to 0; then its next number is 1 without having given one.
        self.one::<i64>(&format!("SELECT setval({sequence}, greatest({number}, 1), {number} > 0)")).await.map(drop)
    }
}

impl Drop for PostgresRows {
    fn drop(&mut self) {
        // The server rolls back what its client leaves.
        self.driver.abort();
    }
}

impl std::fmt::Debug for PostgresRows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresRows").finish_non_exhaustive()
    }
}

#[async_trait]
impl Rows for PostgresRows {
    async fn hold(&self) -> Result<(), StoreError> {
        self.lock().await.map_err(store_error)?;
        self.held.store(true, Ordering::Relaxed);
        Ok(())
    }

    async fn count(&self, table: &'static Table) -> Result<u64, StoreError> {
        let count: Result<i64, Fault> = self.one(&format!("SELECT count(*) FROM {}", table.name)).await;
        count.map(i64::unsigned_abs).map_err(store_error)
    }

    async fn rows(&self, table: &'static Table, after: Option<Value>, limit: u32) -> Result<Vec<Row>, StoreError> {
        self.page(table, after, limit).await.map_err(store_error)
    }

    async fn last_key(&self, table: &'static Table) -> Result<Option<Value>, StoreError> {
        let key = table.key();
        let sql = format!("SELECT {0} FROM {1} ORDER BY {0} DESC LIMIT 1", key.name, table.name);
        let last = async {
            let row = self.client.query_opt(&sql, &[]).await?;
            row.map(|row| value(key, &row, 0)).transpose()
        };
        last.await.map_err(store_error)
    }

    async fn add(&self, table: &'static Table, rows: Vec<Row>) -> Result<(), StoreError> {
        self.insert(table, &rows).await.map_err(store_error)
    }

    async fn last_number(&self, table: &'static Table) -> Result<i64, StoreError> {
        self.number(table).await.map_err(store_error)
    }

    async fn set_last_number(&self, table: &'static Table, number: i64) -> Result<(), StoreError> {
        self.set_number(table, number).await.map_err(store_error)
    }

    async fn clear(&self) -> Result<(), StoreError> {
        let tables: Vec<&str> = TABLES.iter().map(|table| table.name).collect();
        self.run(&format!("TRUNCATE {}", tables.join(", "))).await.map_err(store_error)
    }

    async fn store_row(&self) -> Result<StoreRow, StoreError> {
        StoreRow::read(self.rows(&STORE, None, 2).await?)
    }

    async fn replace_store_row(&self, issuer: Option<String>, row: StoreRow) -> Result<Written, StoreError> {
        self.update_store_row(issuer.as_deref(), &row).await.map_err(store_error)
    }

    async fn leave(&self, row: StoreRow) -> Result<(), StoreError> {
        if !self.held.swap(false, Ordering::Relaxed) {
            return Err(StoreError::Broken("only a store that is held can be left".to_owned()));
        }
        self.close_for_good(&row).await.map_err(store_error)
    }

    async fn close(&self) {
        if self.held.swap(false, Ordering::Relaxed) {
            // If it fails the connection is gone, and with it the transaction.
            let _ = self.run("ROLLBACK").await;
        }
    }
}

fn write_sql(sql: &mut String, more: std::fmt::Arguments<'_>) {
    sql.write_fmt(more).expect("invariant: writing into a String does not fail");
}

fn sql_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Int => "bigint",
        Kind::Text => "text",
        Kind::Blob => "bytea",
        Kind::Bool => "boolean",
    }
}

fn value(column: Column, row: &tokio_postgres::Row, place: usize) -> Result<Value, Fault> {
    let found = match column.kind {
        Kind::Int => row.try_get::<_, Option<_>>(place)?.map(Value::Int),
        Kind::Text => row.try_get::<_, Option<_>>(place)?.map(Value::Text),
        Kind::Blob => row.try_get::<_, Option<_>>(place)?.map(Value::Blob),
        Kind::Bool => row.try_get::<_, Option<_>>(place)?.map(Value::Bool),
    };
    Ok(found.unwrap_or(Value::Null))
}

/// One column of all rows, as an array.
fn column_values(column: Column, place: usize, rows: &[Row]) -> Result<Box<dyn ToSql + Sync + Send>, Fault> {
    macro_rules! array {
        ($kind:ident, $found:ident => $bound:expr) => {{
            let all = rows.iter().map(|row| match &row[place] {
                Value::Null => Ok(None),
                Value::$kind($found) => $bound.map(Some),
                other => Err(senseless(column.name, format_args!("{}, not {:?}", kind_of(other), column.kind))),
            });
            Box::new(all.collect::<Result<Vec<_>, Fault>>()?) as Box<dyn ToSql + Sync + Send>
        }};
    }
    Ok(match column.kind {
        Kind::Int => array!(Int, found => Ok(*found)),
        Kind::Text => array!(Text, found => storable(column, found)),
        Kind::Blob => array!(Blob, found => Ok(found.clone())),
        Kind::Bool => array!(Bool, found => Ok(*found)),
    })
}

/// PostgreSQL has no NUL in a text, which SQLite has.
fn storable(column: Column, text: &str) -> Result<String, Fault> {
    if crate::columns::is_storable(text) {
        Ok(text.to_owned())
    } else {
        Err(senseless(column.name, "a text with a NUL, which PostgreSQL cannot hold; change it in the source"))
    }
}

/// The kind of a value, for an error that must not show the value.
fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Int(_) => "a number",
        Value::Text(_) => "a text",
        Value::Blob(_) => "bytes",
        Value::Bool(_) => "yes or no",
    }
}
