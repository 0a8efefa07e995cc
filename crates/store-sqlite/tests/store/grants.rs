//! Conditional writes: who won, and that nothing of a lost write remains.

use std::sync::Arc;

use keyfob_authority::model::{
    ActiveGrant, AppId, CodeBinding, EndReason, Grant, GrantState, LedgerEntry, LedgerKind, RedeemedCode, UserId,
};
use keyfob_authority::store::{GrantFilter, LedgerFilter, NewRevocation, Store as _, SweepCutoffs, Swept, Written};
use keyfob_protocol::Timestamp;
use keyfob_protocol::pkce::CodeChallenge;
use keyfob_protocol::revocation::RevokedKind;
use keyfob_store_sqlite::SqliteStore;
use tokio::task::JoinSet;

use super::build::{NOW, Place, active, approved, id, insert, update};

async fn stored(store: &SqliteStore, number: u8) -> Grant {
    store.held_grant(id(number)).await.unwrap().unwrap().grant
}

fn states() -> Vec<GrantState> {
    let redeemed = |binding| {
        GrantState::Active(ActiveGrant {
            generation: 4_000_000_000,
            branch: 3,
            parent_branch: 2,
            rotated_at: NOW,
            last_used_at: NOW.plus(9),
            code: Some(RedeemedCode { expires_at: NOW.plus(900), binding, request_digest: [5; 16] }),
        })
    };
    let ended = EndReason::ALL.map(|reason| GrantState::Ended { reason, at: NOW.plus(1) });
    let mut states = vec![
        approved(1).state,
        active(1, 0),
        redeemed(CodeBinding::Pkce(CodeChallenge([8; 32]))),
        redeemed(CodeBinding::State),
        redeemed(CodeBinding::Unbound),
    ];
    states.extend(ended);
    states
}

#[tokio::test]
async fn every_state_is_read_as_it_was_written() {
    let store = SqliteStore::ephemeral().unwrap();
    for (number, state) in (0..).zip(states()) {
        let grant = Grant { state: state.clone(), ..approved(number) };
        assert_eq!(store.write_grant(insert(1, grant.clone())).await.unwrap(), Written::Won);
        assert_eq!(stored(&store, number).await, grant);
        for next in states() {
            let write = update(2, grant.id, &stored(&store, number).await.state, next.clone());
            assert_eq!(store.write_grant(write).await.unwrap(), Written::Won);
            assert_eq!(stored(&store, number).await, Grant { state: next, ..grant.clone() });
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixteen_tasks_spend_one_code_and_one_wins() {
    let place = Place::new();
    let store = Arc::new(place.store());
    for round in 0..20 {
        let grant = approved(round);
        assert_eq!(store.write_grant(insert(1, grant.clone())).await.unwrap(), Written::Won);
        let mut tasks = JoinSet::new();
        for nonce in 100..116 {
            let (store, grant) = (Arc::clone(&store), grant.clone());
            tasks.spawn(async move {
                let mut write = update(nonce, grant.id, &grant.state, active(1, u32::try_from(nonce).unwrap()));
                write.ledger.push(LedgerEntry::about(NOW, LedgerKind::Redeemed, &grant));
                (nonce, store.write_grant(write).await.unwrap())
            });
        }
        let winners: Vec<_> =
            tasks.join_all().await.into_iter().filter(|(_, written)| *written == Written::Won).collect();
        assert_eq!(winners.len(), 1);
        assert_eq!(stored(&store, round).await.state.version().branch, u32::try_from(winners[0].0).unwrap());
        let filter = LedgerFilter { grant: Some(grant.id), ..LedgerFilter::default() };
        assert_eq!(store.ledger(filter, 100).await.unwrap().len(), 1, "only the winner's records stand");
    }
}

#[tokio::test]
async fn a_lost_write_leaves_nothing() {
    let store = SqliteStore::ephemeral().unwrap();
    let grant = approved(1);
    assert_eq!(store.write_grant(insert(1, grant.clone())).await.unwrap(), Written::Won);
    let record = |mut write: keyfob_authority::store::GrantWrite| {
        write.ledger.push(LedgerEntry::about(NOW, LedgerKind::GrantEnded, &grant));
        write.revocations.push(NewRevocation {
            kind: RevokedKind::Grant,
            id: grant.id.to_text(),
            not_before: NOW,
            until: NOW.plus(3600),
        });
        write
    };
    let ended = GrantState::Ended { reason: EndReason::RevokedByUser, at: NOW };
    let lost = [
        insert(2, Grant { app: AppId(2), ..grant.clone() }),
        update(2, grant.id, &active(1, 0), ended.clone()),
        update(2, id(9), &grant.state, ended.clone()),
    ];
    for write in lost {
        assert_eq!(store.write_grant(record(write)).await.unwrap(), Written::Lost);
    }
    assert_eq!(stored(&store, 1).await, grant);
    assert_eq!(store.ledger(LedgerFilter::default(), 10).await.unwrap(), []);
    assert_eq!(store.revocations(0, 10).await.unwrap(), []);
    assert_eq!(store.tick().await.unwrap().tick, 0);

    assert_eq!(store.write_grant(record(update(3, grant.id, &grant.state, ended))).await.unwrap(), Written::Won);
    assert_eq!(store.ledger(LedgerFilter::default(), 10).await.unwrap().len(), 1);
    assert_eq!(store.revocations(0, 10).await.unwrap().len(), 1);
    assert_eq!(store.tick().await.unwrap().tick, 1, "an ending raises the tick");
}

#[tokio::test]
async fn a_retry_recognises_its_own_write_and_records_it_once() {
    let store = SqliteStore::ephemeral().unwrap();
    let grant = approved(1);
    for _ in 0..2 {
        assert_eq!(store.write_grant(insert(u64::MAX, grant.clone())).await.unwrap(), Written::Won);
    }
    let mut write = update(u64::MAX - 1, grant.id, &grant.state, active(1, 0));
    write.ledger.push(LedgerEntry::about(NOW, LedgerKind::Redeemed, &grant));
    for _ in 0..2 {
        assert_eq!(store.write_grant(write.clone()).await.unwrap(), Written::Won);
    }
    assert_eq!(store.ledger(LedgerFilter::default(), 10).await.unwrap().len(), 1);
    let other = update(5, grant.id, &grant.state, active(1, 0));
    assert_eq!(store.write_grant(other).await.unwrap(), Written::Lost);
}

#[tokio::test]
async fn grants_are_listed_newest_first() {
    let store = SqliteStore::ephemeral().unwrap();
    for number in 0..12 {
        let state =
            if number % 3 == 0 { GrantState::Ended { reason: EndReason::Denied, at: NOW } } else { active(1, 0) };
        let grant =
            Grant { app: AppId((number % 2).into()), user: UserId((number / 6).into()), state, ..approved(number) };
        assert_eq!(store.write_grant(insert(1, grant)).await.unwrap(), Written::Won);
    }
    let list = async |user: Option<i64>, app: Option<i64>, live, limit| -> Vec<u8> {
        let filter = GrantFilter { user: user.map(UserId), app: app.map(AppId), live };
        store.grants(filter, limit).await.unwrap().into_iter().map(|grant| grant.id.0[15]).collect()
    };
    assert_eq!(list(None, None, false, 3).await, [11, 10, 9]);
    assert_eq!(list(None, None, true, 3).await, [11, 10, 8]);
    assert_eq!(list(Some(0), None, false, 9).await, [5, 4, 3, 2, 1, 0]);
    assert_eq!(list(None, Some(1), true, 9).await, [11, 7, 5, 1]);
    assert_eq!(list(Some(1), Some(0), true, 9).await, [10, 8]);
    assert!(list(Some(7), None, false, 9).await.is_empty());
}

#[tokio::test]
async fn sweeping_removes_what_is_over_and_never_a_live_row() {
    let store = SqliteStore::ephemeral().unwrap();
    let used = |at: Timestamp| {
        GrantState::Active(ActiveGrant {
            generation: 1,
            branch: 0,
            parent_branch: 0,
            rotated_at: at,
            last_used_at: at,
            code: None,
        })
    };
    let ended = |at| GrantState::Ended { reason: EndReason::Denied, at };
    let states = [
        (approved(0).state, true),
        (used(NOW), true),
        (used(NOW.plus(-1)), false),
        (ended(NOW), true),
        (ended(NOW.plus(-1)), false),
        (approved(5).state, true),
    ];
    for (number, (state, _)) in (0..).zip(&states) {
        let grant = Grant { state: state.clone(), ..approved(number) };
        assert_eq!(store.write_grant(insert(1, grant)).await.unwrap(), Written::Won);
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
