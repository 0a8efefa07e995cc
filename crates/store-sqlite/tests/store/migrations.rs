//! Databases of every earlier version, with rows of that version, opened by this build: nothing is lost.
//!
//! The versions are the files of `src/migrations`, so a new one is covered as soon as it lies there.

use keyfob_authority::conformance::earlier_versions::{self, Columns, Kinds};
use keyfob_authority::moving::{STORE, TABLES};
use keyfob_store_sqlite::{Options, SqliteStore};
use rusqlite::Connection;

use super::place::Place;

const KINDS: Kinds = Kinds { integer: "INTEGER", text: "TEXT", bytes: "BLOB", bytes_literal: "x'{}'" };

/// All migrations, in order; the version is the place, from 1 on.
fn migrations() -> Vec<String> {
    earlier_versions::migrations(concat!(env!("CARGO_MANIFEST_DIR"), "/src/migrations").as_ref())
}

fn columns(connection: &Connection) -> Columns {
    let of = |table: &str| {
        let sql = "SELECT name, type FROM pragma_table_info(?) ORDER BY pk DESC, cid";
        let mut statement = connection.prepare(sql).unwrap();
        let found = statement.query_map([table], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        found.map(Result::unwrap).collect::<Vec<_>>()
    };
    let tables = TABLES.iter().chain([&STORE]).map(|table| (table.name, of(table.name)));
    tables.filter(|(_, columns)| !columns.is_empty()).collect()
}

fn content(connection: &Connection, columns: &Columns) -> Vec<String> {
    let rows = columns.iter().flat_map(|(table, columns)| {
        let values: Vec<String> = columns.iter().map(|(name, _)| format!("quote({name})")).collect();
        let sql = format!("SELECT {} FROM {table} ORDER BY {}", values.join(" || ' ' || "), columns[0].0);
        let mut statement = connection.prepare(&sql).unwrap();
        let found = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
        found.map(|row| format!("{table}: {}", row.unwrap())).collect::<Vec<_>>()
    });
    rows.collect()
}

/// A database as the build of that version left it, with three rows in each table.
fn as_left_by(version: usize, place: &Place) -> (Columns, Vec<String>) {
    let connection = Connection::open(place.file("keyfob.db")).unwrap();
    connection.pragma_update(None, "application_id", 0x4b65_7966).unwrap();
    connection.execute_batch("CREATE TABLE schema_version (version INTEGER NOT NULL) STRICT").unwrap();
    for migration in &migrations()[..version] {
        connection.execute_batch(migration).unwrap();
    }
    connection.execute("INSERT INTO schema_version (version) VALUES (?)", [version as i64]).unwrap();
    let columns = columns(&connection);
    connection.execute_batch(&KINDS.rows_for(&columns)).unwrap();
    let rows = content(&connection, &columns);
    (columns, rows)
}

#[tokio::test]
async fn rows_of_every_earlier_version_are_intact_after_opening() {
    let last = migrations().len();
    for version in 1..=last {
        let place = Place::new();
        let (columns, rows) = as_left_by(version, &place);
        assert!(rows.len() > 3 * 9, "{rows:?}");
        let store = SqliteStore::open(place.file("keyfob.db"), &Options::default()).unwrap();
        let found = store.engine().read(|connection| Ok(content(connection, &columns))).unwrap();
        assert_eq!(found, rows, "from version {version}");
        let now = |connection: &Connection| {
            connection.query_row("SELECT version FROM schema_version", [], |row| row.get::<_, i64>(0))
        };
        assert_eq!(store.engine().read(now).unwrap(), last as i64);
        store.close().await;
    }
}
