//! Databases of every earlier version, with rows of that version, opened by this build: nothing is lost.
//!
//! The versions are the files of `src/migrations`, so a new one is covered as soon as it lies there.

use keyfob_authority::moving::{STORE, TABLES};
use keyfob_store_sqlite::{Options, SqliteStore};
use rusqlite::Connection;

use super::place::Place;

const INTEGER: &str = "INTEGER";
const TEXT: &str = "TEXT";
const BYTES: &str = "BLOB";
const BLOB_LITERAL: &str = "x'{}'";

/// All migrations, in order; the version is the place, from 1 on.
fn migrations() -> Vec<String> {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/src/migrations");
    let mut files: Vec<_> = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for (number, file) in (1..).zip(&files) {
        let name = file.file_name().unwrap().to_str().unwrap();
        assert!(name.starts_with(&format!("{number:04}_")), "{name} is not number {number}");
    }
    files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect()
}

/// A literal that the schema takes: references lead to the first row, and no two rows have the same text or bytes.
fn literal(column: &str, kind: &str, is_key: bool, number: u32) -> String {
    match kind {
        INTEGER if is_key => number.to_string(),
        INTEGER => "1".to_owned(),
        TEXT => format!("'{column} ''é'' {number}'"),
        BYTES => BLOB_LITERAL.replace("{}", &format!("{number:02x}").repeat(16)),
        _ => "true".to_owned(),
    }
}

/// A table of this version: its name, and its columns with their kinds, the key first.
type Columns = Vec<(&'static str, Vec<(String, String)>)>;

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
    let names =
        |columns: &[(String, String)]| columns.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>().join(", ");
    for (table, columns) in &columns {
        for number in if *table == STORE.name { 1..=1 } else { 1..=3 } {
            let values = (0..).zip(columns).map(|(place, (name, kind))| literal(name, kind, place == 0, number));
            let values = values.collect::<Vec<_>>().join(", ");
            connection
                .execute(&format!("INSERT OR REPLACE INTO {table} ({}) VALUES ({values})", names(columns)), [])
                .unwrap();
        }
    }
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
