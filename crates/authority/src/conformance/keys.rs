//! Keys that come, go and are put under another master key, and the resource servers that hear of it.

use super::Place;
use super::build::{NOW, account, administer, replacing};
use crate::model::{ResourceServer, ResourceServerId};
use crate::store::{Administered, Administration, Resealed, SealedKey, Store, StoreIdentity, Written};

fn identity() -> StoreIdentity {
    StoreIdentity { issuer: "https://id.example.com".to_owned(), key_check: [2; 32], sandbox: false }
}

fn key(id: u32) -> SealedKey {
    let (created_at, starts_at) = (NOW, NOW.plus(id.into()));
    SealedKey {
        id,
        purpose: "signing-eddsa".to_owned(),
        sealed: vec![id as u8; 60],
        created_at,
        starts_at,
        retired_at: None,
    }
}

async fn claimed(place: &impl Place) -> std::sync::Arc<dyn Store> {
    let store = place.open().await;
    assert_eq!(store.claim(identity(), vec![key(1), key(2)]).await.unwrap(), Written::Won);
    store
}

/// Of two nodes that add a key under one number, or on old news, one wins.
pub async fn a_key_is_added_once(place: &impl Place) {
    let (store, other) = (claimed(place).await, place.open().await);
    let (mine, theirs) = (replacing(&*store, key(3)).await, replacing(&*other, key(3)).await);
    assert_eq!(administer(&*store, Administration::AddKey(mine)).await, Administered::Done(3));
    assert_eq!(administer(&*other, Administration::AddKey(theirs)).await, Administered::Outdated);
    let again = replacing(&*other, SealedKey { sealed: vec![9], ..key(3) }).await;
    assert_eq!(administer(&*other, Administration::AddKey(again)).await, Administered::Conflict);
    assert_eq!(other.keys().await.unwrap(), [key(1), key(2), key(3)]);
}

/// A key is retired by its number, and stays.
pub async fn a_key_is_retired(place: &impl Place) {
    let store = claimed(place).await;
    let retire = |id| Administration::RetireKey { id, at: NOW.plus(9) };
    assert_eq!(administer(&*store, retire(2)).await, Administered::Done(2));
    assert_eq!(administer(&*store, retire(7)).await, Administered::Missing);
    assert_eq!(store.keys().await.unwrap(), [key(1), SealedKey { retired_at: Some(NOW.plus(9)), ..key(2) }]);
}

/// All keys and the key check change together, or nothing does.
pub async fn all_keys_are_resealed_or_none(place: &impl Place) {
    let store = claimed(place).await;
    let sealed = |id: u32| SealedKey { sealed: vec![100 + id as u8; 61], ..key(id) };
    for wrong in [vec![sealed(1)], vec![sealed(1), sealed(3)], vec![sealed(1), sealed(2), sealed(3)]] {
        let reseal = replacing(&*store, Resealed { key_check: [3; 32], keys: wrong }).await;
        assert_eq!(administer(&*store, Administration::Reseal(reseal)).await, Administered::Missing);
        assert_eq!(store.identity().await.unwrap(), Some(identity()));
        assert_eq!(store.keys().await.unwrap(), [key(1), key(2)]);
    }
    let outdated = replacing(&*store, Resealed { key_check: [3; 32], keys: vec![sealed(1), sealed(2)] }).await;
    administer(&*store, Administration::AddAccount(account())).await;
    assert_eq!(administer(&*store, Administration::Reseal(outdated.clone())).await, Administered::Outdated);
    let reseal = replacing(&*store, outdated.row).await;
    assert!(matches!(administer(&*store, Administration::Reseal(reseal)).await, Administered::Done(_)));
    assert_eq!(store.identity().await.unwrap(), Some(StoreIdentity { key_check: [3; 32], ..identity() }));
    assert_eq!(store.keys().await.unwrap(), [sealed(1), sealed(2)]);
}

/// Resource servers are added, changed and removed like everybody else.
pub async fn resource_servers_come_and_go(place: &impl Place) {
    let store = place.open().await;
    let server = |id, name: &str| ResourceServer {
        id: ResourceServerId(id),
        name: name.to_owned(),
        secret_digest: [7; 32],
        enabled: true,
        resource: (name == "api").then(|| "https://api.example.com".to_owned()),
        created_at: NOW,
    };
    let add = |server| Administration::AddResourceServer(server);
    assert_eq!(administer(&*store, add(server(0, "gate"))).await, Administered::Done(1));
    assert_eq!(administer(&*store, add(server(0, "gate"))).await, Administered::Conflict);
    let Administered::Done(second) = administer(&*store, add(server(0, "api"))).await else { panic!("a free name") };
    let resource = Some("urn:example:gate".to_owned());
    let disabled = ResourceServer { enabled: false, secret_digest: [8; 32], resource, ..server(1, "gate") };
    let update = Administration::UpdateResourceServer(replacing(&*store, disabled.clone()).await);
    assert_eq!(administer(&*store, update).await, Administered::Done(1));
    assert_eq!(store.resource_server_by_name("gate").await.unwrap(), Some(disabled.clone()));
    assert_eq!(store.resource_servers().await.unwrap(), [disabled, server(second, "api")]);
    let taken = Administration::UpdateResourceServer(replacing(&*store, server(1, "api")).await);
    assert_eq!(administer(&*store, taken).await, Administered::Conflict);
    assert_eq!(
        administer(&*store, Administration::RemoveResourceServer(ResourceServerId(1))).await,
        Administered::Done(1)
    );
    assert_eq!(
        administer(&*store, Administration::RemoveResourceServer(ResourceServerId(1))).await,
        Administered::Missing
    );
    for nobody in ["gate", "", "\0", "api\0"] {
        assert_eq!(store.resource_server_by_name(nobody).await.unwrap(), None);
    }
}
