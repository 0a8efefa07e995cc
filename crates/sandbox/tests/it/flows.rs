//! Both dialects, start to end over real sockets, with our client library. Libraries of others: `crates/keyfob/tests/main/processes/foreign_clients`.

use std::sync::atomic::Ordering;

use keyfob_client::{ConnectionError, Provider};
use keyfob_sandbox::SandboxOptions;
use serde_json::{Value, json};

use super::integration::Integration;
use super::running::{Running, get, kept_in};

fn user_of(body: &Value) -> i64 {
    body["user"]["id"].as_i64().expect("a user")
}

async fn walk(app: usize, provider: impl FnOnce(Provider) -> Provider, rotates: bool) {
    let running = Running::start().await;
    let app = &running.announcement.apps[app];
    let integration = Integration::new(&running, app, provider);
    let connection = integration.connect(&running).await;
    let identity = connection.get("/v1/identity").await.expect("an answer");
    assert_eq!((identity.status, user_of(&identity.json().expect("JSON"))), (200, 1));
    let people = connection.get("people?limit=3").await.expect("an answer").json::<Value>().expect("JSON");
    assert_eq!(people["people"].as_array().map(Vec::len), Some(3));

    let before = integration.tokens().await;
    connection.refresh_now().await.expect("refreshed");
    let after = integration.tokens().await;
    assert_ne!(before.access_token.expose(), after.access_token.expose());
    let same = before.refresh_token.expect("one").expose() == after.refresh_token.expect("one").expose();
    assert_eq!(same, !rotates);

    let revoked = connection.send(&keyfob_client::ApiRequest::delete("/v1/oauthApps/revokeAccess")).await;
    assert_eq!(revoked.expect("an answer").status, 200);
    match connection.get("/v1/identity").await {
        Err(ConnectionError::ReauthRequired(_)) => {}
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn sb_06_the_followupboss_app_walks_the_legacy_flow_with_fixed_tokens() {
    walk(0, Provider::legacy, false).await;
}

#[tokio::test]
async fn sb_06_the_followupboss_app_walks_the_posted_flow_too() {
    walk(0, |provider| provider, false).await;
}

#[tokio::test]
async fn sb_06_the_rotating_app_gets_a_new_refresh_token_each_time() {
    walk(1, |provider| provider, true).await;
}

#[tokio::test]
async fn sb_06_the_standard_app_walks_pkce_without_a_secret() {
    walk(2, |provider| provider, true).await;
}

#[tokio::test]
async fn sb_05_after_61_minutes_a_token_has_expired_and_a_refresh_mends_it() {
    let running = Running::start().await;
    let integration = Integration::new(&running, &running.announcement.apps[0], |provider| provider);
    let connection = integration.connect(&running).await;
    let bearer = format!("Bearer {}", integration.tokens().await.access_token.expose());
    let identity = format!("{}/v1/identity", running.origin());
    assert_eq!(get(&identity, &[("Authorization", &bearer)]).await.status, 200);
    running.advance("61m").await;
    let expired = get(&identity, &[("Authorization", &bearer)]).await;
    assert_eq!(expired.status, 401, "{}", expired.text);
    assert!(expired.text.contains("expired-access-token"), "{}", expired.text);
    let challenge = expired.header("www-authenticate").expect("a challenge");
    assert!(challenge.starts_with("Bearer") && challenge.contains("invalid_token"), "{challenge}");
    // The partner's clock stands still: it learns of it from the 401 alone.
    let mended = connection.get("/v1/identity").await.expect("refreshed");
    assert_eq!(mended.status, 200);
    integration.clock.0.fetch_add(3660, Ordering::SeqCst);
    running.advance("91d").await;
    match connection.get("/v1/identity").await {
        Err(ConnectionError::ReauthRequired(_)) => {}
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_restart_on_kept_data_continues_where_it_was() {
    let directory = tempfile::tempdir().expect("a directory");
    let running = Running::start_with(kept_in(directory.path())).await;
    let issuer = running.announcement.issuer.clone();
    let integration = Integration::new(&running, &running.announcement.apps[1], |provider| provider);
    let connection = integration.connect(&running).await;
    let person = r#"{"firstName":"Ada","lastName":"Quill","emails":[{"value":"ada.quill@example.com"}]}"#;
    let added = connection.send(&keyfob_client::ApiRequest::post("/v1/people", person)).await.expect("an answer");
    assert!(added.is_success(), "{added:?}");
    let id = added.json::<Value>().expect("JSON")["id"].as_i64().expect("an id");
    running.stop().await;

    // The issuer's port is taken again while it is free.
    let running = Running::start_with(kept_in(directory.path())).await;
    assert_eq!(running.announcement.issuer, issuer);
    assert_eq!(running.announcement.api, format!("{issuer}/v1"));
    let identity = connection.get("/v1/identity").await.expect("the old access token");
    assert_eq!(identity.status, 200);
    connection.refresh_now().await.expect("the old refresh token");
    assert_eq!(connection.get(&format!("/v1/people/{id}")).await.expect("kept").status, 200);
    running.stop().await;

    // Elsewhere nothing would answer at the address that every token names.
    let at = issuer.strip_prefix("http://").expect("http");
    let occupied = std::net::TcpListener::bind(at).expect("free");
    let taken = Running::try_start(kept_in(directory.path())).await.err().expect("the port is taken").to_string();
    assert!(taken.starts_with(&format!("cannot listen on {at}: ")), "{taken}");
    let other = std::net::TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port");
    let elsewhere = SandboxOptions { listen: other, ..kept_in(directory.path()) };
    let moved = Running::try_start(elsewhere).await.err().expect("another address").to_string();
    assert!(moved.contains(&issuer) && moved.contains(&format!("http://{other}")), "{moved}");
    drop(occupied);
}

#[tokio::test]
async fn sb_05_a_reset_ends_what_was_connected_and_keeps_the_clock() {
    let running = Running::start().await;
    let integration = Integration::new(&running, &running.announcement.apps[0], |provider| provider);
    let connection = integration.connect(&running).await;
    let person = r#"{"firstName":"Ada","emails":[{"value":"ada.quill@example.com"}]}"#;
    let added = connection.send(&keyfob_client::ApiRequest::post("/v1/people", person)).await.expect("an answer");
    let id = added.json::<Value>().expect("JSON")["id"].as_i64().expect("an id");
    running.advance("5m").await;
    let got = running.control("reset", json!({})).await;
    assert_eq!((got.status, &got.json()["offsetSeconds"]), (200, &json!(300)), "{}", got.text);
    match connection.get("/v1/identity").await {
        Err(ConnectionError::ReauthRequired(_)) => {}
        other => panic!("{other:?}"),
    }
    let again = integration.connect(&running).await;
    assert_eq!(again.get("/v1/identity").await.expect("an answer").status, 200);
    assert_eq!(again.get(&format!("/v1/people/{id}")).await.expect("an answer").status, 404);
}

#[tokio::test]
async fn sb_05_a_reset_puts_the_apps_back() {
    let running = Running::start().await;
    let system = &running.announcement.system;
    let headers =
        [("X-System", system.name.as_str()), ("X-System-Key", &system.key), ("Content-Type", "application/json")];
    let apps = format!("{}/oauthApps", running.announcement.api);
    let body = r#"{"redirectUris":["https://app.example.com/callback"],"name":"Another"}"#;
    let added = super::running::send(keyfob_client::Method::Post, &apps, &headers, body).await;
    assert_eq!(added.status, 201, "{}", added.text);
    let changed = super::running::send(keyfob_client::Method::Put, &format!("{apps}/1"), &headers, body).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    assert_eq!(running.control("reset", json!({})).await.status, 200);
    let listed = get(&apps, &headers).await.json();
    let listed: Vec<_> = listed["oauthApps"].as_array().expect("a list").iter().collect();
    let client_ids: Vec<_> = listed.iter().map(|app| app["clientId"].as_str().expect("an id").to_owned()).collect();
    let seeded: Vec<_> = running.announcement.apps.iter().map(|app| app.client_id.clone()).collect();
    assert_eq!(client_ids, seeded);
    assert_eq!(listed[0]["redirectUris"], json!(running.announcement.apps[0].redirect_uris));
}
