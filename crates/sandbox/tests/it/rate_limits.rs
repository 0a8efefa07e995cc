use http::Method;
use keyfob_sandbox::seed::Role;
use serde_json::json;

use crate::calls::{Answer, Sandbox, basic};

/// Limit, remaining, window, context.
fn standing(answer: &Answer) -> (&str, &str, &str, &str) {
    let header = |name| answer.header(name).unwrap_or_else(|| panic!("{name} is missing"));
    (
        header("x-ratelimit-limit"),
        header("x-ratelimit-remaining"),
        header("x-ratelimit-window"),
        header("x-ratelimit-context"),
    )
}

#[tokio::test]
async fn br_12_every_authenticated_answer_says_where_the_caller_stands() {
    let sandbox = Sandbox::new();
    let owner = sandbox.owner();
    assert_eq!(standing(&sandbox.get("/v1/identity", owner).await), ("125", "124", "10", "global"));
    assert_eq!(standing(&sandbox.get("/v1/nothing", owner).await), ("125", "123", "10", "global"));
    assert_eq!(standing(&sandbox.get("/v1/people?limit=0", owner).await), ("125", "122", "10", "global"));
    assert_eq!(standing(&sandbox.call(Method::DELETE, "/v1/people", owner, "").await), ("125", "121", "10", "global"));
    assert_eq!(standing(&sandbox.get("/v1/events", owner).await), ("20", "19", "10", "events"));
    assert_eq!(standing(&sandbox.get("/v1/notes/1", owner).await), ("10", "9", "10", "notes"));
    assert_eq!(standing(&sandbox.put("/v1/people/1", owner, json!({})).await), ("25", "24", "10", "PUT.people"));
    assert_eq!(standing(&sandbox.get("/v1/people/1", owner).await), ("125", "120", "10", "global"));
    // The account is what is counted, not the user.
    assert_eq!(standing(&sandbox.get("/v1/me", sandbox.user(1, Role::Agent, 0)).await), ("125", "119", "10", "global"));
    assert_eq!(standing(&sandbox.get("/v1/me", sandbox.user(2, Role::Agent, 0)).await), ("125", "124", "10", "global"));
}

#[tokio::test]
async fn br_12_a_system_has_a_window_of_its_own_twice_as_large() {
    let sandbox = Sandbox::new();
    let key = basic(sandbox.owner().api_key.expose());
    let system = [("authorization", key.as_str()), ("x-system", "Partner"), ("x-system-key", "k")];
    let answer = sandbox.send(Method::GET, "/v1/identity", &system, "").await;
    assert_eq!(standing(&answer), ("250", "249", "10", "global"));
    let half = sandbox.send(Method::GET, "/v1/identity", &system[..2], "").await;
    assert_eq!(standing(&half), ("125", "124", "10", "global"));
}

#[tokio::test]
async fn br_12_one_too_many_is_429_unprocessed_and_recovers() {
    let sandbox = Sandbox::new();
    let owner = sandbox.owner();
    let note = json!({ "personId": 1, "body": "counted" });
    for nth in 0..4 {
        assert_eq!(sandbox.post("/v1/notes", owner, note.clone()).await.status, 201, "{nth}");
    }
    sandbox.advance(7);
    for nth in 4..10 {
        assert_eq!(sandbox.post("/v1/notes", owner, note.clone()).await.status, 201, "{nth}");
    }
    let refused = sandbox.post("/v1/notes", owner, note.clone()).await;
    assert_eq!(refused.refusal().0, 429);
    assert_eq!(refused.header("retry-after"), Some("3"));
    assert_eq!(standing(&refused), ("10", "0", "10", "notes"));
    assert_eq!(refused.header("fub-account-id"), Some("1"));
    // Other contexts go on.
    assert_eq!(sandbox.get("/v1/identity", owner).await.status, 200);

    sandbox.advance(2);
    assert_eq!(sandbox.post("/v1/notes", owner, note.clone()).await.header("retry-after"), Some("1"));
    sandbox.advance(1);
    // The window slides: four have left it, six are still in.
    for left in ["3", "2", "1", "0"] {
        let answer = sandbox.post("/v1/notes", owner, note.clone()).await;
        assert_eq!((answer.status.as_u16(), standing(&answer).1), (201, left));
    }
    assert_eq!(sandbox.post("/v1/notes", owner, note.clone()).await.header("retry-after"), Some("7"));

    sandbox.advance(10);
    let written = sandbox.get("/v1/notes?personId=1&limit=100", owner).await.json();
    let counted = written["notes"].as_array().unwrap().iter().filter(|note| note["body"] == "counted").count();
    assert_eq!(counted, 14);
}

#[tokio::test]
async fn br_12_the_limits_of_each_context_hold() {
    let sandbox = Sandbox::new();
    let owner = sandbox.owner();
    for (method, path, limit) in [
        (Method::GET, "/v1/identity", 125),
        (Method::GET, "/v1/events", 20),
        (Method::GET, "/v1/notes", 10),
        (Method::PUT, "/v1/people/1", 25),
    ] {
        for nth in 0..limit {
            assert_eq!(sandbox.call(method.clone(), path, owner, "{}").await.status, 200, "{path} {nth}");
        }
        assert_eq!(sandbox.call(method, path, owner, "{}").await.status, 429, "{path}");
    }
}
