//! Sweeping: what is over goes, in small steps, and nothing else.

use super::Place;
use super::build::{NOW, active, approved, id, insert, revocation, stored, update, win};
use crate::model::{ActiveGrant, EndReason, Grant, GrantState, LedgerEntry, LedgerKind, Session, SessionId, UserId};
use crate::store::{Administration, LedgerFilter, Store, SweepCutoffs, Swept, Written};
use keyfob_protocol::Timestamp;
use std::sync::Arc;

fn used(generation: u32, at: Timestamp) -> GrantState {
    GrantState::Active(ActiveGrant {
        generation,
        branch: 0,
        parent_branch: 0,
        rotated_at: at,
        last_used_at: at,
        code: None,
    })
}

/// What each stage calls over, step by step.
pub async fn sweeping_removes_what_is_over_and_never_a_live_row(place: &impl Place) {
    let store = place.open().await;
    let ended = |at| GrantState::Ended { reason: EndReason::Denied, at };
    let states = [
        (approved(0).state, true),
        (used(1, NOW), true),
        (used(1, NOW.plus(-1)), false),
        (ended(NOW), true),
        (ended(NOW.plus(-1)), false),
        (approved(5).state, true),
    ];
    for (number, (state, _)) in (0..).zip(&states) {
        win(&*store, insert(1, Grant { state: state.clone(), ..approved(number) })).await;
    }
    let cutoffs = SweepCutoffs { unredeemed_before: NOW.plus(900), ended_before: NOW, idle_before: NOW };
    let mut after = None;
    let mut steps = vec![];
    loop {
        let swept = store.sweep_grants(after, 2, cutoffs).await.unwrap();
        steps.push(swept.removed);
        after = swept.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(steps, [0, 1, 1, 0]);
    for (number, (_, stays)) in (0..).zip(&states) {
        assert_eq!(store.held_grant(id(number)).await.unwrap().is_some(), *stays, "grant {number}");
    }
    let later = SweepCutoffs { unredeemed_before: NOW.plus(901), ..cutoffs };
    assert_eq!(store.sweep_grants(None, 100, later).await.unwrap(), Swept { removed: 2, next: None });
}

/// The sweeper and a client that comes back after long meet on one row: either the write lost, or the row is there.
pub async fn sweeping_spares_a_grant_that_comes_alive_meanwhile(place: &impl Place) {
    const GRANTS: u32 = 40;
    let (clients, sweeper) = (place.open().await, place.open().await);
    let idle = used(1, NOW.plus(-1));
    for number in 0..GRANTS {
        win(&*clients, insert(1, Grant { state: idle.clone(), ..approved(number) })).await;
    }
    let cutoffs = SweepCutoffs { unredeemed_before: NOW, ended_before: NOW, idle_before: NOW };
    let refreshing = async |clients: Arc<dyn Store>| {
        let mut won = vec![];
        for number in (0..GRANTS).rev() {
            let write = update(2, id(number), &used(1, NOW.plus(-1)), used(2, NOW));
            if clients.write_grant(write).await.unwrap() == Written::Won {
                won.push(number);
            }
        }
        won
    };
    let sweeping = async {
        let (mut after, mut removed) = (None, 0);
        loop {
            let swept = sweeper.sweep_grants(after, 3, cutoffs).await.unwrap();
            removed += swept.removed;
            after = swept.next;
            if after.is_none() {
                return removed;
            }
        }
    };
    let (won, removed) = tokio::join!(refreshing(Arc::clone(&clients)), sweeping);
    assert_eq!(won.len() as u64 + removed, u64::from(GRANTS));
    for number in won {
        assert_eq!(stored(&*clients, number).await.state, used(2, NOW));
    }
}

/// No step removes more of a kind than it may, and what is not over stays.
pub async fn the_rest_is_swept_in_bounded_steps(place: &impl Place) {
    let store = place.open().await;
    for number in 0..7 {
        let seen = NOW.plus(i64::from(number == 6));
        let session =
            Session { id: SessionId([number; 32]), user: UserId(1), authenticated_at: NOW, last_seen_at: seen };
        let entry = LedgerEntry::new(seen, LedgerKind::SignedIn);
        store.open_session(session, None, vec![entry]).await.unwrap();
    }
    for number in 0..7 {
        win(&*store, insert(1, Grant { state: active(1, 0), ..approved(number) })).await;
        let ended = GrantState::Ended { reason: EndReason::Denied, at: NOW };
        let mut end = update(2, id(number), &active(1, 0), ended);
        end.revocations
            .push(crate::store::NewRevocation { until: NOW.plus(i64::from(number == 6)), ..revocation(id(number)) });
        win(&*store, end).await;
    }
    let step = async || store.sweep_rest(NOW.plus(1), NOW.plus(1), NOW.plus(1), 4).await.unwrap();
    assert_eq!((step().await, step().await, step().await), (12, 6, 0));
    assert!(store.session(SessionId([6; 32])).await.unwrap().is_some());
    assert_eq!(store.revocations(0, 10).await.unwrap().len(), 1);
    assert_eq!(store.ledger(LedgerFilter::default(), 10).await.unwrap().len(), 1);
    assert_eq!(store.settings_version().await.unwrap(), 0, "sweeping is no administration");
    let change = Administration::AddAccount(super::build::account());
    store.administer(change, vec![], vec![]).await.unwrap();
}
