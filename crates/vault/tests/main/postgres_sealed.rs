//! What lies in the database, who can open it, and how keys change while several nodes have it open (matrix CL-07).

use crate::place::{Database, START, master, postgres, token_set};
use keyfob_client::{Evidence, LostReply, Saved, Standing, StoredConnection, TokenStore};
use keyfob_vault::store::{MasterKey, OpenError, RotationError};

const ACCESS: &str = "kf_at_needle_4fb1c2";
const REFRESH: &str = "kf_rt_needle_93ad77";

fn row(generation: u64) -> StoredConnection {
    StoredConnection::live(generation, token_set(ACCESS, REFRESH), START, None)
}

fn other_master() -> MasterKey {
    MasterKey::parse("Zm9yIHRlc3RzIG9ubHk6IG5vdCBhIHJlYWwga2V5ISE=").unwrap()
}

async fn refresh_token(store: &impl TokenStore, id: &str) -> String {
    let row = store.load(id).await.unwrap().unwrap();
    row.tokens().unwrap().refresh_token.as_ref().unwrap().expose().clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cl_07_no_token_is_found_in_any_table() {
    let place = Database::new().await;
    let store = place.store().await;
    for number in 0..20 {
        store.save(&format!("c{number}"), None, &row(1)).await.unwrap();
    }
    let said = keyfob_protocol::token_reply::ReceivedError {
        code: "invalid_grant".to_owned(),
        description: Some(format!("{REFRESH} is unknown")),
        details: Vec::new(),
    };
    let evidence = Evidence { status: 400, error: Some(said), reply: None };
    let lost = Standing::LostReply(LostReply { since: START, begun_at: START, evidence, refused: None });
    store.save("c0", Some(1), &StoredConnection { standing: lost, ..row(2) }).await.unwrap();
    // Everything as text, bytes as hexadecimal digits.
    let dump = place.0.sql(
        "SELECT to_jsonb(c) FROM connections c; SELECT to_jsonb(e) FROM events e; SELECT to_jsonb(l) FROM leases l; \
         SELECT to_jsonb(i) FROM intents i; SELECT to_jsonb(k) FROM data_keys k; SELECT to_jsonb(v) FROM vault v",
    );
    assert!(dump.contains("lost_reply") && dump.contains("c19"), "the search would find what is in clear");
    for needle in [ACCESS, REFRESH, "needle", master().to_text().expose()] {
        let hexadecimal: String = needle.bytes().map(|byte| format!("{byte:02x}")).collect();
        assert!(!dump.contains(needle) && !dump.contains(&hexadecimal), "{needle} lies in clear");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_master_key_is_named_and_changes_nothing() {
    let place = Database::new().await;
    place.store().await.save("u", None, &row(1)).await.unwrap();
    let before = place.0.sql("SELECT * FROM data_keys; SELECT * FROM vault");
    assert!(matches!(place.store_under(other_master()).await, Err(OpenError::WrongMasterKey)));
    assert_eq!(place.0.sql("SELECT * FROM data_keys; SELECT * FROM vault"), before);
    assert_eq!(refresh_token(&place.store().await, "u").await, REFRESH);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_programs_database_is_left_as_it_is() {
    for theirs in [
        "CREATE TABLE contacts (name TEXT)",
        // An authority's, in part.
        "CREATE TABLE schema_version (version BIGINT); CREATE TABLE store (key_check BYTEA)",
    ] {
        let place = Database::new().await;
        place.0.sql(theirs);
        let error = place.store_under(master()).await.unwrap_err();
        assert!(matches!(&error, OpenError::Postgres(_)) && error.to_string().contains("another program"), "{error}");
        assert_eq!(place.0.sql("SELECT count(*) FROM pg_tables WHERE tablename = 'connections'"), "0");
    }
    let place = Database::new().await;
    drop(place.store().await);
    place.0.sql("UPDATE schema_version SET version = 99");
    let error = place.store_under(master()).await.unwrap_err().to_string();
    assert!(error.contains("version 99") && error.contains("newer keyfob"), "{error}");
}

/// Sixteen nodes start on an empty database: one makes the vault, and all open the same one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_start_together_make_one_vault() {
    let place = Database::new().await;
    let starting: Vec<_> = (0..8)
        .map(|number| {
            let url = place.0.url();
            tokio::spawn(async move { (number, postgres(&url, master()).await.unwrap()) })
        })
        .collect();
    for start in starting {
        let (number, store) = start.await.unwrap();
        assert_eq!(store.save(&format!("c{number}"), None, &row(1)).await.unwrap(), Saved::Stored);
    }
    assert_eq!(place.0.sql("SELECT count(*) FROM data_keys"), "1");
    assert_eq!(place.store().await.page(None, 100).await.unwrap().len(), 8);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_or_swapped_row_is_named_and_the_others_live() {
    let place = Database::new().await;
    let store = place.store().await;
    for id in ["a", "b", "c", "d"] {
        store.save(id, None, &row(1)).await.unwrap();
    }
    place.0.sql(
        "UPDATE connections SET sealed = decode(repeat('00', 80), 'hex') WHERE id = 'a'; \
         UPDATE connections SET sealed = (SELECT sealed FROM connections WHERE id = 'd') WHERE id = 'b'; \
         UPDATE connections SET generation = 7 WHERE id = 'c'",
    );
    for id in ["a", "b", "c"] {
        let error = store.load(id).await.unwrap_err().to_string();
        assert!(error.contains(&format!("{id:?}")) && error.contains("damaged"), "{error}");
    }
    let listed = store.page(None, 10).await.unwrap();
    assert_eq!(listed.iter().map(|listed| listed.row.is_ok()).collect::<Vec<_>>(), [false, false, false, true]);
    // A new consent mends it.
    assert_eq!(store.save("a", Some(1), &row(2)).await.unwrap(), Saved::Stored);
    assert_eq!(refresh_token(&store, "a").await, REFRESH);
    // One that stays damaged keeps its key, and keeps nobody else from the next.
    store.rotate_data_key().await.unwrap();
    let step = store.reseal_some().await.unwrap();
    assert_eq!((step.rows, step.retired, step.finished), (2, 0, true));
    assert_eq!(refresh_token(&store, "d").await, REFRESH);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_data_key_changes_in_small_steps_while_two_nodes_write() {
    let place = Database::new().await;
    let (one, two) = (place.store().await, place.store().await);
    for number in 0..150 {
        one.save(&format!("c{number:03}"), None, &row(1)).await.unwrap();
    }
    // The other node writes all the while, on every row.
    let writer = tokio::spawn({
        let two = two.clone();
        async move {
            for generation in 1..4 {
                for number in 0..150 {
                    let id = format!("c{number:03}");
                    let saved = two.save(&id, Some(generation), &row(generation + 1)).await.unwrap();
                    assert_eq!(saved, Saved::Stored, "{id}, {generation}: resealing changes no generation");
                }
            }
        }
    });
    for _ in 0..3 {
        one.rotate_data_key().await.unwrap();
        while !one.reseal_some().await.unwrap().finished {}
    }
    writer.await.unwrap();
    while !one.reseal_some().await.unwrap().finished {}
    assert_eq!(place.0.sql("SELECT string_agg(number::text, ',') FROM data_keys"), "4");
    assert_eq!(place.0.sql("SELECT string_agg(DISTINCT data_key::text, ',') FROM connections"), "4");
    drop((one, two));
    let reopened = place.store().await;
    for number in 0..150 {
        assert_eq!(refresh_token(&reopened, &format!("c{number:03}")).await, REFRESH);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_master_key_changes_while_the_vault_is_in_use() {
    let place = Database::new().await;
    let (store, late) = (place.store().await, place.store().await);
    store.save("u", None, &row(1)).await.unwrap();
    store.rotate_master_key(other_master()).await.unwrap();
    assert_eq!(store.save("u", Some(1), &row(2)).await.unwrap(), Saved::Stored);
    assert_eq!(refresh_token(&late, "u").await, REFRESH, "an open node goes on");
    assert!(matches!(late.rotate_master_key(master()).await, Err(RotationError::OtherMasterKey)));
    let error = late.rotate_data_key().await.unwrap_err().to_string();
    assert!(error.contains("another master key"), "{error}");
    assert!(matches!(place.store_under(master()).await, Err(OpenError::WrongMasterKey)));
    store.rotate_data_key().await.unwrap();
    drop((store, late));
    let reopened = place.store_under(other_master()).await.unwrap();
    assert_eq!(refresh_token(&reopened, "u").await, REFRESH);
}

/// Whoever reads on from the last number that they saw misses nothing, however many nodes write.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_change_of_state_is_an_event_and_none_comes_late() {
    let place = Database::new().await;
    let nodes = [place.store().await, place.store().await];
    let writers: Vec<_> = (0..2)
        .map(|node| {
            let store = nodes[node].clone();
            tokio::spawn(async move {
                for number in 0..100 {
                    let id = format!("{node}-{number}");
                    store.save(&id, None, &row(1)).await.unwrap();
                    store.save(&id, Some(1), &row(2)).await.unwrap();
                    let denied = StoredConnection { standing: Standing::Denied, ..row(3) };
                    store.save(&id, Some(2), &denied).await.unwrap();
                }
            })
        })
        .collect();
    let (reader, mut seen) = (place.store().await, Vec::<(u64, String, String)>::new());
    while seen.len() < 400 {
        let after = seen.last().map_or(0, |(number, ..)| *number);
        seen.extend(reader.events(after, 7).await.unwrap().into_iter().map(|event| (event.number, event.id, event.to)));
    }
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(seen.iter().map(|(number, ..)| *number).collect::<Vec<_>>(), (1..=400).collect::<Vec<_>>());
    for state in ["connected", "denied"] {
        assert_eq!(seen.iter().filter(|(_, _, to)| to == state).count(), 200);
    }
    assert!(reader.events(400, 10).await.unwrap().is_empty());
}
