use http::Method;
use serde_json::json;

use crate::calls::Sandbox;

#[tokio::test]
async fn webhooks_are_made_listed_and_removed() {
    let sandbox = Sandbox::new();
    let owner = sandbox.owner();
    for url in [
        "https://partner.example.com/hook",
        "http://localhost:9000/hook",
        "http://127.0.0.1/hook",
        "http://[::1]:1/hook",
    ] {
        let made = sandbox.post("/v1/webhooks", owner, json!({ "event": "peopleUpdated", "url": url })).await;
        assert_eq!((made.status.as_u16(), made.json()["url"].clone()), (201, json!(url)));
    }
    assert_eq!(sandbox.get("/v1/webhooks", owner).await.ids("webhooks"), [4, 3, 2, 1]);
    let removed = sandbox.call(Method::DELETE, "/v1/webhooks/4", owner, "").await;
    assert_eq!((removed.status.as_u16(), removed.text.as_str()), (204, ""));
    assert_eq!(sandbox.call(Method::DELETE, "/v1/webhooks/4", owner, "").await.refusal().0, 404);
    assert_eq!(sandbox.get("/v1/webhooks/4", owner).await.refusal().0, 404);
    // Ids are not given out twice.
    let made =
        sandbox.post("/v1/webhooks", owner, json!({ "event": "notesCreated", "url": "https://a.example.com" })).await;
    assert_eq!(made.json()["id"], json!(5));
}

#[tokio::test]
async fn bad_webhooks_are_400() {
    let sandbox = Sandbox::new();
    for (hook, says) in [
        (json!({ "url": "https://a.example.com" }), "\"event\" must be one of peopleCreated"),
        (json!({ "event": "everything", "url": "https://a.example.com" }), "\"event\" must be one of"),
        (json!({ "event": "peopleCreated" }), "\"url\""),
        (json!({ "event": "peopleCreated", "url": "http://a.example.com" }), "\"url\" must be an https URL"),
        (json!({ "event": "peopleCreated", "url": "javascript:alert(1)" }), "\"url\" must be an https URL"),
        (json!({ "event": "peopleCreated", "url": "/hook" }), "\"url\" must be an https URL"),
    ] {
        let (status, message) = sandbox.post("/v1/webhooks", sandbox.owner(), hook.clone()).await.refusal();
        assert!(status == 400 && message.contains(says), "{hook}: {status} {message}");
    }
}
