//! Connections that end under the store, and databases that take no writes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use keyfob_authority::conformance::build::{active, approved, id, insert, populate, stored, update, win};
use keyfob_authority::model::Grant;
use keyfob_authority::store::{Store as _, StoreError, Written};
use keyfob_store_postgres::Options;
use keyfob_testkit::PostgresCluster;
use tokio::task::JoinSet;

use super::place::{Place, open};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_end_are_noticed_by_nobody() {
    let place = Place::new().await;
    let store = place.store().await;
    populate(&store).await;
    for round in 0..3 {
        place.database.end_connections();
        win(&store, insert(1, approved(round))).await;
        place.database.end_connections();
        assert_eq!(stored(&store, round).await, approved(round));
        place.database.end_connections();
        store.probe().await.unwrap();
        assert!(store.app_by_client_id("acme-dialer").await.unwrap().is_some());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answered_write_is_lost_or_doubled_while_connections_end() {
    const TASKS: u32 = 8;
    let place = Place::new().await;
    let store = Arc::new(place.store().await);
    for number in 0..TASKS {
        win(&*store, insert(1, Grant { state: active(0, 0), ..approved(number) })).await;
    }
    let stop = Arc::new(AtomicBool::new(false));
    let mut tasks = JoinSet::new();
    for number in 0..TASKS {
        let (store, stop) = (Arc::clone(&store), Arc::clone(&stop));
        tasks.spawn(async move {
            let (mut generation, mut nonce) = (0, 1);
            while !stop.load(Ordering::Relaxed) {
                nonce += 1;
                let write = update(nonce, id(number), &active(generation, 0), active(generation + 1, 0));
                match store.write_grant(write).await {
                    Ok(Written::Won) => generation += 1,
                    // Told as unknown; like the authority's clients, ask until there is an answer.
                    Err(StoreError::Unavailable(_)) => {
                        generation = loop {
                            if let Ok(held) = store.held_grant(id(number)).await {
                                break held.unwrap().grant.state.version().generation;
                            }
                        };
                    }
                    other => panic!("{other:?}: nobody else writes this grant"),
                }
            }
            (number, generation)
        });
    }
    for _ in 0..10 {
        place.database.end_connections();
    }
    stop.store(true, Ordering::Relaxed);
    for (number, generation) in tasks.join_all().await {
        assert!(generation > 0);
        assert_eq!(stored(&*store, number).await.state.version().generation, generation);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_only_database_is_unavailable_and_reading_goes_on() {
    let place = Place::new().await;
    let store = place.store().await;
    win(&store, insert(1, approved(1))).await;
    let name = place.database.name();
    place.database.sql_beside(&format!("ALTER DATABASE {name} SET default_transaction_read_only = on"));
    place.database.end_connections();
    let refused = store.write_grant(insert(1, approved(2))).await;
    assert!(matches!(&refused, Err(StoreError::Unavailable(why)) if why.contains("read-only")), "{refused:?}");
    let probe = store.probe().await;
    assert!(matches!(&probe, Err(StoreError::Unavailable(why)) if why.contains("read-only")), "{probe:?}");
    assert_eq!(stored(&store, 1).await, approved(1));
    place.database.sql_beside(&format!("ALTER DATABASE {name} RESET ALL"));
    place.database.end_connections();
    store.probe().await.unwrap();
    win(&store, insert(1, approved(2))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_hosts_the_one_that_takes_writes_is_used() {
    let clusters = tokio::task::spawn_blocking(|| [PostgresCluster::own(), PostgresCluster::own()]).await.unwrap();
    let hosts = clusters.each_ref().map(|cluster| cluster.host().to_owned());
    let url = format!("postgres://postgres@{},{}/postgres", hosts[0], hosts[1]);
    let read_only = |cluster: &PostgresCluster, on: bool| {
        let set = format!("ALTER SYSTEM SET default_transaction_read_only = {on}");
        cluster.sql("postgres", &set);
        cluster.sql("postgres", "SELECT pg_reload_conf()");
    };
    let tables = |cluster: &PostgresCluster| {
        cluster.sql("postgres", "SELECT count(*) FROM information_schema.tables WHERE table_name = 'grants'")
    };
    read_only(&clusters[0], true);
    let store = loop {
        // The server takes its new setting a moment later.
        let store = open(&url, &Options::default()).await.unwrap();
        if tables(&clusters[1]) == "1" {
            break store;
        }
        drop(store);
    };
    win(&store, insert(1, approved(1))).await;
    // Both are read-only: there is no host for us.
    read_only(&clusters[1], true);
    clusters[1]
        .sql("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'keyfob'");
    let refused = loop {
        match store.write_grant(insert(1, approved(2))).await {
            Ok(_) => tokio::task::yield_now().await,
            Err(refused) => break refused,
        }
    };
    assert!(matches!(refused, StoreError::Unavailable(_)), "{refused}");
}
