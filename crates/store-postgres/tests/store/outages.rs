//! The database goes away and comes back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use keyfob_authority::conformance::build::{approved, id, insert, stored, win};
use keyfob_authority::store::{Store as _, StoreError, Written};
use keyfob_store_postgres::{OpenError, Options, PostgresStore};
use keyfob_testkit::PostgresCluster;

use super::place::{Place, open};

/// Each connection comes back by itself: until every kind of them has.
async fn until_back(store: &PostgresStore) {
    let back = async {
        while store.probe().await.is_err()
            || store.held_grant(id(1)).await.is_err()
            || store.write_grant(insert(1, approved(1))).await.is_err()
            || store.write_grant(insert(1, approved(2))).await.is_err()
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), back).await.expect("it comes back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_of_the_database_is_survived_and_unavailable_in_between() {
    let cluster = tokio::task::spawn_blocking(PostgresCluster::own).await.unwrap();
    let place = Place { database: cluster.database() };
    let store = Arc::new(place.store().await);
    win(&*store, insert(1, approved(1))).await;
    for (round, down) in [PostgresCluster::stop, PostgresCluster::crash].into_iter().enumerate() {
        let number = 10 + u32::try_from(round).unwrap();
        down(&cluster);
        let refused = store.write_grant(insert(1, approved(number))).await;
        assert!(matches!(&refused, Err(StoreError::Unavailable(_))), "{refused:?}");
        let refused = store.held_grant(id(1)).await;
        assert!(matches!(&refused, Err(StoreError::Unavailable(why)) if !why.is_empty()), "{refused:?}");
        let refused = open(&place.database.url(), &Options::default()).await.expect_err("there is no database");
        assert!(matches!(refused, OpenError::Database { .. }), "{refused}");
        cluster.start_again();
        until_back(&store).await;
        assert_eq!(stored(&*store, 1).await, approved(1));
        assert_eq!(store.write_grant(insert(2, approved(number))).await, Ok(Written::Won));
    }
}

#[tokio::test]
async fn what_cannot_be_opened_says_why_and_never_the_password() {
    let place = Place::new().await;
    let url = place.database.url().replace("postgres://postgres@", "postgres://nobody:hunter2@");
    let refused = open(&url, &Options::default()).await.expect_err("there is no such role").to_string();
    assert!(refused.contains("nobody") && !refused.contains("hunter2"), "{refused}");
    let url = place.database.url().replace(place.database.name(), "nowhere");
    let refused = open(&url, &Options::default()).await.expect_err("there is no such database").to_string();
    assert!(refused.contains("nowhere") && refused.contains("does not allow"), "{refused}");
    let refused = open("postgres://u:hunter2@127.0.0.1:1/k", &Options::default()).await.expect_err("a dead port");
    let refused = refused.to_string();
    assert!(refused.contains("127.0.0.1:1") && !refused.contains("hunter2"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_that_no_commit_waits_for_are_counted() {
    let cluster = tokio::task::spawn_blocking(PostgresCluster::own).await.unwrap();
    let place = Place { database: cluster.database() };
    let store = place.store().await;
    assert_eq!(store.lossy_replicas().await, Ok(0));
    let replica = cluster.replica();
    let until = async |wanted: u64| {
        let counted = async {
            while store.lossy_replicas().await != Ok(wanted) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), counted).await.expect("it is counted");
    };
    until(1).await;
    place.database.sql_beside("ALTER SYSTEM SET synchronous_standby_names = '*'");
    place.database.sql_beside("SELECT pg_reload_conf()");
    until(0).await;
    // Or the end of this test would wait for the replica.
    place.database.sql_beside("ALTER SYSTEM RESET synchronous_standby_names");
    place.database.sql_beside("SELECT pg_reload_conf()");
    until(1).await;
    drop(replica);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn op_02_a_standby_that_takes_over_has_every_answered_write() {
    let cluster = tokio::task::spawn_blocking(PostgresCluster::own).await.unwrap();
    let place = Place { database: cluster.database() };
    drop(place.store().await);
    // There and back: the first server becomes the standby of the one that took its place.
    for round in 0..2 {
        let cluster = Arc::clone(&cluster);
        tokio::task::spawn_blocking({
            let cluster = Arc::clone(&cluster);
            move || cluster.make_standby()
        })
        .await
        .unwrap();
        let store = Arc::new(open(&place.database.url_of_all(), &Options::default()).await.unwrap());
        assert_eq!(store.lossy_replicas().await, Ok(0));
        let first = 1 + 1_000_000 * round;
        let promoted = Arc::new(AtomicBool::new(false));
        let writing = tokio::spawn({
            let (store, promoted) = (Arc::clone(&store), Arc::clone(&promoted));
            async move {
                let mut answered = Vec::new();
                for number in first.. {
                    if promoted.load(Ordering::Relaxed) {
                        break;
                    }
                    // What is not answered may be there or not.
                    if store.write_grant(insert(1, approved(number))).await == Ok(Written::Won) {
                        answered.push(number);
                    }
                }
                answered
            }
        });
        tokio::time::sleep(Duration::from_millis(100)).await;
        tokio::task::spawn_blocking(move || cluster.promote_standby()).await.unwrap();
        promoted.store(true, Ordering::Relaxed);
        let answered = writing.await.unwrap();
        assert!(answered.len() > 10, "{answered:?}");
        until_back(&store).await;
        for number in answered {
            assert_eq!(stored(&*store, number).await, approved(number));
        }
    }
}
