//! The ledger: appended, read newest first, one of a kind where that is asked for.

use super::Place;
use super::build::{NOW, approved, insert, win};
use crate::model::{AccountId, AppId, LedgerEntry, LedgerKind, SystemId, UserId};
use crate::store::{LedgerFilter, Store};
use std::sync::Arc;
use tokio::task::JoinSet;

fn refusal() -> LedgerEntry {
    LedgerEntry {
        once: Some("refused/g1/expired/12".to_owned()),
        ..LedgerEntry::about(NOW, LedgerKind::Refused, &approved(1))
    }
}

/// What was recorded is read back as it was, by every filter.
pub async fn the_ledger_is_read_newest_first_and_keeps_one_of_a_kind(place: &impl Place) {
    let store = place.open().await;
    let once = refusal();
    store.record(vec![once.clone(), once.clone()]).await.unwrap();
    store.record(vec![once.clone()]).await.unwrap();
    store.record(vec![]).await.unwrap();
    let other = LedgerEntry {
        user: Some(UserId(8)),
        app: Some(AppId(3)),
        account: Some(AccountId(4)),
        system: Some(SystemId(5)),
        ..LedgerEntry::new(NOW.plus(1), LedgerKind::SignedIn).with_detail("by password")
    };
    store.record(vec![other.clone()]).await.unwrap();
    let list = async |filter: LedgerFilter| store.ledger(filter, 10).await.unwrap();
    let of = LedgerFilter::default();
    assert_eq!(list(of).await, [other.clone(), once.clone()]);
    assert_eq!(store.ledger(of, 1).await.unwrap(), std::slice::from_ref(&other));
    assert_eq!(list(LedgerFilter { grant: once.grant, ..of }).await, std::slice::from_ref(&once));
    assert_eq!(list(LedgerFilter { user: Some(UserId(8)), ..of }).await, std::slice::from_ref(&other));
    assert_eq!(list(LedgerFilter { app: Some(AppId(3)), ..of }).await, std::slice::from_ref(&other));
    let all = LedgerFilter { app: once.app, grant: once.grant, user: once.user };
    assert_eq!(list(all).await, std::slice::from_ref(&once));
    assert_eq!(list(LedgerFilter { app: Some(AppId(3)), ..all }).await, []);
    let of_request = LedgerEntry { request: Some("r1".to_owned()), ..other.clone() };
    store.record(vec![of_request.clone()]).await.unwrap();
    assert_eq!(store.ledger_of_request("r1").await.unwrap(), std::slice::from_ref(&of_request));
    assert_eq!(store.ledger_of_request("r2").await.unwrap(), []);
    assert_eq!(store.sweep_rest(NOW, NOW, NOW.plus(1), 10).await.unwrap(), 1);
    assert_eq!(list(of).await, [of_request, other]);
}

/// Refusals come in floods; one of a kind is kept, and nobody is disturbed.
pub async fn sixteen_tasks_record_one_thing_and_it_stands_once(place: &impl Place) {
    let stores = [place.open().await, place.open().await];
    for round in 0..10 {
        let entry = LedgerEntry { once: Some(format!("round {round}")), ..refusal() };
        let mut tasks = JoinSet::new();
        for task in 0..16 {
            let (store, entry): (Arc<dyn Store>, _) = (Arc::clone(&stores[task % 2]), entry.clone());
            tasks.spawn(async move { store.record(vec![entry]).await.unwrap() });
        }
        tasks.join_all().await;
    }
    assert_eq!(stores[0].ledger(LedgerFilter::default(), 1000).await.unwrap().len(), 10);
}

/// Entries of one write are read in the order in which they were given.
pub async fn entries_of_one_write_keep_their_order(place: &impl Place) {
    let store = place.open().await;
    let kinds: Vec<LedgerKind> = LedgerKind::ALL.to_vec();
    let entries: Vec<_> = kinds.iter().map(|kind| LedgerEntry::about(NOW, *kind, &approved(1))).collect();
    let mut write = insert(1, approved(1));
    write.ledger = entries.clone();
    win(&*store, write).await;
    store.record(entries).await.unwrap();
    let read = store.ledger(LedgerFilter::default(), 1000).await.unwrap();
    let read: Vec<_> = read.iter().rev().map(|entry| entry.kind).collect();
    assert_eq!(read, [kinds.clone(), kinds].concat());
}
