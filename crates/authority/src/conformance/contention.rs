//! Many at once: conditional writes that meet, in one batch or in several.

use super::Place;
use super::build::{NOW, active, approved, id, insert, revocation, stored, update, win};
use crate::model::{AppId, EndReason, Grant, GrantState, LedgerEntry, LedgerKind};
use crate::store::{GrantWrite, LedgerFilter, Store, Written};
use std::sync::Arc;
use tokio::task::JoinSet;

/// Sends all writes at once; which of them won, by nonce.
async fn winners(store: &Arc<dyn Store>, writes: Vec<GrantWrite>) -> Vec<u64> {
    let mut tasks = JoinSet::new();
    for write in writes {
        let store = Arc::clone(store);
        tasks.spawn(async move { (write.nonce, store.write_grant(write).await.unwrap()) });
    }
    tasks.join_all().await.into_iter().filter(|(_, written)| *written == Written::Won).map(|(nonce, _)| nonce).collect()
}

async fn entries_about(store: &Arc<dyn Store>, grant: &Grant) -> usize {
    let filter = LedgerFilter { grant: Some(grant.id), ..LedgerFilter::default() };
    store.ledger(filter, 100).await.unwrap().len()
}

/// Single use under concurrency: the row is the winner's, and so are the records.
pub async fn sixteen_tasks_spend_one_code_and_one_wins(place: &impl Place) {
    let store = place.open().await;
    for round in 0..20 {
        let grant = approved(round);
        win(&*store, insert(1, grant.clone())).await;
        let spend = |nonce: u32| {
            let mut write = update(nonce.into(), grant.id, &grant.state, active(1, nonce));
            write.ledger.push(LedgerEntry::about(NOW, LedgerKind::Redeemed, &grant));
            write
        };
        let winners = winners(&store, (100..116).map(spend).collect()).await;
        assert_eq!(winners.len(), 1);
        assert_eq!(u64::from(stored(&*store, round).await.state.version().branch), winners[0]);
        assert_eq!(entries_about(&store, &grant).await, 1, "only the winner's records stand");
    }
}

/// The insert of a row is the single use of the user's decision.
pub async fn sixteen_tasks_insert_one_grant_and_one_wins(place: &impl Place) {
    let store = place.open().await;
    for round in 0..20 {
        let decide = |nonce: u32| {
            let grant = Grant { app: AppId(nonce.into()), ..approved(round) };
            let mut write = insert(nonce.into(), grant.clone());
            write.ledger.push(LedgerEntry::about(NOW, LedgerKind::Consented, &grant));
            write
        };
        let winners = winners(&store, (100..116).map(decide).collect()).await;
        assert_eq!(winners.len(), 1);
        let grant = stored(&*store, round).await;
        assert_eq!(u64::try_from(grant.app.0).unwrap(), winners[0]);
        assert_eq!(entries_about(&store, &grant).await, 1, "only the winner's records stand");
    }
}

/// Writes that decided upon different versions of one grant stand in one batch: only the one that read the row as it is wins.
pub async fn one_grant_stands_in_a_batch_twice_and_one_wins(place: &impl Place) {
    let store = place.open().await;
    for round in 0..20 {
        let (grant, other) = (approved(2 * round), approved(2 * round + 1));
        win(&*store, insert(1, grant.clone())).await;
        win(&*store, insert(1, other.clone())).await;
        win(&*store, update(2, grant.id, &grant.state, active(1, 0))).await;
        let ended = GrantState::Ended { reason: EndReason::RevokedByUser, at: NOW };
        let mut end = update(11, grant.id, &active(1, 0), ended.clone());
        end.revocations.push(revocation(grant.id));
        let writes = vec![
            update(10, grant.id, &grant.state, active(1, 7)),
            end,
            insert(12, grant.clone()),
            update(13, grant.id, &active(2, 0), active(3, 0)),
            update(14, other.id, &other.state, active(1, 0)),
        ];
        let mut winners = winners(&store, writes).await;
        winners.sort_unstable();
        assert_eq!(winners, [11, 14]);
        assert_eq!(stored(&*store, 2 * round).await.state, ended);
        assert_eq!(store.revocations(0, 100).await.unwrap().len(), usize::try_from(round).unwrap() + 1);
    }
}

/// A retry may overtake the write whose answer was lost: both have won, and what they record stands once.
pub async fn one_write_sent_twice_at_once_is_recorded_once(place: &impl Place) {
    let store = place.open().await;
    for round in 0..20 {
        let grant = approved(round);
        win(&*store, insert(1, grant.clone())).await;
        let mut write = update(9, grant.id, &grant.state, active(1, 0));
        write.ledger.push(LedgerEntry::about(NOW, LedgerKind::Redeemed, &grant));
        assert_eq!(winners(&store, vec![write.clone(), write.clone(), write.clone(), write]).await, [9; 4]);
        assert_eq!(entries_about(&store, &grant).await, 1);
    }
}

/// Writes of different grants do not disturb each other, however many share a commit.
pub async fn many_grants_at_once_are_all_written(place: &impl Place) {
    const GRANTS: u32 = 500;
    let store = place.open().await;
    let inserts = (0..GRANTS).map(|number| insert(1, approved(number))).collect();
    assert_eq!(winners(&store, inserts).await.len(), GRANTS as usize);
    let spend = |number: u32| {
        let grant = approved(number);
        let mut write = update(2, grant.id, &grant.state, active(1, number));
        if number.is_multiple_of(10) {
            write.ledger.push(LedgerEntry::about(NOW, LedgerKind::Redeemed, &grant));
        }
        write
    };
    assert_eq!(winners(&store, (0..GRANTS).map(spend).collect()).await.len(), GRANTS as usize);
    for number in 0..GRANTS {
        assert_eq!(stored(&*store, number).await.state, active(1, number));
    }
    assert_eq!(store.ledger(LedgerFilter::default(), GRANTS).await.unwrap().len(), GRANTS as usize / 10);
}

/// A client that hangs up does not take back what was decided.
pub async fn a_waiter_that_went_away_does_not_undo_its_write(place: &impl Place) {
    let store = place.open().await;
    let mut tasks = JoinSet::new();
    for number in 0..20 {
        let store = Arc::clone(&store);
        tasks.spawn(async move { store.write_grant(insert(1, approved(number))).await });
    }
    tokio::task::yield_now().await;
    tasks.shutdown().await;
    // Whatever was begun is whole; a write behind it finds the store in order.
    win(&*store, insert(2, approved(100))).await;
    for number in 0..20 {
        if let Some(held) = store.held_grant(id(number)).await.unwrap() {
            assert_eq!(held.grant, approved(number));
        }
    }
}
