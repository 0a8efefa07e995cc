//! A store that is damaged, held or gone.

use super::desk::{BACKEND, Desk, refusal};
use keyfob_client::Method;
use serde_json::json;

#[tokio::test]
async fn a_damaged_row_is_told_its_neighbours_live_and_a_new_consent_mends_it() {
    let desk = Desk::new().await;
    for id in ["u1", "u2", "u3"] {
        desk.connect(id).await;
    }
    desk.sql("UPDATE connections SET sealed = zeroblob(length(sealed)) WHERE id = 'fub/u2'");
    let listed = desk.get("/connections?app=fub").await.json();
    let states: Vec<_> = listed["connections"].as_array().expect("a list").iter().map(|row| &row["state"]).collect();
    assert_eq!(states, ["connected", "unreadable", "connected"]);
    assert_eq!(desk.state("u2").await, "unreadable", "alone as in the list");
    let damaged = desk.get("/connections?app=fub&state=unreadable").await.json();
    assert_eq!(
        damaged["connections"].as_array().map(|rows| rows.iter().map(|row| &row["id"]).collect()),
        Some(vec![&json!("u2")])
    );
    for neighbour in ["u1", "u3"] {
        assert_eq!(desk.get(&format!("/proxy/fub/{neighbour}/v1/identity")).await.status, 200);
    }
    // A process that has it in memory may go on; one that starts now cannot.
    let mut desk = desk;
    desk.restart().await;
    // To try again would not help, and so it is not said.
    let unreadable = (409, "unreadable".to_owned());
    assert_eq!(refusal(&desk.get("/proxy/fub/u2/v1/identity").await), unreadable);
    assert_eq!(refusal(&desk.get("/connections/fub/u2/token").await), unreadable);
    let kept = desk.ask(Method::Delete, "/connections/fub/u2", "").await;
    assert_eq!(refusal(&kept), unreadable);
    assert!(kept.text.contains("?local=true removes it here"), "{}", kept.text);
    assert_eq!(refusal(&desk.get("/connections/fub/u").await).0, 404, "beside it");
    desk.connect("u2").await;
    assert_eq!(desk.state("u2").await, "connected");
    assert_eq!(desk.get("/proxy/fub/u2/v1/identity").await.status, 200);
}

#[tokio::test]
async fn rows_cannot_be_exchanged_or_renamed() {
    let mut desk = Desk::new().await;
    desk.connect("u1").await;
    assert!(desk.trip("u2", 1, "approve").await.starts_with("/end/connected"));
    desk.sql(
        "CREATE TABLE other AS SELECT sealed, generation FROM connections WHERE id = 'fub/u1';
         UPDATE connections SET sealed = (SELECT sealed FROM other), generation = (SELECT generation FROM other) WHERE id = 'fub/u2'",
    );
    desk.restart().await;
    assert_eq!(desk.get("/connections?app=fub").await.json()["connections"][1]["state"], "unreadable");
    assert_eq!(refusal(&desk.get("/proxy/fub/u2/v1/identity").await).0, 409);
}

#[tokio::test]
async fn while_the_store_is_held_the_answer_is_503_and_nothing_is_lost() {
    let desk = Desk::new().await;
    desk.connect("u1").await;
    let link = desk.link("u2").await;
    let (authorize, cookie) = desk.open(&link).await;
    let callback = desk.decided(&authorize, 0, "approve").await;
    let before = desk.told("u1").await;
    desk.sql("ALTER TABLE attempts RENAME TO attempts_gone; ALTER TABLE connections RENAME TO connections_gone");
    let start = json!({ "app": "fub", "id": "u3" }).to_string();
    let got = desk.ask_as(BACKEND, Method::Post, "/connections/start", &start).await;
    assert_eq!(refusal(&got), (503, "store_unavailable".to_owned()));
    assert_eq!(got.header("retry-after"), Some("1"));
    assert!(!got.text.contains("attempts"), "{}", got.text);
    assert_eq!(refusal(&desk.get("/connections?app=fub").await).0, 503);
    assert_eq!(refusal(&desk.get("/connections/fub/u1").await).0, 503);
    assert_eq!(desk.browse(&link, "").await.status, 503);
    assert_eq!(desk.browse(&callback, &cookie).await.status, 503);
    desk.sql("ALTER TABLE attempts_gone RENAME TO attempts; ALTER TABLE connections_gone RENAME TO connections");
    assert_eq!(desk.get("/proxy/fub/u1/v1/identity").await.status, 200);
    // The user who was told to try again can.
    assert_eq!(desk.browse(&callback, &cookie).await.header("location"), Some("/end/connected"));
    assert_eq!(desk.told("u1").await, before);
}
