//! What nodes tell each other, and that nothing depends on it.

use super::place::Place;
use keyfob_authority::conformance::build::{account, administer};
use keyfob_authority::store::{Administered, Administration, Store};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(5);

async fn add(store: &dyn Store, domain: &str) {
    let account = keyfob_authority::model::Account { domain: domain.to_owned(), ..account() };
    let done = administer(store, Administration::AddAccount(account)).await;
    assert!(matches!(done, Administered::Done(_)), "{done:?}");
}

/// Hears until nobody has said anything for a while: each connection begins with a word of its own.
async fn until_silent(store: &dyn Store) {
    while tokio::time::timeout(Duration::from_millis(300), store.news()).await.is_ok() {}
}

#[tokio::test]
async fn a_change_on_one_node_is_heard_on_the_others() {
    let place = Place::new().await;
    let nodes = [place.store().await, place.store().await, place.store().await];
    for node in &nodes {
        until_silent(node).await;
    }
    add(&nodes[0], "one").await;
    for node in &nodes {
        tokio::time::timeout(SOON, node.news()).await.expect("news");
    }
    for node in &nodes {
        until_silent(node).await;
    }
    let nothing = tokio::time::timeout(Duration::from_millis(300), nodes[1].news()).await;
    assert!(nothing.is_err(), "nobody said anything");
}

#[tokio::test]
async fn a_node_that_lost_its_connection_hears_again_and_looks_at_once() {
    let place = Place::new().await;
    let (one, two) = (place.store().await, place.store().await);
    until_silent(&two).await;
    place.database.end_connections();
    // What was said meanwhile may be lost, so the new connection is news by itself.
    tokio::time::timeout(SOON, two.news()).await.expect("news");
    until_silent(&two).await;
    until_silent(&one).await;
    add(&one, "one").await;
    tokio::time::timeout(SOON, two.news()).await.expect("news");
}

#[tokio::test]
async fn the_databases_clock_is_told_in_nanoseconds() {
    let place = Place::new().await;
    let store = place.store().await;
    let shown = async || store.clock().await.unwrap().expect("it has one");
    let asked: i128 = place.database.sql("SELECT EXTRACT(EPOCH FROM clock_timestamp())::bigint").parse().unwrap();
    let (first, second) = (shown().await, shown().await);
    assert!(second > first && second - first < 5_000_000_000, "{first} {second}");
    assert!((first / 1_000_000_000 - asked).abs() <= 5, "{first} {asked}");
}
