//! The description of the tables that a move goes by is the schema's own: a column that it does not name would stay behind.

use std::collections::BTreeSet;

use keyfob_authority::moving::{Kind, STORE, TABLES, Table};
use keyfob_store_sqlite::SqliteStore;
use rusqlite::Connection;

/// What a column is called there. SQLite knows no truth values; the other store's test tells them from numbers.
fn described(table: &Table) -> Vec<(String, &'static str)> {
    let kind = |kind| match kind {
        Kind::Int | Kind::Bool => "INTEGER",
        Kind::Text => "TEXT",
        Kind::Blob => "BLOB",
    };
    let mut columns: Vec<_> = table.columns.iter().map(|column| (column.name.to_owned(), kind(column.kind))).collect();
    columns.sort();
    columns
}

fn column(connection: &Connection, sql: &str, table: &str) -> Vec<String> {
    let mut statement = connection.prepare(sql).unwrap();
    let found = statement.query_map([table], |row| row.get(0)).unwrap();
    found.map(Result::unwrap).collect()
}

#[test]
fn a_move_knows_every_table_column_key_and_number() {
    let store = SqliteStore::ephemeral().unwrap();
    let check = |connection: &Connection| {
        let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name != ?";
        let tables: BTreeSet<String> = column(connection, sql, "schema_version").into_iter().collect();
        let known: BTreeSet<String> = TABLES.iter().chain([&STORE]).map(|table| table.name.to_owned()).collect();
        assert_eq!(known, tables);
        for table in TABLES.iter().chain([&STORE]) {
            let sql = "SELECT name || ' ' || type FROM pragma_table_info(?) ORDER BY name";
            let known: Vec<String> = described(table).iter().map(|(name, kind)| format!("{name} {kind}")).collect();
            assert_eq!(column(connection, sql, table.name), known, "{}", table.name);
            let key = column(connection, "SELECT name FROM pragma_table_info(?) WHERE pk > 0", table.name);
            assert_eq!(key, [table.key().name], "{}", table.name);
            let sql = "SELECT sql FROM sqlite_schema WHERE name = ?";
            let numbered = column(connection, sql, table.name)[0].contains("AUTOINCREMENT");
            assert_eq!(table.numbered, numbered, "{}", table.name);
            // Whoever is referred to comes first.
            for other in column(connection, "SELECT \"table\" FROM pragma_foreign_key_list(?)", table.name) {
                let place = |name: &str| TABLES.iter().position(|table| table.name == name);
                assert!(place(&other) < place(table.name), "{other} before {}", table.name);
            }
        }
        Ok(())
    };
    store.engine().read(check).unwrap();
}
