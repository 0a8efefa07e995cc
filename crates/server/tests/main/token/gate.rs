//! The gate through `GET /v1/identity`: BR-03, BR-05, BR-07, BR-09, BR-13, JW-01, JW-04. BR-08 is in `cross_feed`.

use super::table_t::Column;
use super::table_t_grants::grant_of;
use super::{HOUR, code, connect, connected, exchange_fields, identity, node, send};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keyfob_authority::model::{AppPolicy, EndReason, Role};
use keyfob_protocol::scope::Scope;
use keyfob_protocol::token_name::TokenKind;
use keyfob_testkit::{Answer, Browser, ManualClock, START, TestApp, TestServer};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// What a challenge says of where the authority is announced (matrix MD-05).
const METADATA: &str = "resource_metadata=\"https://auth.example.com/.well-known/oauth-protected-resource\"";

/// A refusal of the gate: status, the error in the challenge, the code in the body.
fn check(answer: &Answer, status: u16, error: Option<&str>, error_code: Option<&str>) {
    assert_eq!(answer.status(), status, "{}", answer.text());
    let challenge = match error {
        Some(error) => format!("Bearer realm=\"api\", error=\"{error}\", {METADATA}"),
        None => format!("Bearer realm=\"api\", {METADATA}"),
    };
    assert_eq!(answer.header("www-authenticate"), Some(challenge.as_str()));
    let body = answer.json();
    assert!(body["errorMessage"].is_string(), "{body}");
    assert_eq!(body["errorCode"].as_str(), error_code, "{body}");
}

/// A token that differs in the last character of its signature's first half.
fn altered(access_token: &str) -> String {
    let at = access_token.rfind('.').expect("a JWT") + 10;
    let other = if access_token.as_bytes()[at] == b'A' { "B" } else { "A" };
    format!("{}{other}{}", &access_token[..at], &access_token[at + 1..])
}

#[tokio::test]
async fn br_03_unknown_revoked_and_expired_tokens_differ_only_in_the_body() {
    for column in [Column::Rfc, Column::FubStatus] {
        let case = column.case().await;
        let server = &case.server;
        let invalid = if column == Column::FubStatus { 400 } else { 401 };
        let tokens = connect(server, &case.app).await;
        for token in ["x", "a.b.c", &altered(&tokens.access_token), &"a".repeat(9000)] {
            let answer = server.call("/v1/identity", token).await;
            check(&answer, invalid, Some("invalid_token"), Some("invalid-access-token"));
        }
        let revoked = connect(server, &case.app).await;
        let grant = grant_of(TokenKind::Refresh, &revoked.refresh_token);
        server.authority().end_grant(grant, EndReason::RevokedByUser, server.doorway.now()).await.expect("no fault");
        let answer = server.call("/v1/identity", &revoked.access_token).await;
        check(&answer, invalid, Some("invalid_token"), Some("invalid-access-token"));
        assert_eq!(identity(server, &tokens.access_token).await, 200);
        server.clock.advance(HOUR);
        let answer = server.call("/v1/identity", &tokens.access_token).await;
        check(&answer, 401, Some("invalid_token"), Some("expired-access-token"));
        let answer = server.call("/v1/identity", &altered(&tokens.access_token)).await;
        check(&answer, invalid, Some("invalid_token"), Some("invalid-access-token"));
    }
}

#[tokio::test]
async fn br_05_a_token_in_the_query_or_in_a_form_is_not_looked_at() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let token = connect(&server, &app).await.access_token;
    check(&server.get(&format!("/v1/identity?access_token={token}")).await, 401, None, None);
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let body = format!("access_token={token}");
    check(&send(&server, "GET", "/v1/identity", &form, &body).await, 401, None, None);
    let cookie = format!("access_token={token}; keyfob-session={token}");
    check(&send(&server, "GET", "/v1/identity", &[("cookie", &cookie)], "").await, 401, None, None);
}

#[tokio::test]
async fn br_07_an_access_token_dies_60_minutes_after_its_issue_to_the_second() {
    for at_first in [false, true] {
        let server = TestServer::start().await;
        let app = server.confidential_app("Listing Lantern").await;
        let token = connect(&server, &app).await.access_token;
        if at_first {
            // Once verified, a token is remembered: it must die all the same.
            assert_eq!(identity(&server, &token).await, 200);
        }
        server.clock.advance(59 * 60 + 59);
        assert_eq!(identity(&server, &token).await, 200, "59:59");
        server.clock.advance(1);
        assert_eq!(identity(&server, &token).await, 401, "60:00");
    }
}

#[tokio::test]
async fn br_07_every_access_token_has_its_own_identifier() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let tokens = connect(&server, &app).await;
    let mut seen = BTreeSet::from([claims(&tokens.access_token)["jti"].to_string()]);
    for _ in 0..200 {
        let again = connected(&app.refresh(&server, &tokens.refresh_token).await);
        assert!(seen.insert(claims(&again.access_token)["jti"].to_string()));
    }
}

#[tokio::test]
async fn br_09_every_kind_of_revocation_acts_at_once_on_the_same_node() {
    for kind in ["grant", "app", "app removed", "user", "user removed", "account"] {
        let server = TestServer::start().await;
        let app = server.confidential_app("Listing Lantern").await;
        let tokens = connect(&server, &app).await;
        assert_eq!(identity(&server, &tokens.access_token).await, 200);
        let (authority, now) = (server.authority(), server.doorway.now());
        let user = &server.owner.user;
        match kind {
            "grant" => {
                let grant = grant_of(TokenKind::Refresh, &tokens.refresh_token);
                authority.end_grant(grant, EndReason::RevokedByUser, now).await.map(drop)
            }
            "app" => authority.set_app_enabled(app.app.id, false, now).await.map(drop),
            "app removed" => authority.remove_app(app.app.id, now).await.map(drop),
            "user" => authority.set_user_enabled(user.id, false, now).await.map(drop),
            "user removed" => authority.remove_user(user.id, now).await.map(drop),
            _ => authority.set_account_enabled(user.account, false, now).await.map(drop),
        }
        .expect("no fault");
        let answer = server.call("/v1/identity", &tokens.access_token).await;
        check(&answer, 401, Some("invalid_token"), Some("invalid-access-token"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn br_09_a_revocation_reaches_the_other_node_and_its_callers() {
    let directory = tempfile::tempdir().expect("a directory");
    let (file, clock) = (directory.path().join("keyfob.db"), Arc::new(ManualClock::new(START)));
    let (one, two) = (node(&file, &clock, 1).await, Arc::new(node(&file, &clock, 2).await));
    let app = one.confidential_app("Listing Lantern").await;
    let tokens = connect(&one, &app).await;
    let other = connect(&one, &app).await;
    let callers: Vec<_> = (0..8)
        .map(|_| {
            let (two, token) = (two.clone(), tokens.access_token.clone());
            tokio::spawn(async move {
                while identity(&two, &token).await == 200 {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            })
        })
        .collect();
    let grant = grant_of(TokenKind::Refresh, &tokens.refresh_token);
    one.authority().end_grant(grant, EndReason::RevokedByUser, one.doorway.now()).await.expect("no fault");
    assert_eq!(identity(&one, &tokens.access_token).await, 401, "at once on the same node");
    assert_eq!(app.refresh(&two, &tokens.refresh_token).await.status(), 400, "the store knows at once");
    for caller in callers {
        // A second by the matrix; a loaded machine gets some more before this counts as a failure.
        tokio::time::timeout(Duration::from_secs(5), caller).await.expect("within the time").expect("no panic");
    }
    assert_eq!(identity(&two, &other.access_token).await, 200);
}

#[tokio::test]
async fn br_13_identity_answers_the_account_and_the_user_who_consented() {
    let server = TestServer::start().await;
    let app = server.rotating_app("Listing Lantern").await;
    let agent = server.person("agent@example.com", Role::Agent).await;
    let mut browser = Browser::new(&server);
    let page = browser.get(&app.authorize_url()).await;
    let consent = browser.sign_in(&page, &agent).await;
    let code = browser.decide(&consent, "approve").await.landing().code();
    let first = connected(&app.exchange(&server, &code).await);
    let refreshed = connected(&app.refresh(&server, &first.refresh_token).await);
    for token in [&first.access_token, &refreshed.access_token] {
        let answer = server.call("/v1/identity", token).await;
        let expected = json!({
            "account": {
                "id": agent.user.account.0,
                "name": "Maple Street Realty",
                "domain": "maple-street",
                "owner": { "name": server.owner.user.name, "email": "owner@example.com" },
            },
            "user": {
                "id": agent.user.id.0,
                "name": agent.user.name,
                "email": "agent@example.com",
                "role": "Agent",
                "isOwner": false,
                "isAdmin": false,
            },
        });
        assert_eq!((answer.status(), answer.json()), (200, expected));
    }
    check(&server.get("/v1/identity").await, 401, None, None);
    let basic = [("authorization", app.basic())].map(|(name, value)| (name, value));
    let basic = basic.each_ref().map(|(name, value)| (*name, value.as_str()));
    check(&send(&server, "GET", "/v1/identity", &basic, "").await, 401, None, None);
    let bearer = format!("Bearer {}", first.access_token);
    let twice = [("authorization", bearer.as_str()), ("authorization", bearer.as_str())];
    check(
        &send(&server, "GET", "/v1/identity", &twice, "").await,
        400,
        Some("invalid_request"),
        Some("invalid-authorization-header"),
    );
}

/// The claims of an access token, unverified.
fn claims(access_token: &str) -> Value {
    part(access_token, 1)
}

fn part(access_token: &str, at: usize) -> Value {
    let part = access_token.split('.').nth(at).expect("a JWT");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("base64url")).expect("JSON")
}

async fn claims_of(server: &TestServer, app: &TestApp) -> Value {
    let code = code(server, app).await;
    claims(&connected(&app.post(server, &exchange_fields(app, &code, &[])).await).access_token)
}

#[tokio::test]
async fn jw_01_an_access_token_has_the_claims_of_rfc_9068() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let token = connect(&server, &app).await.access_token;
    let header = part(&token, 0);
    assert_eq!((header["typ"].as_str(), header["alg"].as_str()), (Some("at+jwt"), Some("EdDSA")));
    let published = server.get("/oauth/jwks").await.json();
    assert_eq!(header["kid"], published["keys"][0]["kid"], "a key that everybody can look up");
    let claims = claims(&token);
    assert_eq!(claims["iss"], "https://auth.example.com");
    assert_eq!(claims["aud"], "https://auth.example.com");
    assert_eq!(claims["sub"], server.owner.user.id.to_string());
    assert_eq!(claims["client_id"], app.client_id());
    assert_eq!((claims["iat"].as_i64(), claims["exp"].as_i64()), (Some(START.0), Some(START.0 + HOUR)));
    assert!(claims["jti"].as_str().is_some_and(|jti| jti.len() >= 22), "{claims}");
    let mut names: Vec<_> = claims.as_object().expect("an object").keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        ["acc", "app", "aud", "client_id", "exp", "gid", "iat", "iss", "jti", "sub"],
        "no scope declared"
    );

    let scope = Scope::parse("people deals").expect("a scope");
    let policy = AppPolicy { allowed_scope: scope.clone(), default_scope: scope, ..AppPolicy::default() };
    let scoped = server.app("Scoped", policy).await;
    assert_eq!(claims_of(&server, &scoped).await["scope"], "deals people");
}

#[tokio::test]
async fn jw_04_a_revoked_token_stops_although_its_signature_holds() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let tokens = connect(&server, &app).await;
    let mut browser = Browser::new(&server);
    let page = browser.get("/connections").await;
    let owner = server.owner.clone();
    browser.sign_in(&page, &owner).await;
    let list = browser.get("/connections").await;
    let revoked = browser.submit(&list, "/connections/revoke", &[]).await;
    assert_eq!(revoked.status(), 303, "{}", revoked.text());
    let answer = server.call("/v1/identity", &tokens.access_token).await;
    check(&answer, 401, Some("invalid_token"), Some("invalid-access-token"));
    assert_eq!(app.refresh(&server, &tokens.refresh_token).await.status(), 400);
}
