//! RV-01 to RV-05 and IT-01 to IT-05: a client gives tokens back, and a resource server asks about them.

use super::table_t_grants::grant_of;
use super::{Connected, HOUR, VERIFIER, connect, connect_public, identity, pkce_code, send};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use keyfob_authority::model::{AppPolicy, EndReason, ResourceServer, ResourceServerId};
use keyfob_authority::secrets;
use keyfob_authority::store::{LedgerFilter, Replacement};
use keyfob_protocol::form;
use keyfob_protocol::scope::Scope;
use keyfob_protocol::token_name::TokenKind;
use keyfob_testkit::{Answer, Browser, TestApp, TestServer};
use serde_json::json;

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

async fn post(server: &TestServer, path: &str, credentials: Option<&str>, fields: &[(&str, &str)]) -> Answer {
    let mut headers = vec![FORM];
    headers.extend(credentials.map(|credentials| ("authorization", credentials)));
    send(server, "POST", path, &headers, &form::encode(fields.iter().copied())).await
}

pub(super) async fn revoke(server: &TestServer, app: &TestApp, token: &str) -> Answer {
    post(server, "/oauth/revoke", Some(&app.basic()), &[("token", token)]).await
}

/// 200 with nothing in it.
#[track_caller]
fn done(answer: &Answer) {
    assert_eq!((answer.status(), answer.text().as_str()), (200, ""), "{}", answer.text());
}

#[track_caller]
fn refused(answer: &Answer, status: u16, error: &str) {
    assert_eq!((answer.status(), answer.at("error").as_str()), (status, error), "{}", answer.text());
    assert_eq!(answer.header("www-authenticate").is_some(), status == 401);
}

const SECRET: &str = "keyfobsecretOfAnApi";

/// A registered API, and how it authenticates.
pub(super) async fn add_api(server: &TestServer, name: &str, resource: Option<&str>) -> String {
    let (resource, secret_digest) = (resource.map(str::to_owned), secrets::digest(SECRET));
    let created_at = server.clock_now();
    let id = ResourceServerId(0);
    let api = ResourceServer { id, name: name.to_owned(), secret_digest, enabled: true, resource, created_at };
    server.authority().add_resource_server(api, created_at).await.expect("no fault");
    format!("Basic {}", STANDARD.encode(format!("{name}:{SECRET}")))
}

pub(super) async fn introspect(server: &TestServer, api: &str, token: &str) -> Answer {
    let answer = post(server, "/oauth/introspect", Some(api), &[("token", token)]).await;
    assert_eq!((answer.status(), answer.header("cache-control")), (200, Some("no-store")), "{}", answer.text());
    answer
}

#[tokio::test]
async fn rv_01_a_client_authenticates_as_at_the_token_endpoint() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let public = server.public_app("Pocket Lantern").await;
    for method in ["GET", "PUT", "HEAD"] {
        let answer = send(&server, method, "/oauth/revoke", &[("authorization", &app.basic())], "").await;
        assert_eq!((answer.status(), answer.header("allow")), (405, Some("POST")), "{method}");
    }
    let wrong = format!("Basic {}", STANDARD.encode(format!("{}:wrong", app.client_id())));
    refused(&post(&server, "/oauth/revoke", Some(&wrong), &[("token", "x")]).await, 401, "invalid_client");
    refused(&post(&server, "/oauth/revoke", None, &[("token", "x")]).await, 401, "invalid_client");
    refused(&post(&server, "/oauth/revoke", Some("Basic !"), &[("token", "x")]).await, 401, "invalid_client");
    let id_alone = [("token", "x"), ("client_id", app.client_id())];
    refused(&post(&server, "/oauth/revoke", None, &id_alone).await, 401, "invalid_client");
    for query in ["?token=x", "?client_secret=x"] {
        let answer = post(&server, &format!("/oauth/revoke{query}"), Some(&app.basic()), &[("token", "x")]).await;
        refused(&answer, 400, "invalid_request");
    }
    let twice = [("token", "x"), ("token", "y")];
    refused(&post(&server, "/oauth/revoke", Some(&app.basic()), &twice).await, 400, "invalid_request");

    let secret = app.secret.as_ref().expect("confidential").expose();
    let in_body = [("token", "x"), ("client_id", app.client_id()), ("client_secret", secret)];
    done(&post(&server, "/oauth/revoke", None, &in_body).await);
    let tokens = connect_public(&server, &public).await;
    let by_id = [("token", tokens.refresh_token.as_str()), ("client_id", public.client_id())];
    done(&post(&server, "/oauth/revoke", None, &by_id).await);
    assert_eq!(identity(&server, &tokens.access_token).await, 401);
}

#[tokio::test]
async fn rv_02_what_is_over_or_was_never_a_token_is_200_and_another_clients_is_refused_and_lives() {
    let server = TestServer::start().await;
    let (app, other) = (server.confidential_app("Listing Lantern").await, server.confidential_app("Other").await);
    let tokens = connect(&server, &app).await;
    let code = pkce_code(&server, &app).await;
    for nothing in ["x", "keyfobrt_", &"a".repeat(9000), "a.b.c", &code, &format!("{}x", tokens.refresh_token)] {
        done(&revoke(&server, &app, nothing).await);
    }
    for token in [&tokens.refresh_token, &tokens.access_token] {
        refused(&revoke(&server, &other, token).await, 400, "invalid_grant");
    }
    assert_eq!(identity(&server, &tokens.access_token).await, 200);
    assert_eq!(app.refresh(&server, &tokens.refresh_token).await.status(), 200);
    for token in [&tokens.refresh_token, &tokens.access_token, &tokens.refresh_token, &tokens.access_token] {
        done(&revoke(&server, &app, token).await);
    }
    let ended = server.store().ledger(LedgerFilter::default(), 100).await.expect("no fault");
    let ended = ended.iter().filter(|entry| entry.kind.name() == "grant_ended").count();
    assert_eq!(ended, 1, "once, however often");
    // The code was no token: it still works.
    let fields = [("grant_type", "authorization_code"), ("code", &code), ("code_verifier", VERIFIER)];
    let fields = [&fields[..], &[("redirect_uri", keyfob_testkit::REDIRECT_URI)]].concat();
    assert_eq!(app.post(&server, &fields).await.status(), 200);
}

#[tokio::test]
async fn rv_03_a_refresh_token_takes_all_along_and_an_access_token_goes_alone_at_once() {
    let server = TestServer::start().await;
    for policy in [AppPolicy::default(), super::rotating()] {
        let app = server.app("Listing Lantern", policy).await;
        let first = connect(&server, &app).await;
        let second = super::connected(&app.refresh(&server, &first.refresh_token).await);
        done(&revoke(&server, &app, &first.access_token).await);
        assert_eq!(identity(&server, &first.access_token).await, 401, "before the answer is read");
        assert_eq!(identity(&server, &second.access_token).await, 200);
        let third = super::connected(&app.refresh(&server, &second.refresh_token).await);
        assert_eq!(identity(&server, &third.access_token).await, 200);
        // A rotated-out refresh token is the grant's as well.
        done(&revoke(&server, &app, &first.refresh_token).await);
        for token in [&second.access_token, &third.access_token] {
            assert_eq!(identity(&server, token).await, 401);
        }
        assert_eq!(app.refresh(&server, &third.refresh_token).await.status(), 400);
        let entries = server.store().ledger(LedgerFilter::default(), 100).await.expect("no fault");
        let grant = grant_of(TokenKind::Refresh, &first.refresh_token);
        let kinds: Vec<_> =
            entries.iter().filter(|entry| entry.grant == Some(grant)).map(|entry| entry.kind.name()).collect();
        assert!(kinds.contains(&"token_revoked") && kinds.contains(&"grant_ended"), "{kinds:?}");
    }
}

#[tokio::test]
async fn rv_04_a_hint_is_only_a_hint() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    refused(&post(&server, "/oauth/revoke", Some(&app.basic()), &[]).await, 400, "invalid_request");
    refused(&post(&server, "/oauth/revoke", Some(&app.basic()), &[("token", "")]).await, 400, "invalid_request");
    for (hint, refresh) in [("access_token", true), ("refresh_token", false), ("nonsense", true), ("", false)] {
        let Connected { access_token, refresh_token } = connect(&server, &app).await;
        let token = if refresh { &refresh_token } else { &access_token };
        let fields = [("token", token.as_str()), ("token_type_hint", hint)];
        done(&post(&server, "/oauth/revoke", Some(&app.basic()), &fields).await);
        assert_eq!(identity(&server, &access_token).await, 401, "{hint}");
    }
}

#[tokio::test]
async fn it_01_only_resource_servers_may_ask() {
    let server = TestServer::start().await;
    let api = add_api(&server, "people-api", None).await;
    let app = server.confidential_app("Listing Lantern").await;
    let token = connect(&server, &app).await.access_token;
    let ask =
        async |credentials: Option<&str>| post(&server, "/oauth/introspect", credentials, &[("token", &token)]).await;
    refused(&ask(None).await, 401, "invalid_client");
    let wrong = format!("Basic {}", STANDARD.encode("people-api:wrong"));
    refused(&ask(Some(&wrong)).await, 401, "invalid_client");
    refused(&ask(Some(&app.basic())).await, 403, "unauthorized_client");
    let answer = send(&server, "GET", "/oauth/introspect", &[("authorization", &api)], "").await;
    assert_eq!((answer.status(), answer.header("allow")), (405, Some("POST")));
    refused(&post(&server, "/oauth/introspect", Some(&api), &[]).await, 400, "invalid_request");
    let in_body = [("token", token.as_str()), ("client_id", "people-api"), ("client_secret", SECRET)];
    let told = post(&server, "/oauth/introspect", None, &in_body).await;
    assert_eq!(told.json()["active"], true);
    // Whoever has the right secret is told that it is right.
    let read_at = server.store().settings_version().await.expect("no fault");
    let row = ResourceServer { enabled: false, ..server.store().resource_servers().await.expect("no fault").remove(0) };
    let (change, now) = (Replacement { row, read_at }, server.clock_now());
    server.authority().update_resource_server(change, "disabled", now).await.expect("no fault");
    let (right, wrong) = (api.clone(), format!("Basic {}", STANDARD.encode("people-api:guessed")));
    for (credentials, reason) in [(right, Some("resource_server_disabled")), (wrong, None)] {
        let answer = post(&server, "/oauth/introspect", Some(&credentials), &[("token", "x")]).await;
        assert_eq!((answer.status(), answer.at("error").as_str()), (401, "invalid_client"));
        assert_eq!(answer.json()["reason"].as_str(), reason);
    }
}

#[tokio::test]
async fn it_02_a_live_token_is_described() {
    let server = TestServer::start().await;
    let api = add_api(&server, "people-api", None).await;
    let scope = Scope::parse("people:read").expect("a scope");
    let policy = AppPolicy { allowed_scope: scope.clone(), default_scope: scope, ..AppPolicy::default() };
    let scoped = server.app("Listing Lantern", policy).await;
    let whole = server.confidential_app("Whole Role").await;
    for (app, scope) in [(&scoped, Some("people:read")), (&whole, None)] {
        let token = connect(&server, app).await.access_token;
        let told = introspect(&server, &api, &token).await.json();
        assert_eq!(told["active"], true);
        assert_eq!(told["scope"].as_str(), scope, "{told}");
        let now = server.clock_now();
        for (member, value) in [
            ("token_type", json!("Bearer")),
            ("client_id", json!(app.client_id())),
            ("sub", json!(server.owner.user.id.to_string())),
            ("iss", json!("https://auth.example.com")),
            ("aud", json!("https://auth.example.com")),
            ("iat", json!(now)),
            ("exp", json!(now.plus(HOUR))),
        ] {
            assert_eq!(told[member], value, "{member}");
        }
        assert!(told["jti"].is_string());
    }
}

#[tokio::test]
async fn it_03_everything_else_is_inactive_to_the_byte_and_at_once() {
    let server = TestServer::start().await;
    let api = add_api(&server, "people-api", None).await;
    let app = server.confidential_app("Listing Lantern").await;
    let inactive = async |token: &str| {
        assert_eq!(introspect(&server, &api, token).await.text(), r#"{"active":false}"#, "{token}");
    };
    let tokens = connect(&server, &app).await;
    for token in ["x", "a.b.c", &tokens.refresh_token, SECRET, &"a".repeat(9000)] {
        inactive(token).await;
    }
    assert_eq!(introspect(&server, &api, &tokens.access_token).await.json()["active"], true);
    let grant = grant_of(TokenKind::Refresh, &tokens.refresh_token);
    server.authority().end_grant(grant, EndReason::RevokedByUser, server.clock_now()).await.expect("no fault");
    inactive(&tokens.access_token).await;

    // Known to be good a moment ago, and taken back with everybody else's of the app.
    let tokens = connect(&server, &app).await;
    assert_eq!(introspect(&server, &api, &tokens.access_token).await.json()["active"], true);
    server.authority().set_app_enabled(app.app.id, false, server.clock_now()).await.expect("no fault");
    inactive(&tokens.access_token).await;
    server.authority().set_app_enabled(app.app.id, true, server.clock_now()).await.expect("no fault");
    let tokens = connect(&server, &app).await;
    assert_eq!(introspect(&server, &api, &tokens.access_token).await.json()["active"], true);
    server.clock.advance(HOUR);
    inactive(&tokens.access_token).await;
}

/// Connects for these resources.
async fn connect_for(server: &TestServer, app: &TestApp, resources: &[&str]) -> Connected {
    let mut fields = vec![("response_type", "code"), ("state", super::STATE)];
    fields.extend(resources.iter().map(|resource| ("resource", *resource)));
    let code = Browser::new(server).connect(&app.authorize_url_with(&fields)).await.code();
    super::connected(&app.exchange(server, &code).await)
}

#[tokio::test]
async fn it_04_each_resource_server_sees_the_tokens_of_its_own_audience_and_no_refresh_token() {
    const NOTES: &str = "https://notes.example.com";
    const OWN: &str = "https://auth.example.com";
    let server = TestServer::start().await;
    let (own, notes) = (add_api(&server, "own", None).await, add_api(&server, "notes", Some(NOTES)).await);
    let other = add_api(&server, "other", Some("https://other.example.com")).await;
    let app = server.confidential_app("Listing Lantern").await;
    for (resources, seen_by_own, seen_by_notes) in
        [(&[][..], true, false), (&[NOTES], false, true), (&[NOTES, OWN], true, true), (&[OWN], true, false)]
    {
        let tokens = connect_for(&server, &app, resources).await;
        for (api, sees) in [(&own, seen_by_own), (&notes, seen_by_notes), (&other, false)] {
            // Twice, and after another has asked: no answer is kept for anybody else.
            for _ in 0..2 {
                let told = introspect(&server, api, &tokens.access_token).await;
                assert_eq!(told.json()["active"], sees, "{resources:?}: {}", told.text());
                assert!(sees || told.text() == r#"{"active":false}"#);
            }
            assert_eq!(introspect(&server, api, &tokens.refresh_token).await.text(), r#"{"active":false}"#);
        }
    }
    let told = introspect(&server, &notes, &connect_for(&server, &app, &[NOTES, OWN]).await.access_token).await.json();
    assert_eq!(told["aud"], json!([OWN, NOTES]));
}

#[tokio::test]
async fn it_05_what_was_active_a_moment_ago_is_not_once_it_is_taken_back() {
    let server = TestServer::start().await;
    let api = add_api(&server, "people-api", None).await;
    let app = server.confidential_app("Listing Lantern").await;
    let (authority, user) = (server.authority(), server.owner.user.clone());
    let (now, account) = (server.clock_now(), user.account);
    for step in 0..6 {
        let tokens = connect(&server, &app).await;
        assert_eq!(introspect(&server, &api, &tokens.access_token).await.json()["active"], true, "step {step}");
        match step {
            0 => done(&revoke(&server, &app, &tokens.access_token).await),
            1 => done(&revoke(&server, &app, &tokens.refresh_token).await),
            2 => {
                let grant = grant_of(TokenKind::Refresh, &tokens.refresh_token);
                authority.end_grant(grant, EndReason::RevokedByUser, now).await.map(drop).expect("no fault");
            }
            // Everything of the client, of the user, of the account.
            3 => drop(authority.set_app_enabled(app.app.id, false, now).await.expect("no fault")),
            4 => drop(authority.set_user_enabled(user.id, false, now).await.expect("no fault")),
            _ => drop(authority.set_account_enabled(account, false, now).await.expect("no fault")),
        }
        assert_eq!(introspect(&server, &api, &tokens.access_token).await.text(), r#"{"active":false}"#, "step {step}");
        authority.set_app_enabled(app.app.id, true, now).await.map(drop).expect("no fault");
        authority.set_user_enabled(user.id, true, now).await.map(drop).expect("no fault");
        authority.set_account_enabled(account, true, now).await.map(drop).expect("no fault");
    }
}

#[tokio::test]
async fn rv_05_the_effect_is_there_before_the_200_is() {
    let server = TestServer::start().await;
    let api = add_api(&server, "people-api", None).await;
    let app = server.confidential_app("Listing Lantern").await;
    for gives_back_refresh_token in [false, true] {
        let tokens = connect(&server, &app).await;
        assert_eq!(identity(&server, &tokens.access_token).await, 200);
        let token = if gives_back_refresh_token { &tokens.refresh_token } else { &tokens.access_token };
        done(&revoke(&server, &app, token).await);
        // The very next thing, without a moment for any task to run in between.
        let call = server.doorway.gate.holder_of(&tokens.access_token);
        assert!(call.is_err(), "{call:?}");
        assert_eq!(identity(&server, &tokens.access_token).await, 401);
        assert_eq!(introspect(&server, &api, &tokens.access_token).await.text(), r#"{"active":false}"#);
        let refreshed = app.refresh(&server, &tokens.refresh_token).await.status();
        assert_eq!(refreshed, if gives_back_refresh_token { 400 } else { 200 });
    }
}
