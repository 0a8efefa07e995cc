//! The database has committed and its answer is lost: a write on a grant recognises itself, and nothing is done twice.

use std::sync::Arc;

use keyfob_authority::conformance::build::{
    NOW, account, active, approved, id, insert, revocation, stored, update, win,
};
use keyfob_authority::model::{EndReason, GrantState, LedgerEntry, LedgerKind};
use keyfob_authority::store::{Administration, LedgerFilter, Store as _, StoreError, Written};
use keyfob_store_postgres::{Options, PostgresStore};
use keyfob_testkit::PostgresWire;

use super::place::{Place, open};

/// A store whose every kind of connection has been used, so that the next answer is that of the next statement.
async fn warm(wire: &PostgresWire) -> Arc<PostgresStore> {
    let mut options = Options::default();
    (options.lanes, options.readers, options.writers) = (1, 1, 1);
    let store = Arc::new(open(wire.url(), &options).await.unwrap());
    for number in [90, 91] {
        let mut write = insert(1, approved(number));
        write.ledger.push(LedgerEntry::new(NOW, LedgerKind::Consented));
        win(&*store, write).await;
        win(&*store, update(2, id(number), &approved(number).state, active(1, 0))).await;
        stored(&*store, number).await;
        assert_eq!(store.write_grant(insert(7, approved(number))).await, Ok(Written::Lost));
        store.record(vec![LedgerEntry::new(NOW, LedgerKind::SignedIn)]).await.unwrap();
        let company = keyfob_authority::model::Account { domain: number.to_string(), ..account() };
        let entry = LedgerEntry::new(NOW, LedgerKind::AccountChanged);
        store.administer(Administration::AddAccount(company), vec![entry], vec![]).await.unwrap();
    }
    store
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_on_a_grant_recognises_itself() {
    let place = Place::new().await;
    let wire = PostgresWire::to(&place.database).await;
    let store = warm(&wire).await;
    for number in 0..5 {
        let mut write = insert(10, approved(number));
        write.ledger.push(LedgerEntry::about(NOW, LedgerKind::Consented, &approved(number)));
        wire.lose_next_answer();
        win(&*store, write).await;

        wire.lose_next_answer();
        win(&*store, update(11, id(number), &approved(number).state, active(1, 0))).await;

        let ended = GrantState::Ended { reason: EndReason::RevokedByUser, at: NOW };
        let mut end = update(12, id(number), &active(1, 0), ended.clone());
        end.ledger.push(LedgerEntry::about(NOW, LedgerKind::GrantEnded, &approved(number)));
        end.revocations.push(revocation(id(number)));
        wire.lose_next_answer();
        win(&*store, end).await;
        assert_eq!(stored(&*store, number).await.state, ended);
        let filter = LedgerFilter { grant: Some(id(number)), ..LedgerFilter::default() };
        assert_eq!(store.ledger(filter, 10).await.unwrap().len(), 2, "each is recorded once");
    }
    assert_eq!(wire.lost(), 15);
    assert_eq!(store.revocations(0, 100).await.unwrap().len(), 5);
    assert_eq!(store.tick().await.unwrap().tick, 7, "each ending and each administration is counted once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_is_asked_again() {
    let place = Place::new().await;
    let wire = PostgresWire::to(&place.database).await;
    let store = warm(&wire).await;
    for _ in 0..5 {
        wire.lose_next_answer();
        assert_eq!(stored(&*store, 90).await.state, active(1, 0));
    }
    assert_eq!(wire.lost(), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_recognise_itself_is_said_to_be_unknown_and_never_done_twice() {
    let place = Place::new().await;
    let wire = PostgresWire::to(&place.database).await;
    let store = warm(&wire).await;
    let before = store.ledger(LedgerFilter::default(), 100).await.unwrap().len();
    wire.lose_next_answer();
    let told = store.record(vec![LedgerEntry::new(NOW, LedgerKind::SignedOut)]).await;
    assert!(matches!(told, Err(StoreError::Unavailable(_))), "{told:?}");
    assert_eq!(store.ledger(LedgerFilter::default(), 100).await.unwrap().len(), before + 1);
}
