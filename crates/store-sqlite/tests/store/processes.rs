//! Two processes, and two stores in one process, on one file.

use std::process::Command;
use std::sync::Arc;

use keyfob_authority::conformance::build::{account, active, approved, insert, update, user};
use keyfob_authority::model::{User, UserId, UserStatus};
use keyfob_authority::store::{Administered, Administration, GrantFilter, Replacement, Store as _, Written};
use keyfob_store_sqlite::{Options, SqliteStore};

use super::place::Place;

const FILE: &str = "KEYFOB_TEST_FILE_OF_THE_PARENT";
const EACH: u32 = 300;

/// Rotates one grant `EACH` times against everybody else who does.
async fn rotate(store: &SqliteStore, nonces: u64) {
    let mut won = 0;
    let mut nonce = nonces;
    while won < EACH {
        nonce += 1;
        let state = store.held_grant(approved(1).id).await.unwrap().unwrap().grant.state;
        let next = active(state.version().generation + 1, 0);
        if store.write_grant(update(nonce, approved(1).id, &state, next)).await.unwrap() == Written::Won {
            won += 1;
        }
    }
}

/// The other process: this test binary, told by the environment which file to use.
#[tokio::test]
async fn child() {
    let Ok(file) = std::env::var(FILE) else { return };
    let store = SqliteStore::open(file, &Options::default()).unwrap();
    rotate(&store, 1 << 32).await;
    let added = store.administer(Administration::AddAccount(account()), vec![], vec![]).await.unwrap();
    assert_eq!(added, Administered::Done(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_share_a_file_and_no_write_is_lost() {
    let place = Place::new();
    let store = Arc::new(place.store());
    assert_eq!(store.write_grant(insert(1, approved(1))).await.unwrap(), Written::Won);
    let version = store.settings_version().await.unwrap();
    let mut other = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "store::processes::child"])
        .env(FILE, place.file("keyfob.db"))
        .spawn()
        .unwrap();
    rotate(&store, 1 << 40).await;
    let status = tokio::task::spawn_blocking(move || other.wait().unwrap()).await.unwrap();
    assert!(status.success());
    let grant = store.held_grant(approved(1).id).await.unwrap().unwrap().grant;
    assert_eq!(grant.state.version().generation, 2 * EACH);
    assert_eq!(store.settings_version().await.unwrap(), version + 1, "a change by the other process is seen");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_stores_of_one_process_share_a_file() {
    let place = Place::new();
    let open = || {
        let file = place.file("keyfob.db");
        std::thread::spawn(move || SqliteStore::open(file, &Options::default()).unwrap())
    };
    let (one, two) = (open(), open());
    let (one, two) = (one.join().unwrap(), two.join().unwrap());
    assert_eq!(one.write_grant(insert(1, approved(1))).await.unwrap(), Written::Won);
    tokio::join!(rotate(&one, 1 << 32), rotate(&two, 1 << 40));
    drop(one);
    // The other's locks are still held: a third comer may not take the log away under it.
    drop(SqliteStore::open(place.file("keyfob.db"), &Options::default()).unwrap());
    assert_eq!(two.write_grant(insert(2, approved(2))).await.unwrap(), Written::Won);
    let grants = two.grants(GrantFilter::default(), 10).await.unwrap();
    assert_eq!(grants[1].state.version().generation, 2 * EACH);
}

#[tokio::test]
async fn rf_10_a_holder_changed_through_another_store_counts_from_the_next_read_on() {
    let place = Place::new();
    let (ours, other) = (place.store(), place.store());
    let administer = async |change| {
        let done = other.administer(change, vec![], vec![]).await.unwrap();
        assert!(matches!(done, Administered::Done(_)), "{done:?}");
    };
    administer(Administration::AddAccount(account())).await;
    administer(Administration::AddUser(user(1))).await;
    assert_eq!(ours.write_grant(insert(1, approved(1))).await.unwrap(), Written::Won);
    let status = async || ours.held_grant(approved(1).id).await.unwrap().unwrap().holder.user;
    for expected in [UserStatus::Active, UserStatus::Disabled, UserStatus::Active] {
        let row = User { id: UserId(1), status: expected, ..user(1) };
        let read_at = other.settings_version().await.unwrap();
        administer(Administration::UpdateUser(Replacement { row, read_at })).await;
        assert_eq!(status().await, Some(expected));
        assert_eq!(status().await, Some(expected), "and from memory");
    }
    administer(Administration::RemoveUser(UserId(1))).await;
    assert_eq!(status().await, None);
}
