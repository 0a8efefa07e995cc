//! TK-16: an app has a token for itself, where that is enabled for it.

use super::about_token::{add_api, introspect, revoke};
use super::{HOUR, assert_refused, get_form, identity, node};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keyfob_authority::Decision;
use keyfob_authority::model::AppPolicy;
use keyfob_authority::register::{NewApp, RegisterRefusal};
use keyfob_protocol::Clock;
use keyfob_protocol::scope::Scope;
use keyfob_testkit::{Answer, ManualClock, REDIRECT_URI, START, TestApp, TestServer};
use serde_json::{Value, json};
use std::sync::Arc;

fn scope(text: &str) -> Scope {
    Scope::parse(text).expect("a scope")
}

fn enabled() -> AppPolicy {
    AppPolicy {
        client_credentials: true,
        allowed_scope: scope("people notes"),
        default_scope: scope("people"),
        ..AppPolicy::default()
    }
}

async fn ask(server: &TestServer, app: &TestApp, more: &[(&str, &str)]) -> Answer {
    app.post(server, &[&[("grant_type", "client_credentials")], more].concat()).await
}

fn claims(answer: &Answer) -> Value {
    assert_eq!(answer.status(), 200, "{}", answer.text());
    let token = answer.at("access_token");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1).expect("a JWT")).expect("base64url"))
        .expect("JSON")
}

#[tokio::test]
async fn tk_16_a_token_for_the_app_itself_without_a_refresh_token() {
    let server = TestServer::start().await;
    let app = server.app("Nightly Export", enabled()).await;
    let answer = ask(&server, &app, &[]).await;
    let members: Vec<_> = answer.json().as_object().expect("an object").keys().cloned().collect();
    assert_eq!(members, ["access_token", "token_type", "expires_in", "scope"]);
    let claims = claims(&answer);
    for (claim, value) in [
        ("sub", json!(app.client_id())),
        ("client_id", json!(app.client_id())),
        ("aud", json!("https://auth.example.com")),
        ("scope", json!("people")),
        ("exp", json!(server.clock_now().plus(HOUR))),
        ("gid", Value::Null),
        ("acc", Value::Null),
    ] {
        assert_eq!(claims[claim], value, "{claim}");
    }
    // Genuine, and nobody's.
    let answer = server.call("/v1/identity", &answer.at("access_token")).await;
    assert_eq!(answer.status(), 403, "{}", answer.text());
    assert_eq!(server.store().grants(Default::default(), 10).await.expect("no fault"), []);
}

#[tokio::test]
async fn tk_16_off_by_default_and_never_for_public_apps_or_by_get() {
    let server = TestServer::start().await;
    let (app, public) = (server.confidential_app("Plain").await, server.public_app("Pocket").await);
    for app in [&app, &public] {
        assert_refused(&ask(&server, app, &[]).await, "unauthorized_client");
    }
    let app = server.app("Nightly Export", enabled()).await;
    let by_get = get_form(&server, &[("authorization", &app.basic())], &[("grant_type", "client_credentials")]).await;
    assert_eq!((by_get.status(), by_get.at("errorCode").as_str()), (400, "invalid-grant-type"));
    let stranger = TestApp { secret: Some("wrong".into()), ..app };
    assert_eq!(ask(&server, &stranger, &[]).await.status(), 401);

    let policy = AppPolicy { public: true, ..enabled() };
    let new = NewApp { name: "Both".to_owned(), redirect_uris: vec![REDIRECT_URI.to_owned()], policy };
    let refused = server.authority().register_app(&server.system, new, server.clock_now()).await.expect("no fault");
    assert!(matches!(refused, Decision::Refused(RegisterRefusal::Policy(_))), "{refused:?}");
}

#[tokio::test]
async fn tk_16_the_scope_is_within_the_allowed() {
    let server = TestServer::start().await;
    let app = server.app("Nightly Export", enabled()).await;
    for (asked, granted) in [("notes", "notes"), ("notes people", "notes people"), ("", "people"), (" ", "people")] {
        assert_eq!(claims(&ask(&server, &app, &[("scope", asked)]).await)["scope"], granted, "{asked}");
    }
    for beyond in ["admin", "people admin", "PEOPLE", "people\""] {
        assert_refused(&ask(&server, &app, &[("scope", beyond)]).await, "invalid_scope");
    }
    let without_default = AppPolicy { default_scope: Scope::empty(), ..enabled() };
    assert_refused(&ask(&server, &server.app("No Default", without_default).await, &[]).await, "invalid_scope");
    let unscoped = AppPolicy { client_credentials: true, ..AppPolicy::default() };
    let unscoped = server.app("Unscoped", unscoped).await;
    assert_eq!(claims(&ask(&server, &unscoped, &[]).await)["scope"], Value::Null);
    assert_refused(&ask(&server, &unscoped, &[("scope", "people")]).await, "invalid_scope");
    for resource in ["https://other.example.com", "api"] {
        assert_refused(&ask(&server, &app, &[("resource", resource)]).await, "invalid_target");
    }
    let own = ask(&server, &app, &[("resource", "https://auth.example.com")]).await;
    assert_eq!(claims(&own)["aud"], "https://auth.example.com");
}

#[tokio::test]
async fn tk_16_a_disabled_app_loses_its_tokens_and_gets_new_ones_when_it_is_back() {
    let server = TestServer::start().await;
    let api = add_api(&server, "people-api", None).await;
    let app = server.app("Nightly Export", enabled()).await;
    let token = ask(&server, &app, &[]).await.at("access_token");
    let told = introspect(&server, &api, &token).await.json();
    assert_eq!((&told["active"], &told["sub"]), (&json!(true), &json!(app.client_id())));
    server.authority().set_app_enabled(app.app.id, false, server.clock_now()).await.expect("no fault");
    assert_eq!(identity(&server, &token).await, 401);
    assert_eq!(introspect(&server, &api, &token).await.json(), json!({ "active": false }));
    assert_eq!(ask(&server, &app, &[]).await.status(), 401);
    // In the same second.
    server.authority().set_app_enabled(app.app.id, true, server.clock_now()).await.expect("no fault");
    assert_eq!(identity(&server, &token).await, 401);
    assert_eq!(identity(&server, &ask(&server, &app, &[]).await.at("access_token")).await, 403);
}

#[tokio::test]
async fn tk_16_its_app_gives_it_back_and_every_node_hears_of_it() {
    let place = tempfile::tempdir().expect("a directory");
    let clock = Arc::new(ManualClock::new(START));
    let (one, two) = (node(&place.path().join("db"), &clock, 1).await, node(&place.path().join("db"), &clock, 2).await);
    let app = one.app("Nightly Export", enabled()).await;
    let other = one.confidential_app("Other").await;
    let (token, kept) = (ask(&one, &app, &[]).await, ask(&one, &app, &[]).await);
    let (token, kept) = (token.at("access_token"), kept.at("access_token"));
    assert_eq!(identity(&two, &token).await, 403);
    assert_refused(&revoke(&one, &other, &token).await, "invalid_grant");
    for _ in 0..2 {
        assert_eq!(revoke(&one, &app, &token).await.status(), 200);
        assert_eq!(identity(&one, &token).await, 401);
    }
    assert_eq!(identity(&one, &kept).await, 403);
    let heard = async {
        while identity(&two, &token).await != 401 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), heard).await.expect("news within a second or so");
    let entries = one.store().ledger(Default::default(), 100).await.expect("no fault");
    let revoked: Vec<_> = entries.iter().filter(|entry| entry.kind.name() == "token_revoked").collect();
    assert_eq!(revoked.len(), 1, "the second time there was nothing left");
    assert_eq!((revoked[0].app, revoked[0].at), (Some(app.app.id), clock.now()));
}
