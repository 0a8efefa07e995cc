//! Whose store it is, its keys, its tick and its probe.

use super::Place;
use super::build::{NOW, account, administer};
use crate::store::{Administration, SealedKey, Store, StoreIdentity, StoreTick, Written};
use keyfob_protocol::Timestamp;
use std::sync::Arc;
use tokio::task::JoinSet;

fn identity() -> StoreIdentity {
    StoreIdentity { issuer: "https://id.example.com".to_owned(), key_check: [2; 32], sandbox: true }
}

fn key(id: u32) -> SealedKey {
    let retired_at = id.is_multiple_of(2).then_some(NOW.plus(1));
    SealedKey {
        id,
        purpose: "token".to_owned(),
        sealed: vec![1, 2, 3],
        created_at: NOW,
        starts_at: NOW.plus(5),
        retired_at,
    }
}

/// The first claim stands with its keys, and a second one changes nothing.
pub async fn a_store_is_claimed_once(place: &impl Place) {
    let store = place.open().await;
    assert_eq!(store.identity().await.unwrap(), None);
    assert_eq!(store.keys().await.unwrap(), []);
    let keys = vec![key(u32::MAX), key(2)];
    assert_eq!(store.claim(identity(), keys).await.unwrap(), Written::Won);
    let other = StoreIdentity { issuer: "https://other.example.com".to_owned(), ..identity() };
    assert_eq!(store.claim(other, vec![key(3)]).await.unwrap(), Written::Lost);
    assert_eq!(store.identity().await.unwrap(), Some(identity()));
    assert_eq!(store.keys().await.unwrap(), [key(2), key(u32::MAX)]);
    assert_eq!(store.settings_version().await.unwrap(), 1);
}

/// Nodes that start together agree on one set of keys.
pub async fn sixteen_nodes_claim_a_store_and_one_wins(place: &impl Place) {
    let stores = [place.open().await, place.open().await];
    let mut tasks = JoinSet::new();
    for node in 0..16u32 {
        let store: Arc<dyn Store> = Arc::clone(&stores[(node % 2) as usize]);
        let mine = StoreIdentity { issuer: format!("https://{node}.example.com"), ..identity() };
        tasks.spawn(async move { (node, store.claim(mine, vec![key(node)]).await.unwrap()) });
    }
    let outcomes = tasks.join_all().await;
    let winners: Vec<_> = outcomes.into_iter().filter(|(_, written)| *written == Written::Won).collect();
    assert_eq!(winners.len(), 1);
    let issuer = stores[0].identity().await.unwrap().unwrap().issuer;
    assert_eq!(issuer, format!("https://{}.example.com", winners[0].0));
    assert_eq!(stores[1].keys().await.unwrap(), [key(winners[0].0)]);
}

/// The tick takes the time that is handed in, and counts.
pub async fn the_tick_only_grows(place: &impl Place) {
    let store = place.open().await;
    assert_eq!(store.tick().await.unwrap(), StoreTick { tick: 0, at: Timestamp(0) });
    assert_eq!(store.raise_tick(NOW).await.unwrap(), StoreTick { tick: 1, at: NOW });
    assert_eq!(store.raise_tick(NOW.plus(60)).await.unwrap(), StoreTick { tick: 2, at: NOW.plus(60) });
    assert_eq!(store.tick().await.unwrap(), StoreTick { tick: 2, at: NOW.plus(60) });
    administer(&*store, Administration::AddAccount(account())).await;
    assert_eq!(store.tick().await.unwrap(), StoreTick { tick: 3, at: NOW.plus(60) }, "so does an administration");
}

/// A probe is a real write that nobody can see.
pub async fn a_probe_changes_nothing(place: &impl Place) {
    let store = place.open().await;
    store.probe().await.unwrap();
    store.probe().await.unwrap();
    assert_eq!(store.tick().await.unwrap().tick, 0);
    assert_eq!(store.settings_version().await.unwrap(), 0);
    assert_eq!(store.identity().await.unwrap(), None);
}
