//! What the platform changes by API: row RF-10.

use super::logs::Captured;
use super::platform::{CONTINUE, ISSUER, assert_refused, assertion, back, jwt, options, server, ticket, una, with};
use crate::token::watched_store::WatchedStore;
use http::Request;
use keyfob_authority::model::{Role, UserStatus};
use keyfob_authority::store::{LedgerFilter, StoreError};
use keyfob_protocol::Clock;
use keyfob_testkit::{Answer, Browser, TestServer};
use serde_json::{Value, json};

/// A token for one change by the platform.
fn platform_token(server: &TestServer, jti: &str, path: &str, status: &str, more: Value) -> String {
    let now = server.clock.now().0;
    let sub = path.strip_prefix("/platform/").expect("a path of the platform's");
    let claims = json!({
        "iss": "https://app.example.com", "aud": ISSUER, "iat": now, "exp": now + 60, "jti": jti,
        "sub": sub, "status": status,
    });
    jwt(&json!({ "alg": "EdDSA", "typ": "keyfob-platform+jwt" }), &with(claims, more), 7)
}

async fn put(server: &TestServer, path: &str, token: &str, status: &str) -> Answer {
    put_json(server, path, token, json!({ "status": status })).await
}

async fn put_json(server: &TestServer, path: &str, token: &str, body: Value) -> Answer {
    let request = Request::put(path).header("authorization", format!("Bearer {token}"));
    server.send(request.body(body.to_string()).expect("a request")).await
}

#[tokio::test]
async fn rf_10_the_platform_suspends_a_user_and_an_account_and_tokens_stop() {
    let server = server().await;
    let app = server.confidential_app("Listing Lantern").await;
    for (number, path) in ["/platform/users/u-1", "/platform/accounts/a-1"].into_iter().enumerate() {
        let mut browser = Browser::new(&server);
        let (_, asked) = ticket(&browser.get(&app.authorize_url()).await);
        back(&mut browser, &assertion(&una(&server, &asked))).await;
        let consent = browser.get(CONTINUE).await;
        let code = browser.decide(&consent, "approve").await.landing().code();
        let tokens = app.exchange(&server, &code).await;
        let (access, refresh) = (tokens.at("access_token"), tokens.at("refresh_token"));
        assert_eq!(server.call("/v1/identity", &access).await.status(), 200);
        let suspend = platform_token(&server, &format!("s{number}"), path, "suspended", json!({}));
        let answer = put(&server, path, &suspend, "suspended").await;
        assert_eq!((answer.status(), answer.json()), (200, json!({ "status": "suspended" })));
        assert_eq!(server.call("/v1/identity", &access).await.status(), 401, "at once");
        assert_eq!(app.refresh(&server, &refresh).await.status(), 400);
        assert_eq!(browser.get("/connections").await.status(), 303, "signed out");
        let mut returning = Browser::new(&server);
        let (_, asked) = ticket(&returning.get("/connections").await);
        let page = back(&mut returning, &assertion(&una(&server, &asked))).await;
        assert_refused(&server, &returning, &page, (403, "inactive"));
        let store = server.doorway.authority.store();
        let user = store.user_by_external("u-1").await.expect("no fault").expect("there");
        let told = store.ledger(LedgerFilter { user: Some(user.id), ..LedgerFilter::default() }, 20).await;
        let told = told.expect("no fault").into_iter().find(|entry| entry.detail == "sign-in: inactive");
        assert_eq!(told.expect("told").account, Some(user.account));
        // What was recorded on the way undoes nothing.
        assert_eq!(put(&server, path, &suspend, "active").await.status(), 401);
        let reopen = platform_token(&server, &format!("r{number}"), path, "active", json!({}));
        assert_eq!(put(&server, path, &reopen, "active").await.status(), 200);
        assert_eq!(app.refresh(&server, &refresh).await.status(), 200);
        assert_eq!(browser.get("/connections").await.status(), 303, "and not in again by that");
    }
}

/// A retry, a proxy or somebody who kept it can bring a token late.
#[tokio::test]
async fn rf_10_an_older_word_lets_nobody_in_again() {
    let server = server().await;
    let mut browser = Browser::new(&server);
    let (_, asked) = ticket(&browser.get("/connections").await);
    assert_eq!(back(&mut browser, &assertion(&una(&server, &asked))).await.status(), 303);
    server.clock.advance(100);
    for (number, path) in ["/platform/users/u-1", "/platform/accounts/a-1"].into_iter().enumerate() {
        let now = server.clock.now().0;
        let suspend = platform_token(&server, &format!("s{number}"), path, "suspended", json!({}));
        assert_eq!(put(&server, path, &suspend, "suspended").await.status(), 200);
        let older = json!({ "iat": now - 1, "exp": now + 100 });
        let late = platform_token(&server, &format!("l{number}"), path, "active", older);
        let answer = put(&server, path, &late, "active").await;
        assert_eq!((answer.status(), answer.at("reason").as_str()), (409, "overtaken"), "{path}");
        let reopen = platform_token(&server, &format!("r{number}"), path, "active", json!({}));
        assert_eq!(put(&server, path, &reopen, "active").await.status(), 200, "{path}");
    }
    // A suspension comes through, whatever became of the role that came with it.
    let (path, now) = ("/platform/users/u-1", server.clock.now().0);
    let mut newer = Browser::new(&server);
    let (_, asked) = ticket(&newer.get("/connections").await);
    assert_eq!(back(&mut newer, &assertion(&una(&server, &asked))).await.status(), 303);
    let both = json!({ "status": "suspended", "role": "Owner" });
    let more = json!({ "role": "Owner", "iat": now - 50 });
    let token = platform_token(&server, "both", path, "suspended", more);
    assert_eq!(put_json(&server, path, &token, both).await.status(), 200);
    let user = server.doorway.authority.store().user_by_external("u-1").await.expect("no fault").expect("there");
    assert_eq!((user.status, user.role), (UserStatus::Disabled, Role::Admin));
}

/// Whoever writes the platform's side compares a word and reads a sentence, whatever the status.
#[tokio::test]
async fn rf_10_every_refusal_has_a_word_and_a_sentence() {
    let (store, server) = WatchedStore::serve(options()).await;
    let (users, accounts) = ("/platform/users/u-1", "/platform/accounts/a-1");
    let token = |jti, path| platform_token(&server, jti, path, "suspended", json!({}));
    let refused = |answer: Answer, told: (u16, &str, &str)| {
        assert_eq!((answer.status(), &*answer.at("error"), &*answer.at("reason")), told, "{}", answer.text());
        assert!(answer.at("message").ends_with('.') && answer.at("message").contains(' '), "{}", answer.text());
    };
    refused(put(&server, users, &token("m1", users), "deleted").await, (400, "invalid_request", "malformed_body"));
    refused(
        put(&server, accounts, &token("m2", accounts), "deleted").await,
        (400, "invalid_request", "malformed_body"),
    );
    refused(put(&server, users, "abc", "suspended").await, (401, "invalid_token", "not_a_jwt"));
    refused(put(&server, users, &token("m3", users), "suspended").await, (404, "not_found", "unknown"));
    refused(put(&server, users, &token("m3", users), "suspended").await, (401, "invalid_token", "token_used"));
    refused(put(&server, accounts, &token("m4", users), "suspended").await, (401, "invalid_token", "other_change"));
    for (error, told) in [
        (StoreError::Unavailable("full".to_owned()), (503, "server_error", "unavailable")),
        (StoreError::Broken("broken".to_owned()), (500, "server_error", "fault")),
    ] {
        store.fail("use_ticket", error);
        refused(put(&server, users, &token("m5", users), "suspended").await, told);
    }
}

#[tokio::test]
async fn rf_10_only_the_platform_suspends() {
    let server = server().await;
    let path = "/platform/users/u-1";
    let now = server.clock.now().0;
    let good = platform_token(&server, "j1", path, "suspended", json!({}));
    assert_eq!(put(&server, path, &good, "suspended").await.status(), 404, "nobody came yet");
    let wrong_type = jwt(&json!({ "alg": "EdDSA", "typ": "keyfob-assertion+jwt" }), &json!({}), 7);
    for token in [
        good.clone(),
        wrong_type,
        platform_token(&server, "j2", path, "suspended", json!({ "aud": "https://other.example.com" })),
        platform_token(&server, "j3", path, "suspended", json!({ "exp": now + 301 })),
        platform_token(&server, "j4", path, "suspended", json!({ "iat": now - 60, "exp": now })),
        platform_token(&server, "j5", path, "suspended", json!({ "jti": null })),
        platform_token(&server, "j7", path, "active", json!({})),
        platform_token(&server, "j8", "/platform/users/u-2", "suspended", json!({})),
        platform_token(&server, "j9", "/platform/accounts/u-1", "suspended", json!({})),
        "abc".to_owned(),
    ] {
        let answer = put(&server, path, &token, "suspended").await;
        assert_eq!((answer.status(), answer.at("error").as_str()), (401, "invalid_token"));
        assert!(answer.header("www-authenticate").is_some());
    }
    let token = platform_token(&server, "j6", path, "suspended", json!({}));
    assert_eq!(put(&server, path, &token, "deleted").await.status(), 400);
    // Where people sign in with passwords there is no such door.
    let local = TestServer::start().await;
    assert_eq!(put(&local, path, &token, "suspended").await.status(), 404);
    assert_eq!(local.get("/sign-in/return?assertion=x").await.status(), 404);
}

/// Until somebody comes again Keyfob would not know that a role was taken away.
#[tokio::test]
async fn rf_10_the_platform_gives_a_user_another_role_and_the_latest_word_counts() {
    let server = server().await;
    let store = server.doorway.authority.store();
    let user = async || store.user_by_external("u-1").await.expect("no fault").expect("there");
    let arrive = async |more: Value| {
        let mut browser = Browser::new(&server);
        let (_, asked) = ticket(&browser.get("/connections").await);
        assert_eq!(back(&mut browser, &assertion(&with(una(&server, &asked), more))).await.status(), 303);
    };
    let (path, start) = ("/platform/users/u-1", server.clock.now().0);
    arrive(json!({ "role": "Owner" })).await;
    server.clock.advance(10);
    let jti = std::cell::Cell::new(0);
    let push = async |body: Value, more: Value| {
        jti.set(jti.get() + 1);
        let claims = with(json!({ "status": null }), with(body.clone(), more));
        let token = platform_token(&server, &format!("p{}", jti.get()), path, "", claims);
        put_json(&server, path, &token, body).await
    };
    let answer = push(json!({ "role": "Agent" }), json!({})).await;
    assert_eq!((answer.status(), answer.json()), (200, json!({ "role": "Agent" })));
    assert_eq!((user().await.role, user().await.status), (Role::Agent, UserStatus::Active));
    let newest = store.ledger(LedgerFilter { user: Some(user().await.id), ..LedgerFilter::default() }, 1).await;
    assert_eq!(newest.expect("no fault")[0].detail, "Agent by the platform");
    // What was signed before, and comes late, does not give it back, by whichever way.
    arrive(json!({ "iat": start + 9, "role": "Owner" })).await;
    assert_eq!(user().await.role, Role::Agent);
    let late = push(json!({ "role": "Owner" }), json!({ "iat": start + 9 })).await;
    assert_eq!((late.status(), late.at("error"), late.at("reason")), (409, "conflict".into(), "overtaken".into()));
    server.clock.advance(1);
    let both = push(json!({ "status": "suspended", "role": "Lender" }), json!({})).await;
    assert_eq!((both.status(), both.json()), (200, json!({ "status": "suspended", "role": "Lender" })));
    assert_eq!((user().await.role, user().await.status), (Role::Lender, UserStatus::Disabled));
    assert_eq!(push(json!({ "status": "active" }), json!({})).await.status(), 200);
    assert_eq!((user().await.role, user().await.status), (Role::Lender, UserStatus::Active));
    server.clock.advance(1);
    arrive(json!({ "role": "Admin" })).await;
    assert_eq!(user().await.role, Role::Admin);
    // The token is for the whole of the change and for nothing else.
    for (body, more) in [
        (json!({ "role": "Owner" }), json!({ "role": "Agent" })),
        (json!({ "role": "Owner" }), json!({ "role": null })),
        (json!({ "role": "Owner" }), json!({ "status": "active" })),
        (json!({ "role": "Owner", "status": "active" }), json!({ "status": null })),
        (json!({ "status": "active" }), json!({ "role": "Owner" })),
        (json!({ "role": "Owner" }), json!({ "role": "Emperor" })),
    ] {
        let answer = push(body.clone(), more).await;
        assert_eq!((answer.status(), answer.at("error").as_str()), (401, "invalid_token"), "{body}");
    }
    for body in [json!({}), json!({ "role": "Emperor" }), json!({ "role": "Agent", "name": "Una" })] {
        assert_eq!(push(body.clone(), json!({})).await.status(), 400, "{body}");
    }
    let token = platform_token(&server, "a1", "/platform/accounts/a-1", "active", json!({ "role": "Agent" }));
    let body = json!({ "status": "active", "role": "Agent" });
    assert_eq!(put_json(&server, "/platform/accounts/a-1", &token, body).await.status(), 400);
    assert_eq!(put(&server, "/platform/accounts/a-1", &token, "active").await.status(), 401);
    assert_eq!(user().await.role, Role::Admin);
}

/// The answer has the reason, and its id leads to the line that names the claim.
#[tokio::test]
async fn lg_02_a_refused_change_is_found_in_the_log_by_its_id() {
    let (captured, _guard) = Captured::start();
    let server = server().await;
    let path = "/platform/users/u-1";
    for (claim, more) in [
        ("jti", json!({ "jti": null })),
        ("role", json!({ "role": "Emperor" })),
        ("iat", json!({ "iat": "now" })),
        ("sub", json!({ "sub": 1 })),
        ("status", json!({ "status": true })),
    ] {
        let token = platform_token(&server, claim, path, "active", more);
        let answer = put(&server, path, &token, "active").await;
        assert_eq!((answer.status(), answer.at("reason").as_str()), (401, "malformed_claims"));
        let id = answer.header("x-request-id").expect("every answer has an id");
        let expected = format!("request_id={id} reason=\"malformed_claims\" claim=\"{claim}\"");
        assert!(captured.text().contains(&expected), "{expected}: {}", captured.text());
    }
}
