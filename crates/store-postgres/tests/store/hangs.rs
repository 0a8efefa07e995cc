//! A database that takes connections and does not go on: every wait ends, and what hung holds up nobody afterwards.
#![expect(clippy::disallowed_methods, reason = "how long real waiting takes is what is tested")]

use std::sync::Arc;
use std::time::Duration;

use keyfob_authority::conformance::build::{NOW, account, approved, insert, populate, win};
use keyfob_authority::model::{Account, LedgerEntry, LedgerKind};
use keyfob_authority::store::{Administration, Store, StoreError};
use keyfob_store_postgres::Options;
use keyfob_testkit::{Cut, PostgresWire};
use tokio::time::Instant;

use super::place::{Place, open};

/// What a statement may take, by the server's measure, and by ours, which is for a server that does not answer. The revocation feed and the
/// clients' patience count on them.
const LONGEST: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(12));

/// Beyond a bound on a busy machine.
const SLACK: Duration = Duration::from_secs(5);

async fn add_account(store: &dyn Store, domain: &str) -> Result<(), StoreError> {
    let company = Account { domain: domain.to_owned(), ..account() };
    let entry = LedgerEntry::new(NOW, LedgerKind::AccountChanged);
    store.administer(Administration::AddAccount(company), vec![entry], vec![]).await.map(drop)
}

#[track_caller]
fn given_up(told: &Result<(), StoreError>, after: Duration, bound: Duration, what: &str) {
    assert!(matches!(told, Err(StoreError::Unavailable(_))), "{what}: {told:?}");
    assert!(after >= bound - Duration::from_secs(1) && after < bound + SLACK, "{what} after {after:?}");
}

/// The three ways to hang at the same time, since each is awaited in real time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_hangs_is_given_up_within_its_bound_and_holds_up_nobody_afterwards() {
    let (locked, abandoned, silent) = tokio::join!(
        a_row_that_somebody_else_holds(),
        a_transaction_whose_client_stopped(),
        a_server_that_says_nothing_any_more()
    );
    println!(
        "given up: a locked row after {locked:?}, an abandoned transaction after {abandoned:?}, silence after {silent:?}"
    );
}

async fn a_row_that_somebody_else_holds() -> Duration {
    let place = Place::new().await;
    let store = place.store().await;
    populate(&store).await;
    let client = place.client().await;
    client.batch_execute("BEGIN; UPDATE store SET probes = probes").await.unwrap();
    let since = Instant::now();
    let told = add_account(&store, "one").await;
    given_up(&told, since.elapsed(), LONGEST.0, "a row that is locked");
    let after = since.elapsed();
    // The transaction that was given up has left nothing behind, and its connection is of use again.
    client.batch_execute("ROLLBACK").await.unwrap();
    add_account(&store, "one").await.unwrap();
    assert_eq!(place.database.sql("SELECT count(*) FROM accounts WHERE domain = 'one'"), "1");
    after
}

/// A node that was stopped in the middle of a transaction, and holds a row that all others need.
async fn a_transaction_whose_client_stopped() -> Duration {
    let place = Place::new().await;
    let wire = PostgresWire::to(&place.database).await;
    let stopped = Arc::new(open(wire.url(), &Options::default()).await.unwrap());
    populate(&*stopped).await;
    let other = place.store().await;
    // It has the store's row as soon as it waits for the accounts' table, and then the wire is cut under it.
    let client = place.client().await;
    client.batch_execute("BEGIN; LOCK TABLE accounts IN EXCLUSIVE MODE").await.unwrap();
    let hanging = tokio::spawn({
        let stopped = Arc::clone(&stopped);
        async move { add_account(&*stopped, "stopped").await }
    });
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while client.query_one(waits, &[]).await.unwrap().get::<_, i64>(0) == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    wire.cut(Cut::Silent);
    client.batch_execute("ROLLBACK").await.unwrap();
    let since = Instant::now();
    // Its server ends the transaction that waits for its client; until then the other node cannot have the row.
    while add_account(&other, "other").await.is_err() {
        assert!(since.elapsed() < LONGEST.0 + SLACK, "the transaction is never given up");
    }
    let after = since.elapsed();
    assert!(after > Duration::from_secs(5), "nothing hung: {after:?}");
    let told = hanging.await.unwrap();
    assert!(matches!(told, Err(StoreError::Unavailable(_))), "{told:?}");
    assert_eq!(place.database.sql("SELECT count(*) FROM accounts WHERE domain = 'stopped'"), "0");
    after
}

async fn a_server_that_says_nothing_any_more() -> Duration {
    let place = Place::new().await;
    let wire = PostgresWire::to(&place.database).await;
    let store = open(wire.url(), &Options::default()).await.unwrap();
    win(&store, insert(1, approved(1))).await;
    wire.cut(Cut::Silent);
    let since = Instant::now();
    let told = store.record(vec![LedgerEntry::new(NOW, LedgerKind::SignedIn)]).await;
    given_up(&told, since.elapsed(), LONGEST.1, "a server that is silent");
    let after = since.elapsed();
    wire.mend();
    let back = async {
        while store.write_grant(insert(1, approved(2))).await.is_err() || store.probe().await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), back).await.expect("it comes back");
    after
}
