//! Databases of every earlier version, with rows of that version, opened by this build: nothing is lost.
//!
//! The versions are the files of `src/migrations`, so a new one is covered as soon as it lies there.

use keyfob_authority::conformance::earlier_versions::{self, Columns, Kinds, names};
use keyfob_authority::moving::{STORE, TABLES};

use super::place::Place;

const KINDS: Kinds = Kinds { integer: "bigint", text: "text", bytes: "bytea", bytes_literal: "'\\x{}'" };

/// All migrations, in order; the version is the place, from 1 on.
fn migrations() -> Vec<String> {
    earlier_versions::migrations(concat!(env!("CARGO_MANIFEST_DIR"), "/src/migrations").as_ref())
}

fn columns(place: &Place) -> Columns {
    let of = |table: &str| {
        let sql = format!(
            "SELECT column_name || ' ' || data_type FROM information_schema.columns \
             WHERE table_schema = 'public' AND table_name = '{table}' ORDER BY ordinal_position"
        );
        let found = place.database.sql(&sql);
        let pairs = found.lines().map(|line| line.split_once(' ').unwrap());
        pairs.map(|(name, kind)| (name.to_owned(), kind.to_owned())).collect::<Vec<_>>()
    };
    let tables = TABLES.iter().chain([&STORE]).map(|table| (table.name, of(table.name)));
    tables.filter(|(_, columns)| !columns.is_empty()).collect()
}

fn content(place: &Place, columns: &Columns) -> Vec<String> {
    let rows = columns.iter().flat_map(|(table, columns)| {
        let sql = format!("SELECT ROW({})::text FROM {table} ORDER BY {}", names(columns), columns[0].0);
        place.database.sql(&sql).lines().map(|row| format!("{table}: {row}")).collect::<Vec<_>>()
    });
    rows.collect()
}

/// A database as the build of that version left it, with three rows in each table.
fn as_left_by(version: usize, place: &Place) -> (Columns, Vec<String>) {
    place.database.sql("CREATE TABLE schema_version (version BIGINT NOT NULL)");
    for migration in &migrations()[..version] {
        place.database.sql(migration);
    }
    place.database.sql(&format!("INSERT INTO schema_version (version) VALUES ({version})"));
    let columns = columns(place);
    place.database.sql(&KINDS.rows_for(&columns));
    let rows = content(place, &columns);
    (columns, rows)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_of_every_earlier_version_are_intact_after_opening() {
    let last = migrations().len();
    for version in 1..=last {
        let place = Place::new().await;
        let (columns, rows) = as_left_by(version, &place);
        assert!(rows.len() > 3 * 9, "{rows:?}");
        let store = place.store().await;
        assert_eq!(content(&place, &columns), rows, "from version {version}");
        assert_eq!(place.database.sql("SELECT version FROM schema_version"), last.to_string());
        store.close().await;
    }
}
