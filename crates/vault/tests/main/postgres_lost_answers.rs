//! The database has committed and its answer is lost: a write recognises itself, and nothing is done twice.

use crate::place::{Database, START, master, postgres, token_set};
use keyfob_client::{Fence, Intent, IntentFate, LeaseAnswer, Saved, StoredConnection, TokenStore};
use keyfob_testkit::PostgresWire;
use keyfob_vault::store::PostgresTokenStore;

fn row(generation: u64) -> StoredConnection {
    StoredConnection::live(generation, token_set("access", "refresh"), START, None)
}

async fn lease(store: &PostgresTokenStore) -> Fence {
    match store.take_lease("u", START, START.plus(30)).await.unwrap() {
        LeaseAnswer::Taken(leased) => leased.fence,
        LeaseAnswer::Held { until } => panic!("held until {until:?}"),
    }
}

/// One refresh from the lease to the end, and a removal. The answer with this number among all that the database gives on the way is lost.
async fn a_refresh_with_a_loss(place: &Database, lost: u32) -> bool {
    let wire = PostgresWire::to(&place.0).await;
    let store = postgres(wire.url(), master()).await.unwrap();
    // All statements have been used, so that each write is three answers: read, written, committed.
    store.save("u", None, &row(1)).await.unwrap();
    let fence = lease(&store).await;
    store.open_intent("u", fence, &Intent::of(1, row(1).tokens().unwrap(), START).unwrap()).await.unwrap();
    store.finish("u", fence, 1, &row(2)).await.unwrap();
    assert!(store.remove("u").await.unwrap());
    let events = store.events(0, 1000).await.unwrap().len();

    wire.lose_answer_after(lost);
    assert_eq!(store.save("u", None, &row(1)).await.unwrap(), Saved::Stored);
    let first = lease(&store).await;
    assert_eq!(store.prolong("u", first, START.plus(40)).await.unwrap(), Saved::Stored);
    let intent = Intent::of(1, row(1).tokens().unwrap(), START).unwrap();
    assert_eq!(store.open_intent("u", first, &intent).await.unwrap(), Saved::Stored);
    assert_eq!(store.finish("u", first, 1, &row(2)).await.unwrap(), Saved::Stored);
    let second = lease(&store).await;
    assert_eq!(second.0, first.0 + 1, "each lease was given once");
    store.release("u", second, IntentFate::NothingHappened).await.unwrap();
    assert_eq!(store.load("u").await.unwrap().unwrap().generation, 2);
    assert_eq!(store.events(0, 1000).await.unwrap().len(), events + 1, "each event was recorded once");
    assert!(store.remove("u").await.unwrap());
    wire.lost() == 1
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whichever_answer_is_lost_the_write_recognises_itself() {
    let (place, mut lost) = (Database::new().await, 0);
    while a_refresh_with_a_loss(&place, lost).await {
        lost += 1;
    }
    assert!(lost > 20, "three answers to each of eight writes: {lost}");
}

/// A connection that ends at any time, over and over, costs no refresh.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_end_are_noticed_by_nobody() {
    let place = Database::new().await;
    let store = place.store().await;
    store.save("u", None, &row(1)).await.unwrap();
    for generation in 1..20 {
        place.0.end_connections();
        let fence = lease(&store).await;
        assert_eq!(store.finish("u", fence, generation, &row(generation + 1)).await.unwrap(), Saved::Stored);
    }
    assert_eq!(store.load("u").await.unwrap().unwrap().generation, 20);
}
