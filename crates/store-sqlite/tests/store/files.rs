//! What is accepted as a database file, and who may read it.

use std::os::unix::fs::PermissionsExt as _;

use keyfob_authority::conformance::build::{account, approved, insert};
use keyfob_authority::store::Store as _;
use keyfob_store_sqlite::{OpenError, Options, SqliteStore};
use rusqlite::Connection;

use super::place::Place;

fn open_error(place: &Place) -> OpenError {
    SqliteStore::open(place.file("keyfob.db"), &Options::default()).expect_err("it must not open")
}

#[tokio::test]
async fn only_the_owner_may_read_the_files() {
    let place = Place::new();
    let store = place.store();
    store.probe().await.unwrap();
    for name in ["keyfob.db", "keyfob.db-wal", "keyfob.db-shm"] {
        let mode = std::fs::metadata(place.file(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[tokio::test]
async fn reopening_keeps_everything() {
    let place = Place::new();
    let store = place.store();
    assert_eq!(store.write_grant(insert(1, approved(1))).await.unwrap(), keyfob_authority::store::Written::Won);
    let version = store.settings_version().await.unwrap();
    store.close().await;
    drop(store);
    let store = place.store();
    assert_eq!(store.held_grant(approved(1).id).await.unwrap().unwrap().grant, approved(1));
    assert_eq!(store.settings_version().await.unwrap(), version);
}

#[test]
fn the_database_of_another_program_is_left_alone() {
    let place = Place::new();
    let other = Connection::open(place.file("keyfob.db")).unwrap();
    other.execute_batch("CREATE TABLE theirs (x); INSERT INTO theirs VALUES (1)").unwrap();
    assert!(matches!(open_error(&place), OpenError::Content { .. }));
    let tables: i64 = other.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).unwrap();
    assert_eq!(tables, 1);
}

#[test]
fn the_file_of_a_newer_build_is_left_alone() {
    let place = Place::new();
    drop(place.store());
    let other = Connection::open(place.file("keyfob.db")).unwrap();
    other.execute_batch("UPDATE schema_version SET version = 1000").unwrap();
    let error = open_error(&place);
    assert!(error.to_string().contains("version 1000"), "{error}");
}

#[test]
fn a_file_that_is_no_database_is_refused() {
    let place = Place::new();
    std::fs::write(place.file("keyfob.db"), vec![b'x'; 8192]).unwrap();
    assert!(matches!(open_error(&place), OpenError::Database { .. }));
    assert_eq!(std::fs::read(place.file("keyfob.db")).unwrap(), vec![b'x'; 8192]);
}

#[test]
fn a_missing_directory_is_said_by_name() {
    let place = Place::new();
    let path = place.file("nowhere/keyfob.db");
    let error = SqliteStore::open(&path, &Options::default()).expect_err("there is no directory");
    assert!(error.to_string().contains("nowhere/keyfob.db"), "{error}");
}

#[tokio::test]
async fn an_ephemeral_store_leaves_nothing_behind() {
    let store = SqliteStore::ephemeral().unwrap();
    let directory = store.engine().path().parent().unwrap().to_owned();
    let outcome =
        store.administer(keyfob_authority::store::Administration::AddAccount(account()), vec![], vec![]).await;
    assert_eq!(outcome.unwrap(), keyfob_authority::store::Administered::Done(1));
    assert_eq!(store.accounts().await.unwrap().len(), 1);
    assert!(directory.exists());
    drop(store);
    assert!(!directory.exists());
}
