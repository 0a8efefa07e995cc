//! One grant, one row: what is written is read, and a conditional write wins or leaves nothing.

use super::Place;
use super::build::{
    NOW, account, active, administer, approved, id, insert, populate, replacing, revocation, stored, update, win,
};
use crate::model::{
    Account, AccountId, AccountStatus, ActiveGrant, AppId, CodeBinding, EndReason, Grant, GrantState, LedgerEntry,
    LedgerKind, RedeemedCode, UserId, UserStatus,
};
use crate::store::{Administration, GrantFilter, GrantWrite, LedgerFilter, Written};
use keyfob_protocol::Timestamp;
use keyfob_protocol::pkce::CodeChallenge;

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

/// Every state survives the row, as an insert and as every change into it.
pub async fn every_state_is_read_as_it_was_written(place: &impl Place) {
    let store = place.open().await;
    for (number, state) in (0..).zip(states()) {
        let grant = Grant { state: state.clone(), root_key: u32::MAX, ..approved(number) };
        win(&*store, insert(1, grant.clone())).await;
        assert_eq!(stored(&*store, number).await, grant);
        for next in states() {
            let write = update(2, grant.id, &stored(&*store, number).await.state, next.clone());
            win(&*store, write).await;
            assert_eq!(stored(&*store, number).await, Grant { state: next, ..grant.clone() });
        }
    }
}

/// Absence is an answer.
pub async fn a_grant_that_does_not_exist_is_none(place: &impl Place) {
    let store = place.open().await;
    assert_eq!(store.held_grant(id(1)).await.unwrap(), None);
    assert_eq!(store.grants(GrantFilter::default(), 10).await.unwrap(), []);
}

/// Neither the row nor the ledger, the feed or the tick know of a write that lost.
pub async fn a_lost_write_leaves_nothing(place: &impl Place) {
    let store = place.open().await;
    let grant = approved(1);
    win(&*store, insert(1, grant.clone())).await;
    let record = |mut write: GrantWrite| {
        write.ledger.push(LedgerEntry::about(NOW, LedgerKind::GrantEnded, &grant));
        write.revocations.push(revocation(grant.id));
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
    assert_eq!(stored(&*store, 1).await, grant);
    assert_eq!(store.ledger(LedgerFilter::default(), 10).await.unwrap(), []);
    assert_eq!(store.revocations(0, 10).await.unwrap(), []);
    assert_eq!(store.tick().await.unwrap().tick, 0);

    win(&*store, record(update(3, grant.id, &grant.state, ended))).await;
    assert_eq!(store.ledger(LedgerFilter::default(), 10).await.unwrap().len(), 1);
    assert_eq!(store.revocations(0, 10).await.unwrap().len(), 1);
    assert_eq!(store.tick().await.unwrap().tick, 1, "an ending raises the tick");
}

/// The same write again is answered as the first time and adds nothing.
pub async fn a_retry_recognises_its_own_write_and_records_it_once(place: &impl Place) {
    let store = place.open().await;
    let grant = approved(1);
    for _ in 0..2 {
        win(&*store, insert(u64::MAX, grant.clone())).await;
    }
    let mut write = update(u64::MAX - 1, grant.id, &grant.state, active(1, 0));
    write.ledger.push(LedgerEntry::about(NOW, LedgerKind::Redeemed, &grant));
    for _ in 0..2 {
        win(&*store, write.clone()).await;
    }
    assert_eq!(store.ledger(LedgerFilter::default(), 10).await.unwrap().len(), 1);
    let other = update(5, grant.id, &grant.state, active(1, 0));
    assert_eq!(store.write_grant(other).await.unwrap(), Written::Lost);
}

/// Whoever read the grant while it lived writes in vain once it has ended.
pub async fn an_ended_grant_stays_ended(place: &impl Place) {
    let store = place.open().await;
    let grant = Grant { state: active(5, 1), ..approved(1) };
    win(&*store, insert(1, grant.clone())).await;
    let ended = GrantState::Ended { reason: EndReason::RevokedByApp, at: NOW };
    win(&*store, update(2, grant.id, &grant.state, ended.clone())).await;
    for late in [grant.state.clone(), active(6, 1), active(5, 2), approved(1).state] {
        let write = update(3, grant.id, &grant.state, late);
        assert_eq!(store.write_grant(write).await.unwrap(), Written::Lost);
    }
    assert_eq!(store.write_grant(insert(4, grant.clone())).await.unwrap(), Written::Lost);
    assert_eq!(stored(&*store, 1).await.state, ended);
}

/// A store that went back is found out by its tick, so nothing that ends may leave it as it is.
pub async fn every_ending_raises_the_tick(place: &impl Place) {
    let store = place.open().await;
    let denied = GrantState::Ended { reason: EndReason::Denied, at: NOW };
    win(&*store, insert(1, Grant { state: denied, ..approved(1) })).await;
    assert_eq!(store.tick().await.unwrap().tick, 1, "a denial is an ending");
    win(&*store, insert(1, approved(2))).await;
    win(&*store, update(2, id(2), &approved(2).state, active(1, 0))).await;
    assert_eq!(store.tick().await.unwrap().tick, 1, "life goes on without a tick");
    let ended = GrantState::Ended { reason: EndReason::CodeReused, at: NOW };
    win(&*store, update(3, id(2), &active(1, 0), ended)).await;
    let tick = store.tick().await.unwrap();
    assert_eq!((tick.tick, tick.at), (2, Timestamp(0)), "the time stays that of the last tick that was handed in");
}

/// One read gives the grant and the state of whoever gave it.
pub async fn a_grant_is_read_with_its_holder(place: &impl Place) {
    let store = place.open().await;
    populate(&*store).await;
    win(&*store, insert(1, approved(1))).await;
    let holder = store.held_grant(id(1)).await.unwrap().unwrap().holder;
    assert_eq!(holder.user, Some(UserStatus::Active));
    assert_eq!(holder.account, Some((AccountId(1), AccountStatus::Active)));
    assert_eq!((holder.user_tokens_after, holder.account_tokens_after), (Timestamp(5), Timestamp(0)));

    let suspended = Account { id: AccountId(1), status: AccountStatus::Suspended, tokens_after: NOW, ..account() };
    administer(&*store, Administration::UpdateAccount(replacing(&*store, suspended).await)).await;
    let holder = store.held_grant(id(1)).await.unwrap().unwrap().holder;
    assert_eq!(holder.account, Some((AccountId(1), AccountStatus::Suspended)));
    assert_eq!((holder.user_tokens_after, holder.account_tokens_after), (Timestamp(5), NOW));

    administer(&*store, Administration::RemoveUser(UserId(1))).await;
    let holder = store.held_grant(id(1)).await.unwrap().unwrap().holder;
    assert_eq!((holder.user, holder.account), (None, None));
}

/// Lists are newest first, bounded, and filtered by user, app and life.
pub async fn grants_are_listed_newest_first(place: &impl Place) {
    let store = place.open().await;
    for number in 0..12 {
        let state =
            if number % 3 == 0 { GrantState::Ended { reason: EndReason::Denied, at: NOW } } else { active(1, 0) };
        let grant =
            Grant { app: AppId((number % 2).into()), user: UserId((number / 6).into()), state, ..approved(number) };
        win(&*store, insert(1, grant)).await;
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
    assert_eq!(list(None, None, false, u32::MAX).await.len(), 12);
}
