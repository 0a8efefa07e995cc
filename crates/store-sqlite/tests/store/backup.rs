//! A copy of a store in use.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use keyfob_authority::conformance::build::{active, approved, insert, update};
use keyfob_authority::store::{GrantFilter, Store as _, StoreError, Written};
use keyfob_store_sqlite::{Options, SqliteStore};

use super::place::Place;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_of_a_busy_store_is_one_state_of_it() {
    let place = Place::new();
    let store = Arc::new(place.store());
    for number in 0..100 {
        assert_eq!(store.write_grant(insert(1, approved(number))).await.unwrap(), Written::Won);
    }
    let stop = Arc::new(AtomicBool::new(false));
    let writer = {
        let (store, stop) = (Arc::clone(&store), Arc::clone(&stop));
        tokio::spawn(async move {
            // All grants are moved one after the other, so a state has at most two adjacent generations.
            let mut generation = 0;
            while !stop.load(Ordering::Relaxed) {
                for number in 0..100 {
                    let grant = approved(number);
                    let from = if generation == 0 { grant.state } else { active(generation, 0) };
                    let moved = update(2, grant.id, &from, active(generation + 1, 0));
                    assert_eq!(store.write_grant(moved).await.unwrap(), Written::Won);
                }
                generation += 1;
            }
        })
    };
    let target = place.file("copy.db");
    store.backup_to(&target).await.unwrap();
    stop.store(true, Ordering::Relaxed);
    writer.await.unwrap();

    assert_eq!(std::fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!place.file("copy.db.partial").exists());
    let copy = SqliteStore::open(&target, &Options::default()).unwrap();
    let grants = copy.grants(GrantFilter::default(), 1000).await.unwrap();
    assert_eq!(grants.len(), 100);
    let mut generations: Vec<_> = grants.iter().map(|grant| grant.state.version().generation).collect();
    generations.dedup();
    assert!(generations.len() <= 2, "the generations go {generations:?}");
}

#[tokio::test]
async fn a_backup_never_replaces_a_file() {
    let place = Place::new();
    let store = place.store();
    std::fs::write(place.file("copy.db"), "precious").unwrap();
    assert!(matches!(store.backup_to(place.file("copy.db")).await, Err(StoreError::Unavailable(_))));
    assert_eq!(std::fs::read(place.file("copy.db")).unwrap(), b"precious");
    assert!(store.backup_to(place.file("missing/copy.db")).await.is_err());
}
