//! One place, several stores: processes on one file, nodes on one database, and a store that is opened again.

use super::Place;
use super::build::{account, active, administer, approved, id, insert, populate, revocation, stored, update, win};
use crate::model::{Account, EndReason, GrantState};
use crate::store::{Administered, Administration, Store, StoreError, Written};
use std::sync::Arc;

/// What was answered on one node is read on every other, at once.
pub async fn what_one_node_writes_another_reads(place: &impl Place) {
    let (one, two) = (place.open().await, place.open().await);
    populate(&*one).await;
    assert_eq!(two.settings_version().await.unwrap(), 4);
    assert!(two.app_by_client_id("acme-dialer").await.unwrap().is_some());
    for number in 0..50 {
        win(&*one, insert(1, approved(number))).await;
        win(&*two, update(2, id(number), &approved(number).state, active(1, 0))).await;
        assert_eq!(stored(&*one, number).await.state, active(1, 0));
        let mut end = update(3, id(number), &active(1, 0), ended());
        end.revocations.push(revocation(id(number)));
        win(&*one, end).await;
        let late = update(4, id(number), &active(1, 0), active(2, 0));
        assert_eq!(two.write_grant(late).await.unwrap(), Written::Lost);
        let seen = two.revocations(0, 100).await.unwrap();
        assert_eq!(seen.len(), usize::try_from(number).unwrap() + 1);
    }
}

fn ended() -> GrantState {
    GrantState::Ended { reason: EndReason::RevokedByUser, at: super::build::NOW }
}

/// Rows and counters survive the store that wrote them.
pub async fn reopening_keeps_everything(place: &impl Place) {
    let store = place.open().await;
    populate(&*store).await;
    win(&*store, insert(1, approved(1))).await;
    let tick = store.raise_tick(super::build::NOW).await.unwrap();
    let version = store.settings_version().await.unwrap();
    store.close().await;
    drop(store);
    let store = place.open().await;
    assert_eq!(stored(&*store, 1).await, approved(1));
    assert_eq!(store.settings_version().await.unwrap(), version);
    assert_eq!(store.tick().await.unwrap(), tick);
    let second = Account { domain: "second".to_owned(), ..account() };
    assert_eq!(administer(&*store, Administration::AddAccount(second)).await, Administered::Done(2));
}

/// Whichever node is first makes the tables, and the others find them.
pub async fn nodes_that_start_together_make_one_store(place: &impl Place) {
    let (one, two, three, four) = tokio::join!(place.open(), place.open(), place.open(), place.open());
    populate(&*one).await;
    for store in [two, three, four] {
        assert_eq!(store.settings_version().await.unwrap(), 4);
        assert_eq!(store.accounts().await.unwrap().len(), 1);
    }
}

/// Every rotation that was answered as won is in the row: none is lost, none is done twice.
pub async fn two_nodes_rotate_one_grant_and_no_write_is_lost(place: &impl Place) {
    const EACH: u32 = 100;
    let (one, two) = (place.open().await, place.open().await);
    let state = active(0, 0);
    win(&*one, insert(1, crate::model::Grant { state, ..approved(1) })).await;
    tokio::join!(rotate(&one, EACH, 1 << 32), rotate(&two, EACH, 1 << 40));
    assert_eq!(stored(&*one, 1).await.state.version().generation, 2 * EACH);
}

async fn rotate(store: &Arc<dyn Store>, times: u32, nonces: u64) {
    let mut won = 0;
    let mut nonce = nonces;
    while won < times {
        nonce += 1;
        let state = stored(&**store, 1).await.state;
        let next = active(state.version().generation + 1, 0);
        if store.write_grant(update(nonce, id(1), &state, next)).await.unwrap() == Written::Won {
            won += 1;
        }
    }
}

/// A store that was closed says so, and what was answered before stands.
pub async fn a_closed_store_refuses_writes(place: &impl Place) {
    let store = place.open().await;
    win(&*store, insert(1, approved(1))).await;
    store.close().await;
    let refused = store.write_grant(insert(1, approved(2))).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    let store = place.open().await;
    assert_eq!(stored(&*store, 1).await, approved(1));
    assert_eq!(store.held_grant(id(2)).await.unwrap(), None);
}
