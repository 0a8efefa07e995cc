//! Databases of every earlier version, with rows of that version, opened by this build: nothing is lost.
//!
//! The versions are the files of `src/migrations`, so a new one is covered as soon as it lies there.

use keyfob_authority::moving::{STORE, TABLES};

use super::place::Place;

const INTEGER: &str = "bigint";
const TEXT: &str = "text";
const BYTES: &str = "bytea";
const BLOB_LITERAL: &str = "'\\x{}'";

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

/// A table of this version: its name, and its columns with their kinds.
type Columns = Vec<(&'static str, Vec<(String, String)>)>;

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

fn names(columns: &[(String, String)]) -> String {
    columns.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ")
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
    let mut sql = "DELETE FROM store".to_owned();
    for (table, columns) in &columns {
        for number in if *table == STORE.name { 1..=1 } else { 1..=3 } {
            let values = (0..).zip(columns).map(|(place, (name, kind))| literal(name, kind, place == 0, number));
            let values = values.collect::<Vec<_>>().join(", ");
            sql.push_str(&format!("; INSERT INTO {table} ({}) VALUES ({values})", names(columns)));
        }
    }
    place.database.sql(&sql);
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
