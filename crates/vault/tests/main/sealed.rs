//! What lies in the files, who can open them, and how keys change (matrix CL-07).

use crate::place::{Directory, START, master, token_set};
use keyfob_client::{Evidence, Identity, LostReply, Saved, Standing, StoredConnection, TokenStore};
use keyfob_vault::store::{MasterKey, OpenError, RotationError};
use std::os::unix::fs::PermissionsExt;

const ACCESS: &str = "kf_at_needle_4fb1c2";
const REFRESH: &str = "kf_rt_needle_93ad77";

fn row(generation: u64) -> StoredConnection {
    StoredConnection::live(generation, token_set(ACCESS, REFRESH), START, None)
}

fn contains(bytes: &[u8], needle: &str) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle.as_bytes())
}

fn other_master() -> MasterKey {
    MasterKey::parse("Zm9yIHRlc3RzIG9ubHk6IG5vdCBhIHJlYWwga2V5ISE=").unwrap()
}

async fn refresh_token(store: &impl TokenStore, id: &str) -> String {
    let row = store.load(id).await.unwrap().unwrap();
    row.tokens().unwrap().refresh_token.as_ref().unwrap().expose().clone()
}

#[tokio::test]
async fn cl_07_no_token_is_found_in_any_file() {
    let place = Directory::new();
    let store = place.store();
    for number in 0..50 {
        store.save(&format!("c{number}"), None, &row(1)).await.unwrap();
    }
    // What a careless authority repeats in its errors is sealed as well.
    let said = keyfob_protocol::token_reply::ReceivedError {
        code: "invalid_grant".to_owned(),
        description: Some(format!("{REFRESH} is unknown")),
        details: Vec::new(),
    };
    let evidence = Evidence { status: 400, error: Some(said), reply: None };
    let lost = Standing::LostReply(LostReply { since: START, begun_at: START, evidence, refused: None });
    store.save("c0", Some(1), &StoredConnection { standing: lost, ..row(2) }).await.unwrap();
    let open = place.bytes();
    drop(store);
    for bytes in [open, place.bytes()] {
        // The search would find what is in clear.
        assert!(contains(&bytes, "lost_reply") && contains(&bytes, "c49"));
        for needle in [ACCESS, REFRESH, "needle", &master().to_text().expose()[..20]] {
            assert!(!contains(&bytes, needle), "{needle} lies in clear");
        }
    }
    let mode = std::fs::metadata(place.file()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn a_wrong_master_key_is_named_and_changes_nothing() {
    let place = Directory::new();
    place.store().save("u", None, &row(1)).await.unwrap();
    let before = std::fs::read(place.file()).unwrap();
    assert!(matches!(place.store_under(other_master()), Err(OpenError::WrongMasterKey)));
    assert_eq!(std::fs::read(place.file()).unwrap(), before);
    assert_eq!(refresh_token(&place.store(), "u").await, REFRESH);
}

#[tokio::test]
async fn another_programs_file_is_left_as_it_is() {
    for content in [b"not a database, but somebody's letter ".repeat(50), other_database()] {
        let place = Directory::new();
        std::fs::write(place.file(), &content).unwrap();
        assert!(matches!(place.store_under(master()), Err(OpenError::NotAVault(_))));
        assert_eq!(std::fs::read(place.file()).unwrap(), content);
    }
}

fn other_database() -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("other.db");
    rusqlite::Connection::open(&file).unwrap().execute_batch("CREATE TABLE contacts (name TEXT)").unwrap();
    std::fs::read(file).unwrap()
}

#[tokio::test]
async fn a_damaged_or_swapped_row_is_named_and_the_others_live() {
    let place = Directory::new();
    let store = place.store();
    for id in ["a", "b", "c", "d"] {
        store.save(id, None, &row(1)).await.unwrap();
    }
    let raw = rusqlite::Connection::open(place.file()).unwrap();
    raw.execute_batch(
        "UPDATE connections SET sealed = zeroblob(80) WHERE id = 'a'; \
         UPDATE connections SET sealed = (SELECT sealed FROM connections WHERE id = 'd') WHERE id = 'b'; \
         UPDATE connections SET generation = 7 WHERE id = 'c'",
    )
    .unwrap();
    for id in ["a", "b", "c"] {
        let error = store.load(id).await.unwrap_err().to_string();
        assert!(error.contains(&format!("{id:?}")) && error.contains("damaged"), "{error}");
    }
    assert_eq!(refresh_token(&store, "d").await, REFRESH);
    // A new consent mends it.
    assert_eq!(store.save("a", Some(1), &row(2)).await.unwrap(), Saved::Stored);
    assert_eq!(refresh_token(&store, "a").await, REFRESH);
}

#[tokio::test]
async fn the_data_key_changes_in_small_steps_while_two_processes_write() {
    let place = Directory::new();
    let (one, two) = (place.store(), place.store());
    for number in 0..150 {
        one.save(&format!("c{number:03}"), None, &row(1)).await.unwrap();
    }
    one.rotate_data_key().await.unwrap();
    // A process that knows nothing of it writes under the new key at once.
    assert_eq!(two.save("c000", Some(1), &row(2)).await.unwrap(), Saved::Stored);
    let keys = |store: &str| -> u32 {
        rusqlite::Connection::open(place.file()).unwrap().query_row(store, [], |row| row.get(0)).unwrap()
    };
    assert_eq!(keys("SELECT data_key FROM connections WHERE id = 'c000'"), 2);
    let mut steps = Vec::new();
    loop {
        let step = one.reseal_some().await.unwrap();
        steps.push(step.rows);
        if step.finished {
            assert_eq!(step.retired, 1);
            break;
        }
    }
    assert_eq!(steps, [64, 64, 21]);
    assert_eq!(keys("SELECT count(*) FROM data_keys"), 1);
    for number in 0..150 {
        assert_eq!(refresh_token(&two, &format!("c{number:03}")).await, REFRESH);
    }
    drop((one, two));
    assert_eq!(refresh_token(&place.store(), "c149").await, REFRESH);
}

#[tokio::test]
async fn the_master_key_changes_while_the_vault_is_in_use() {
    let place = Directory::new();
    let store = place.store();
    let late = place.store();
    store.save("u", None, &row(1)).await.unwrap();
    store.rotate_master_key(other_master()).await.unwrap();
    assert_eq!(store.save("u", Some(1), &row(2)).await.unwrap(), Saved::Stored);
    assert_eq!(refresh_token(&late, "u").await, REFRESH, "an open process goes on");
    assert!(matches!(late.rotate_master_key(master()).await, Err(RotationError::OtherMasterKey)));
    let error = late.rotate_data_key().await.unwrap_err().to_string();
    assert!(error.contains("another master key"), "{error}");
    assert!(matches!(place.store_under(master()), Err(OpenError::WrongMasterKey)));
    store.rotate_data_key().await.unwrap();
    drop((store, late));
    let reopened = place.store_under(other_master()).unwrap();
    assert_eq!(refresh_token(&reopened, "u").await, REFRESH);
}

#[tokio::test]
async fn every_change_of_state_is_an_event_and_nothing_else_is() {
    let place = Directory::new();
    let store = place.store();
    store.save("u", None, &row(1)).await.unwrap();
    let identity: Identity = serde_json::from_str(r#"{"account":{"id":1},"user":{"id":2}}"#).unwrap();
    let pinned = StoredConnection { identity: Some(identity), ..row(2) };
    store.save("u", Some(1), &pinned).await.unwrap();
    store.save("u", Some(2), &StoredConnection { standing: Standing::Denied, ..row(3) }).await.unwrap();
    let told: Vec<_> =
        store.events(0, 10).await.unwrap().into_iter().map(|event| (event.generation, event.to)).collect();
    assert_eq!(told, [(1, "connected".to_owned()), (3, "denied".to_owned())]);
    assert_eq!(store.events(1, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_full_disk_is_named_and_loses_nothing() {
    let place = Directory::new();
    let store = place.store();
    store.save("u", None, &row(1)).await.unwrap();
    let raw = rusqlite::Connection::open(place.file()).unwrap();
    let pages: u32 = raw.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
    store.limit_pages_for_tests(pages).await.unwrap();
    let big = "x".repeat(100_000);
    let large = StoredConnection::live(2, token_set(&big, REFRESH), START, None);
    let error = store.save("u", Some(1), &large).await.unwrap_err().to_string();
    assert!(error.contains("no space"), "{error}");
    assert_eq!(store.load("u").await.unwrap().unwrap().generation, 1);
    store.limit_pages_for_tests(1_000_000).await.unwrap();
    assert_eq!(store.save("u", Some(1), &large).await.unwrap(), Saved::Stored);
}
