//! Scopes never grow: TK-02 (spelling), RF-09.

use super::{assert_refused, code, connected};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keyfob_authority::model::AppPolicy;
use keyfob_protocol::scope::Scope;
use keyfob_testkit::{Answer, TestApp, TestServer};

fn scope(text: &str) -> Scope {
    Scope::parse(text).expect("a scope")
}

/// The `scope` claim of an access token.
fn claim(access_token: &str) -> Option<String> {
    let payload = access_token.split('.').nth(1).expect("a JWT");
    let claims: serde_json::Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).expect("base64url")).expect("JSON");
    claims["scope"].as_str().map(str::to_owned)
}

async fn start() -> (TestServer, TestApp) {
    let server = TestServer::start().await;
    let policy = AppPolicy {
        allowed_scope: scope("people deals notes"),
        default_scope: scope("people deals"),
        ..AppPolicy::default()
    };
    let app = server.app("Scoped", policy).await;
    (server, app)
}

async fn refresh(server: &TestServer, app: &TestApp, token: &str, scope: &str) -> Answer {
    app.post(server, &[("grant_type", "refresh_token"), ("refresh_token", token), ("scope", scope)]).await
}

#[tokio::test]
async fn tk_02_scope_is_named_where_one_was_granted() {
    let (server, app) = start().await;
    let answer = app.exchange(&server, &code(&server, &app).await).await;
    assert_eq!(answer.at("scope"), "deals people");
    assert_eq!(claim(&answer.at("access_token")).as_deref(), Some("deals people"));
    let by_get = app.exchange_by_get(&server, &code(&server, &app).await).await;
    assert_eq!(by_get.json()["data"]["scope"], serde_json::Value::Null, "the legacy envelope has no such key");
}

#[tokio::test]
async fn rf_09_scope_may_only_narrow_and_narrowing_does_not_shrink_the_grant() {
    let (server, app) = start().await;
    let token = connected(&app.exchange(&server, &code(&server, &app).await).await).refresh_token;
    for broader in ["people deals notes", "notes", "admin", "people  admin", "peopl", "PEOPLE", "people\"", "é"] {
        assert_refused(&refresh(&server, &app, &token, broader).await, "invalid_scope");
    }
    let narrow = refresh(&server, &app, &token, "people").await;
    assert_eq!(narrow.at("scope"), "people");
    assert_eq!(claim(&narrow.at("access_token")).as_deref(), Some("people"));
    for full in ["deals people", "people deals people", ""] {
        let full = refresh(&server, &app, &token, full).await;
        assert_eq!(claim(&full.at("access_token")).as_deref(), Some("deals people"));
    }
}

#[tokio::test]
async fn rf_09_a_scope_of_spaces_is_not_the_whole_role() {
    let (server, app) = start().await;
    let token = connected(&app.exchange(&server, &code(&server, &app).await).await).refresh_token;
    for blank in [" ", "   "] {
        // A token without the claim would be good for everything the user may do.
        assert_refused(&refresh(&server, &app, &token, blank).await, "invalid_scope");
    }
}
