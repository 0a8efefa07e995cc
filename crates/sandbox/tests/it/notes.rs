use serde_json::json;

use crate::calls::Sandbox;

#[tokio::test]
async fn a_note_is_201_and_listed() {
    let sandbox = Sandbox::new();
    let owner = sandbox.owner();
    let made =
        sandbox.post("/v1/notes", owner, json!({ "personId": 7, "subject": "Call", "body": "Rang twice." })).await;
    assert_eq!(made.status, 201);
    let made = made.json();
    assert_eq!(
        (&made["personId"], &made["createdBy"], &made["isHtml"]),
        (&json!(7), &json!(owner.name()), &json!(false))
    );
    assert_eq!(made["created"], json!("2026-11-16T17:00:00Z"));
    let listed = sandbox.get("/v1/notes?personId=7", owner).await.json();
    assert_eq!(listed["notes"][0], made);
    assert_eq!(listed["_metadata"]["collection"], json!("notes"));
    assert_eq!(sandbox.get(&format!("/v1/notes/{}", made["id"]), owner).await.json(), made);
}

#[tokio::test]
async fn bad_notes_are_400_or_404() {
    let sandbox = Sandbox::new();
    for (note, status, says) in [
        (json!({ "body": "x" }), 400, "\"personId\""),
        (json!({ "personId": "7", "body": "x" }), 400, "\"personId\" must be a whole number"),
        (json!({ "personId": 7 }), 400, "\"body\""),
        (json!({ "personId": 7, "body": "  " }), 400, "\"body\""),
        (json!({ "personId": 7, "body": "x", "isHtml": "yes" }), 400, "\"isHtml\" must be true or false"),
        (json!({ "personId": 100_000, "body": "x" }), 404, "person"),
        (json!({ "personId": 250, "body": "of another account" }), 404, "person"),
    ] {
        let (found, message) = sandbox.post("/v1/notes", sandbox.owner(), note.clone()).await.refusal();
        assert!(found == status && message.contains(says), "{note}: {found} {message}");
    }
}
