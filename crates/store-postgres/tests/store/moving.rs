//! Moves between both kinds of store, and what a held or left database means to nodes that have it open.

use keyfob_authority::conformance::build::{NOW, approved, id, insert, revocation};
use keyfob_authority::conformance::moving::{claimed, hostile_rows, move_to};
use keyfob_authority::moving::{Moved, TABLES};
use keyfob_authority::store::StoreError;
use keyfob_store_sqlite::SqliteStore;
use std::time::Duration;

use super::place::Place;

fn content(moved: &Moved) -> Vec<(&'static str, u64, String, Option<i64>)> {
    let tables = moved.tables.iter();
    tables.map(|table| (table.name, table.rows, table.digest.clone(), table.last_number)).collect()
}

/// The digest is the same on both kinds, and after a whole round the rows are.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_go_from_one_kind_to_the_other_and_back_unchanged() {
    let (first, second) = (Place::new().await, Place::new().await);
    drop(claimed(&first).await);
    let source = keyfob_authority::conformance::Place::rows(&first).await;
    source.clear().await.unwrap();
    for table in TABLES {
        source.add(table, hostile_rows(table)).await.unwrap();
    }
    let middle = SqliteStore::ephemeral().unwrap();
    let there = move_to(&*source, &middle, false).await.unwrap();
    let last = keyfob_authority::conformance::Place::rows(&second).await;
    let back = move_to(&middle, &*last, false).await.unwrap();
    assert_eq!(content(&there), content(&back));
    assert!(content(&back).iter().all(|(_, rows, _, _)| *rows == 6));
    let sum = "SELECT sum(hashtext(l::text)::bigint) || ' ' || count(*) FROM (TABLE ledger) l";
    assert_eq!(first.database.sql(sum), second.database.sql(sum));
}

/// A text that only one of both can hold is named, and nothing of it arrives.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_nul_in_a_text_is_refused_by_name() {
    let place = Place::new().await;
    let store = SqliteStore::ephemeral().unwrap();
    let opener = keyfob_authority::conformance::moving::opener();
    opener.open(&store, NOW, &keyfob_testkit::SeededEntropy::new(1)).await.unwrap();
    let sql = "INSERT INTO accounts (name, domain, status, tokens_after, created_at) VALUES ('a' || char(0) || 'b', 'c', 'active', 0, 0)";
    store.engine().write(move |connection| connection.execute(sql, [])).await.unwrap();
    let target = keyfob_authority::conformance::Place::rows(&place).await;
    let error = move_to(&store, &*target, false).await.unwrap_err().to_string();
    assert!(error.contains("column name") && error.contains("NUL") && !error.contains("a\0b"), "{error}");
    assert_eq!(place.database.sql("SELECT count(*) FROM accounts"), "0");
}

/// Held: reads are answered, writes are unavailable and never half done; released: they go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_held_store_answers_reads_and_is_unavailable_for_writes_until_it_is_let_go() {
    let place = Place::new().await;
    let store = claimed(&place).await;
    let rows = keyfob_authority::conformance::Place::rows(&place).await;
    rows.hold().await.unwrap();
    store.settings_version().await.unwrap();
    let both = async { tokio::join!(store.write_grant(insert(1, approved(1))), store.raise_tick(NOW)) };
    let (grant, tick) = tokio::time::timeout(Duration::from_secs(25), both).await.unwrap();
    assert!(matches!(grant, Err(StoreError::Unavailable(_))), "{grant:?}");
    assert!(matches!(tick, Err(StoreError::Unavailable(_))), "{tick:?}");
    rows.close().await;
    store.raise_tick(NOW).await.unwrap();
    keyfob_authority::conformance::build::win(&*store, insert(2, approved(1))).await;
}

/// Whoever waited for the end of the move is refused at that moment: an answered write must not lie where nobody reads any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_write_that_waits_while_the_store_is_left_is_refused_and_later_ones_are_too() {
    let place = Place::new().await;
    let store = claimed(&place).await;
    let rows = keyfob_authority::conformance::Place::rows(&place).await;
    rows.hold().await.unwrap();
    let waiting: Vec<_> = (1..=8)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move { store.write_grant(insert(number.into(), approved(number))).await })
        })
        .collect();
    let revoking = {
        let mut write = insert(9, approved(9));
        write.revocations = vec![revocation(id(9))];
        let store = store.clone();
        tokio::spawn(async move { store.write_grant(write).await })
    };
    let waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    let somebody_waits = async {
        while place.database.sql(waits) == "0" {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), somebody_waits).await.expect("somebody waits");
    let row = rows.store_row().await.unwrap();
    rows.leave(row).await.unwrap();
    for waiting in waiting.into_iter().chain([revoking]) {
        let written = waiting.await.unwrap();
        assert!(matches!(written, Err(StoreError::Unavailable(_))), "{written:?}");
    }
    assert_eq!(place.database.sql("SELECT count(*) FROM grants"), "0");
    for refused in
        [store.raise_tick(NOW).await.map(drop), store.probe().await, store.sweep_rest(NOW, NOW, NOW, 9).await.map(drop)]
    {
        assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    }
    store.settings_version().await.unwrap();
}
