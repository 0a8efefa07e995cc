//! Which schemas are ours, and that both stores have the same.

use std::collections::BTreeSet;

use keyfob_store_postgres::{OpenError, Options};
use keyfob_store_sqlite::SqliteStore;

use super::place::{Place, open};

async fn refusal(place: &Place) -> String {
    match open(&place.database.url(), &Options::default()).await {
        Err(OpenError::Content { problem, .. }) => problem,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn tables_and_columns_are_those_of_sqlite() {
    let place = Place::new().await;
    drop(place.store().await);
    let ours: BTreeSet<String> = place
        .database
        .sql("SELECT table_name || '.' || column_name FROM information_schema.columns WHERE table_schema = 'public'")
        .lines()
        .map(str::to_owned)
        .collect();
    let sqlite = SqliteStore::ephemeral().unwrap();
    let theirs: BTreeSet<String> = sqlite
        .engine()
        .read(|connection| {
            connection
                .prepare(
                    "SELECT t.name || '.' || c.name FROM pragma_table_list t, pragma_table_info(t.name) c \
                     WHERE t.schema = 'main' AND t.name NOT LIKE 'sqlite_%'",
                )?
                .query_map([], |row| row.get(0))?
                .collect()
        })
        .unwrap();
    assert!(theirs.len() > 60, "{theirs:?}");
    assert_eq!(ours, theirs);
}

#[tokio::test]
async fn the_tables_of_another_program_are_left_alone() {
    let place = Place::new().await;
    place.database.sql("CREATE TABLE theirs (x int); CREATE TABLE schema_version (version bigint)");
    let problem = refusal(&place).await;
    assert!(problem.contains("another program") && problem.contains("theirs"), "{problem}");
    assert!(problem.contains("empty database"), "it says what to do: {problem}");
    assert_eq!(place.database.sql("SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'"), "2");
}

#[tokio::test]
async fn a_schema_of_its_own_may_lie_beside_those_of_others() {
    let place = Place::new().await;
    place.database.sql("CREATE TABLE theirs (x int); CREATE SCHEMA keyfob");
    let url = format!("{}?options=-c%20search_path%3Dkeyfob", place.database.url());
    drop(open(&url, &Options::default()).await.unwrap());
    assert_eq!(place.database.sql("SELECT count(*) FROM keyfob.store"), "1");
}

#[tokio::test]
async fn the_schema_of_a_newer_build_is_left_alone() {
    let place = Place::new().await;
    drop(place.store().await);
    place.database.sql("UPDATE schema_version SET version = 1000");
    let problem = refusal(&place).await;
    assert!(problem.contains("version 1000") && problem.contains("newer keyfob"), "{problem}");
}

#[tokio::test]
async fn a_role_that_may_not_make_tables_is_told_so() {
    let place = Place::new().await;
    let role = format!("{}_role", place.database.name());
    place.database.sql(&format!("CREATE ROLE {role} LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC"));
    let url = place.database.url().replace("postgres@", &format!("{role}@"));
    let refused = open(&url, &Options::default()).await.expect_err("it may not").to_string();
    place.database.sql(&format!("DROP ROLE {role}"));
    assert!(refused.contains("permission denied for schema public"), "{refused}");
}
