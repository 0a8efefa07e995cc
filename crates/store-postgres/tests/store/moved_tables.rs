//! The description of the tables that a move goes by is the schema's own: a column that it does not name would stay behind.

use keyfob_authority::moving::{Kind, STORE, TABLES};

use super::place::Place;

#[tokio::test]
async fn a_move_knows_every_table_column_key_and_number() {
    let place = Place::new().await;
    drop(place.store().await);
    let lines = |sql: &str| place.database.sql(sql).lines().map(str::to_owned).collect::<Vec<_>>();
    let found = lines(
        "SELECT table_name || '.' || column_name || ' ' || data_type || ' ' || is_identity \
         FROM information_schema.columns WHERE table_schema = 'public' AND table_name != 'schema_version' ORDER BY 1",
    );
    let mut known = Vec::new();
    for table in TABLES.iter().chain([&STORE]) {
        for column in table.columns {
            let kind = match column.kind {
                Kind::Int => "bigint",
                Kind::Text => "text",
                Kind::Blob => "bytea",
                Kind::Bool => "boolean",
            };
            let identity = if table.numbered && *column == table.key() { "YES" } else { "NO" };
            known.push(format!("{}.{} {kind} {identity}", table.name, column.name));
        }
    }
    known.sort();
    let mut found = found;
    found.sort();
    assert_eq!(known, found);
    let keys = lines(
        "SELECT k.table_name || '.' || k.column_name FROM information_schema.key_column_usage k \
         JOIN information_schema.table_constraints c USING (constraint_name, table_name, table_schema) \
         WHERE c.constraint_type = 'PRIMARY KEY' AND k.table_schema = 'public' ORDER BY 1",
    );
    let mut known: Vec<String> =
        TABLES.iter().chain([&STORE]).map(|table| format!("{}.{}", table.name, table.key().name)).collect();
    known.sort();
    assert_eq!(keys, known);
}
