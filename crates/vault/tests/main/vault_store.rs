//! What the vault's service keeps besides connections, alike in both stores: events, readers and attempts.

use crate::place::{Database, Directory, START, token_set};
use keyfob_client::{Saved, Secret, StoredConnection};
use keyfob_protocol::Timestamp;
use keyfob_vault::store::{StoredEvent, TakenAttempt, VaultStore};

/// Makes a connection, whose event is of this time.
async fn connect(store: &dyn VaultStore, id: &str, at: Timestamp) {
    let row = StoredConnection::live(1, token_set("a", "r"), at, None);
    assert_eq!(store.save(id, None, &row).await.unwrap(), Saved::Stored);
}

fn ids(events: &[StoredEvent]) -> Vec<&str> {
    events.iter().map(|event| event.id.as_str()).collect()
}

async fn past_events_go_and_their_numbers_stay_theirs(store: &dyn VaultStore) {
    for (id, age) in [("a/1", 90), ("a/2", 50), ("a/3", 10)] {
        connect(store, id, START.plus(-age)).await;
    }
    let all = store.events(0, 10).await.unwrap();
    assert_eq!(ids(&all), ["a/1", "a/2", "a/3"]);
    assert_eq!(store.sweep_events(START.plus(-50)).await.unwrap(), 1);
    assert_eq!(ids(&store.events(0, 10).await.unwrap()), ["a/2", "a/3"]);
    assert_eq!(store.sweep_events(START).await.unwrap(), 2);
    assert_eq!(store.sweep_events(START).await.unwrap(), 0);
    connect(store, "a/4", START).await;
    // Whoever had read up to the third still gets the fourth.
    assert_eq!(ids(&store.events(all[2].number, 10).await.unwrap()), ["a/4"]);
}

async fn connections_are_counted_between_names(store: &dyn VaultStore) {
    for id in ["m-/1", "m/1", "m/2", "m0/1", "n/1"] {
        connect(store, id, START).await;
    }
    assert_eq!(store.count("m/", "m0").await.unwrap(), 2);
    assert_eq!(store.count("o/", "o0").await.unwrap(), 0);
}

async fn a_reader_moves_on_from_where_it_is(store: &dyn VaultStore) {
    assert_eq!(store.cursor("hook").await.unwrap(), 0);
    assert_eq!(store.move_cursor("hook", 0, 7).await.unwrap(), Saved::Stored);
    assert_eq!(store.move_cursor("hook", 0, 9).await.unwrap(), Saved::Conflict, "another node was there first");
    assert_eq!((store.cursor("hook").await.unwrap(), store.cursor("other").await.unwrap()), (7, 0));
}

async fn an_attempt_is_taken_once_and_until_it_is_past(store: &dyn VaultStore) {
    let (first, left, later) = (Secret::from("begun"), Secret::from("taken"), Secret::from("done"));
    store.keep_attempt("x", &first, START.plus(60)).await.unwrap();
    let told = async |name: &str, now: Timestamp| match store.take_attempt(name, &left, now).await.unwrap() {
        TakenAttempt::First(content) => format!("first {}", content.expose()),
        TakenAttempt::Again(content) => format!("again {}", content.expose()),
        TakenAttempt::Unknown => "unknown".to_owned(),
    };
    assert_eq!(told("y", START).await, "unknown");
    assert_eq!(told("x", START).await, "first begun");
    assert_eq!(told("x", START).await, "again taken");
    store.leave("x", &later).await.unwrap();
    assert_eq!(told("x", START.plus(59)).await, "again done");
    assert_eq!(told("x", START.plus(60)).await, "unknown");
    assert_eq!(store.sweep_attempts(START.plus(59)).await.unwrap(), 0);
    assert_eq!(store.sweep_attempts(START.plus(60)).await.unwrap(), 1);
}

#[tokio::test]
async fn events_readers_and_attempts_in_sqlite() {
    let place = Directory::new();
    let store = place.store();
    past_events_go_and_their_numbers_stay_theirs(&store).await;
    a_reader_moves_on_from_where_it_is(&store).await;
    an_attempt_is_taken_once_and_until_it_is_past(&store).await;
    connections_are_counted_between_names(&store).await;
}

#[tokio::test]
async fn events_readers_and_attempts_in_postgres() {
    let place = Database::new().await;
    let store = place.store().await;
    past_events_go_and_their_numbers_stay_theirs(&store).await;
    a_reader_moves_on_from_where_it_is(&store).await;
    an_attempt_is_taken_once_and_until_it_is_past(&store).await;
    connections_are_counted_between_names(&store).await;
}

#[tokio::test]
async fn a_vault_has_an_id_of_its_own_and_keeps_it_in_sqlite() {
    let (place, other) = (Directory::new(), Directory::new());
    let id = place.store().vault_id().to_owned();
    assert_eq!(place.store().vault_id(), id);
    assert_ne!(other.store().vault_id(), id);
    // One that was made before there were ids.
    let file = rusqlite::Connection::open(place.file()).unwrap();
    file.execute_batch("ALTER TABLE vault DROP COLUMN id; UPDATE vault SET version = 1").unwrap();
    drop(file);
    let given = place.store().vault_id().to_owned();
    assert!(!given.is_empty() && given != id, "{given}");
    assert_eq!(place.store().vault_id(), given);
}

#[tokio::test]
async fn a_vault_has_an_id_of_its_own_and_keeps_it_in_postgres() {
    let (place, other) = (Database::new().await, Database::new().await);
    let id = place.store().await.vault_id().to_owned();
    assert_eq!(place.store().await.vault_id(), id);
    assert_ne!(other.store().await.vault_id(), id);
    // One that was made before there were ids; its first two nodes of this version start together.
    place.0.sql("ALTER TABLE vault DROP COLUMN id; UPDATE schema_version SET version = 1");
    let (one, two) = tokio::join!(place.store(), place.store());
    assert!(!one.vault_id().is_empty() && one.vault_id() != id, "{}", one.vault_id());
    assert_eq!(one.vault_id(), two.vault_id());
    assert_eq!(place.store().await.vault_id(), one.vault_id());
}
