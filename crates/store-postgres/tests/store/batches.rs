//! Batched writes: neighbours, overload, and what an update costs the table.

use std::sync::Arc;

use keyfob_authority::conformance::build::{NOW, active, approved, id, insert, stored, update, win};
use keyfob_authority::model::{Grant, GrantState, LedgerEntry, LedgerKind};
use keyfob_authority::store::{GrantWrite, LedgerFilter, Store as _, StoreError, Written};
use keyfob_store_postgres::{Options, PostgresStore};
use keyfob_testkit::PostgresCluster;
use tokio::task::{JoinHandle, JoinSet};

use super::place::Place;

fn one_lane(queue: usize) -> Options {
    let mut options = Options::default();
    options.lanes = 1;
    options.queue = queue;
    options
}

/// Sends a write that waits for a row which `client` has locked; later ones then gather behind it.
async fn hold(client: &tokio_postgres::Client, store: &Arc<PostgresStore>) -> JoinHandle<Result<Written, StoreError>> {
    let row = id(0).0;
    client.batch_execute("BEGIN").await.unwrap();
    client.query("SELECT 1 FROM grants WHERE id = $1 FOR UPDATE", &[&row.as_slice()]).await.unwrap();
    let held = spawn(store, update(2, id(0), &active(1, 0), active(2, 0)));
    // Until it waits for the lock.
    loop {
        let waiting = client.query_one("SELECT count(*) FROM pg_locks WHERE NOT granted", &[]).await.unwrap();
        if waiting.get::<_, i64>(0) > 0 {
            return held;
        }
        tokio::task::yield_now().await;
    }
}

fn spawn(store: &Arc<PostgresStore>, write: GrantWrite) -> JoinHandle<Result<Written, StoreError>> {
    let store = Arc::clone(store);
    tokio::spawn(async move { store.write_grant(write).await })
}

async fn populated(place: &Place, options: &Options, grants: u32) -> Arc<PostgresStore> {
    let store = Arc::new(place.store_with(options).await);
    for number in 0..grants {
        win(&*store, insert(1, Grant { state: active(1, 0), ..approved(number) })).await;
    }
    store
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_the_database_refuses_spoils_only_itself() {
    let place = Place::new().await;
    let store = populated(&place, &one_lane(100), 20).await;
    let client = place.client().await;
    let held = hold(&client, &store).await;
    let mut writes = vec![];
    for number in 1..20 {
        let mut write = update(2, id(number), &active(1, 0), active(2, 0));
        // PostgreSQL has no NUL in a text, so nothing can store this entry.
        let detail = if number % 7 == 0 { "\0" } else { "fine" };
        write.ledger.push(LedgerEntry::about(NOW, LedgerKind::Healed, &approved(number)).with_detail(detail));
        writes.push((number, spawn(&store, write)));
    }
    client.batch_execute("COMMIT").await.unwrap();
    assert_eq!(held.await.unwrap(), Ok(Written::Won));
    for (number, write) in writes {
        let outcome = write.await.unwrap();
        if number % 7 == 0 {
            assert!(matches!(outcome, Err(StoreError::Broken(_))), "{number}: {outcome:?}");
            assert_eq!(stored(&*store, number).await.state, active(1, 0));
        } else {
            assert_eq!(outcome, Ok(Written::Won), "{number}");
            assert_eq!(stored(&*store, number).await.state, active(2, 0));
        }
    }
    assert_eq!(store.ledger(LedgerFilter::default(), 100).await.unwrap().len(), 17);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_refuses_at_once_and_reading_goes_on() {
    let place = Place::new().await;
    let store = populated(&place, &one_lane(3), 10).await;
    let client = place.client().await;
    let held = hold(&client, &store).await;
    let mut outcomes = JoinSet::new();
    for number in 1..10 {
        let store = Arc::clone(&store);
        outcomes.spawn(async move { store.write_grant(update(2, id(number), &active(1, 0), active(2, 0))).await });
    }
    // Three fit into the queue; the others are answered while the lane still waits.
    for _ in 0..6 {
        let refused = outcomes.join_next().await.unwrap().unwrap();
        assert!(matches!(&refused, Err(StoreError::Unavailable(why)) if why.contains("too many")), "{refused:?}");
    }
    assert_eq!(stored(&*store, 9).await.state.version().stage, active(1, 0).version().stage);
    client.batch_execute("COMMIT").await.unwrap();
    assert_eq!(held.await.unwrap(), Ok(Written::Won));
    assert_eq!(outcomes.join_all().await, [Ok(Written::Won), Ok(Written::Won), Ok(Written::Won)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refreshes_are_hot_updates() {
    const GRANTS: u32 = 3000;
    const AT_ONCE: u32 = 60;
    const ROUNDS: u32 = 100;
    // Alone: a backend that starts, for another test, keeps every other one from cleaning its pages for a moment.
    let place = Place::in_cluster(PostgresCluster::own).await;
    let store = Arc::new(place.store().await);
    let all_win = async |writes: Vec<GrantWrite>| {
        let writes: JoinSet<_> = writes
            .into_iter()
            .map(|write| {
                let store = Arc::clone(&store);
                async move { store.write_grant(write).await.unwrap() }
            })
            .collect();
        assert!(writes.join_all().await.into_iter().all(|written| written == Written::Won));
    };
    all_win((0..GRANTS).map(|number| insert(1, Grant { state: active(1, 0), ..approved(number) })).collect()).await;
    // Spread over the table as clients come; one page is written again and again, and must find room each time.
    let mut generations = vec![1; GRANTS as usize];
    for round in 0..ROUNDS {
        let rotate = (0..AT_ONCE).map(|place| {
            let number = (place * (GRANTS / AT_ONCE) + round * 7) % GRANTS;
            let generation = &mut generations[number as usize];
            *generation += 1;
            update(u64::from(*generation), id(number), &active(*generation - 1, 0), active(*generation, 0))
        });
        all_win(rotate.collect()).await;
    }
    // A backend tells its counts at the latest when it ends.
    store.close().await;
    let statistics = "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'grants'";
    let (updates, hot) = loop {
        let told = place.database.sql(statistics);
        let (updates, hot) = told.split_once('|').unwrap();
        let (updates, hot): (u32, u32) = (updates.parse().unwrap(), hot.parse().unwrap());
        if updates >= AT_ONCE * ROUNDS {
            break (updates, hot);
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(updates, AT_ONCE * ROUNDS);
    assert!(hot * 100 >= updates * 95, "{hot} of {updates} updates were HOT");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_whose_batches_overlap_do_not_wait_in_a_circle() {
    const GRANTS: u32 = 16;
    let place = Place::new().await;
    let nodes = [populated(&place, &Options::default(), GRANTS).await, Arc::new(place.store().await)];
    let mut tasks = JoinSet::new();
    for task in 0..32u32 {
        let store = Arc::clone(&nodes[(task % 2) as usize]);
        tasks.spawn(async move {
            let mut won = 0;
            for round in 0..40 {
                // Each in an order of its own.
                let number = (task * 7 + round * (2 * task + 1)) % GRANTS;
                let state = stored(&*store, number).await.state;
                let next = active(state.version().generation + 1, 0);
                let nonce = u64::from(task) << 32 | u64::from(round + 2);
                let mut write = update(nonce, id(number), &state, next);
                if round % 8 == 0 {
                    let entry = LedgerEntry::about(NOW, LedgerKind::Healed, &approved(number));
                    write.ledger.push(LedgerEntry { once: Some(format!("healed {number} {round}")), ..entry });
                }
                won += u32::from(store.write_grant(write).await.unwrap() == Written::Won);
            }
            won
        });
    }
    let won: u32 = tasks.join_all().await.into_iter().sum();
    let mut generations = 0;
    for number in 0..GRANTS {
        generations += stored(&*nodes[0], number).await.state.version().generation - 1;
    }
    assert_eq!(generations, won, "every win is one generation");
    for node in nodes {
        node.close().await;
    }
    let name = place.database.name();
    let deadlocks = format!("SELECT deadlocks FROM pg_stat_database WHERE datname = '{name}'");
    assert_eq!(place.database.sql(&deadlocks), "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_answers_what_waits() {
    let place = Place::new().await;
    let store = populated(&place, &one_lane(100), 10).await;
    let client = place.client().await;
    let held = hold(&client, &store).await;
    let waiting: Vec<_> =
        (1..10).map(|number| spawn(&store, update(2, id(number), &active(1, 0), active(2, 0)))).collect();
    tokio::task::yield_now().await;
    let closing = {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.close().await })
    };
    client.batch_execute("COMMIT").await.unwrap();
    assert_eq!(held.await.unwrap(), Ok(Written::Won));
    closing.await.unwrap();
    let store = place.store().await;
    for (number, write) in (1..).zip(waiting) {
        let expected: GrantState = match write.await.unwrap() {
            Ok(written) => {
                assert_eq!(written, Written::Won);
                active(2, 0)
            }
            // It came after the closing.
            Err(refused) => {
                assert!(matches!(refused, StoreError::Unavailable(_)), "{refused}");
                active(1, 0)
            }
        };
        assert_eq!(stored(&store, number).await.state, expected);
    }
}
