//! `/v1/oauthApps` as a partner uses it: RG-02, RG-03, RG-07.

use super::{HOUR, connect, identity, send};
use keyfob_authority::model::{System, SystemId};
use keyfob_authority::secrets;
use keyfob_authority::store::Replacement;
use keyfob_protocol::Timestamp;
use keyfob_testkit::{Answer, Browser, REDIRECT_URI, START, TestServer};
use serde_json::json;

/// A request in the name of a system.
async fn call(server: &TestServer, method: &str, uri: &str, name: &str, key: &str, body: &str) -> Answer {
    let headers = [("x-system", name), ("x-system-key", key), ("content-type", "application/json")];
    send(server, method, uri, &headers, body).await
}

async fn as_partner(server: &TestServer, method: &str, uri: &str, body: &str) -> Answer {
    call(server, method, uri, "Partner One", &server.system_key, body).await
}

/// Another system, with its key.
async fn other_system(server: &TestServer) -> (String, String) {
    let key = secrets::system_key(&[8; 16]).expose().clone();
    let system = System {
        id: SystemId(0),
        name: "Partner Two".to_owned(),
        key_digest: secrets::digest(&key),
        enabled: true,
        created_at: START,
    };
    let _ = server.authority().add_system(system.clone(), START).await.expect("no fault");
    (system.name, key)
}

fn check_error(answer: &Answer, status: u16) {
    assert_eq!(answer.status(), status, "{}", answer.text());
    let body = answer.json();
    let mut keys: Vec<_> = body.as_object().expect("an object").keys().collect();
    keys.sort_unstable();
    assert_eq!(keys, ["errorMessage"], "{body}");
}

#[tokio::test]
async fn rg_02_an_app_is_registered_and_its_secret_is_shown_once() {
    let server = TestServer::start().await;
    let body = json!({ "redirectUris": [REDIRECT_URI], "name": "Listing Lantern", "unknown": 1 }).to_string();
    let answer = as_partner(&server, "POST", "/v1/oauthApps", &body).await;
    assert_eq!(answer.status(), 201, "{}", answer.text());
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let record = answer.json();
    let mut keys: Vec<_> = record.as_object().expect("an object").keys().map(String::as_str).collect();
    keys.sort_unstable();
    let documented = ["clientId", "clientSecret", "createdAt", "id", "name", "redirectUris", "status", "updatedAt"];
    assert_eq!(keys, documented);
    assert_eq!((&record["name"], &record["redirectUris"]), (&json!("Listing Lantern"), &json!([REDIRECT_URI])));
    let created = Timestamp::from_utc(record["createdAt"].as_str().expect("a text"));
    assert_eq!(created, Some(START));

    let secret = answer.at("clientSecret");
    for uri in ["/v1/oauthApps".to_owned(), format!("/v1/oauthApps/{}", record["id"])] {
        let read = as_partner(&server, "GET", &uri, "").await;
        assert_eq!(read.status(), 200);
        assert!(!read.text().contains("ecret") && !read.text().contains(&secret), "{}", read.text());
    }

    // The app works: the secret is the one that was shown.
    let url = format!(
        "/oauth/authorize?response_type=auth_code&client_id={}&redirect_uri={REDIRECT_URI}&state=s",
        answer.at("clientId")
    );
    let code = Browser::new(&server).connect(&url).await.code();
    let fields = [
        ("grant_type", "auth_code"),
        ("code", &code),
        ("redirect_uri", REDIRECT_URI),
        ("client_id", &answer.at("clientId")),
        ("client_secret", &secret),
    ];
    assert_eq!(super::post_form(&server, &[], &fields).await.status(), 200);
}

#[tokio::test]
async fn rg_02_bad_bodies_and_bad_systems_are_refused() {
    let server = TestServer::start().await;
    let long_name = json!({ "redirectUris": [REDIRECT_URI], "name": "x".repeat(121) }).to_string();
    for body in [
        "",
        "{}",
        "[]",
        "redirectUris=https://a.example/",
        "{\"redirectUris\":[]}",
        "{\"redirectUris\":\"https://a.example/cb\"}",
        "{\"redirectUris\":[1]}",
        "{\"redirectUris\":[\"http://a.example/cb\"]}",
        "{\"redirectUris\":[\"https://a.example/cb#f\"]}",
        "{\"redirectUris\":[\"javascript:alert(1)\"]}",
        "{\"redirectUris\":[\"https://a.example/cb\",\"https://a.example/cb\"]}",
        "{\"redirectUris\":[\"https://a.example/cb\"],\"name\":\"\\u0007\"}",
        &long_name,
    ] {
        check_error(&as_partner(&server, "POST", "/v1/oauthApps", body).await, 400);
    }
    let good = json!({ "redirectUris": [REDIRECT_URI] }).to_string();
    let key = server.system_key.clone();
    for (name, wrong) in [("Partner One", "x"), ("Nobody", key.as_str()), ("partner one", &key), ("Partner One", "")] {
        check_error(&call(&server, "POST", "/v1/oauthApps", name, wrong, &good).await, 401);
    }
    check_error(&send(&server, "POST", "/v1/oauthApps", &[("x-system", "Partner One")], &good).await, 401);
    let twice = [("x-system", "Partner One"), ("x-system-key", key.as_str()), ("x-system-key", key.as_str())];
    check_error(&send(&server, "POST", "/v1/oauthApps", &twice, &good).await, 401);
    let read_at = server.store().settings_version().await.expect("no fault");
    let disabled = Replacement { row: System { enabled: false, ..server.system.clone() }, read_at };
    let _ = server.authority().update_system(disabled, "disabled", START).await.expect("no fault");
    check_error(&as_partner(&server, "POST", "/v1/oauthApps", &good).await, 401);
}

#[tokio::test]
async fn rg_02_a_system_sees_only_its_own_apps() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let (name, key) = other_system(&server).await;
    let uri = format!("/v1/oauthApps/{}", app.app.id);
    let body = json!({ "redirectUris": ["https://evil.example/cb"] }).to_string();
    check_error(&call(&server, "GET", &uri, &name, &key, "").await, 404);
    check_error(&call(&server, "PUT", &uri, &name, &key, &body).await, 404);
    let listed = call(&server, "GET", "/v1/oauthApps", &name, &key, "").await;
    assert_eq!(listed.json(), json!({ "oauthApps": [] }));
    for id in ["0", "-1", "x", "99999999999999999999", "1%20"] {
        check_error(&as_partner(&server, "GET", &format!("/v1/oauthApps/{id}"), "").await, 404);
    }
}

#[tokio::test]
async fn rg_03_a_request_that_was_started_with_a_removed_uri_fails() {
    for by_get in [false, true] {
        let server = TestServer::start().await;
        let app = server.confidential_app("Listing Lantern").await;
        let (redeemed, mut browser) = (super::code(&server, &app).await, Browser::new(&server));
        let consent = browser.consent(&app.authorize_url()).await;
        let uri = format!("/v1/oauthApps/{}", app.app.id);
        let body = json!({ "redirectUris": ["https://app.example.com/other"] }).to_string();
        server.clock.advance(60);
        let updated = as_partner(&server, "PUT", &uri, &body).await;
        assert_eq!(updated.status(), 200, "{}", updated.text());
        assert_eq!(updated.json()["redirectUris"], json!(["https://app.example.com/other"]));
        assert_eq!(updated.at("updatedAt"), START.plus(60).to_utc());
        assert_eq!(updated.at("createdAt"), START.to_utc());

        let answer = match by_get {
            true => app.exchange_by_get(&server, &redeemed).await,
            false => app.exchange(&server, &redeemed).await,
        };
        assert_eq!(answer.status(), 400, "T-15: {}", answer.text());
        let code = if by_get { answer.at("errorCode") } else { answer.at("error") };
        assert_eq!(code, if by_get { "invalid-redirect-uri" } else { "invalid_grant" });

        for page in [browser.decide(&consent, "approve").await, browser.get(&app.authorize_url()).await] {
            assert_eq!((page.status(), page.answer.header("location")), (400, None));
        }
    }
}

#[tokio::test]
async fn rg_07_an_app_gives_an_access_back() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let (tokens, other) = (connect(&server, &app).await, connect(&server, &app).await);
    let revoke = async |name: &str, key: &str, token: Option<&str>| {
        let bearer = token.map(|token| format!("Bearer {token}"));
        let mut headers = vec![("x-system", name), ("x-system-key", key)];
        headers.extend(bearer.iter().map(|bearer| ("authorization", bearer.as_str())));
        send(&server, "DELETE", "/v1/oauthApps/revokeAccess", &headers, "").await
    };
    let own_key = server.system_key.clone();
    let (foreign, foreign_key) = other_system(&server).await;
    let sentence = "OAuth application not found or not connected.";

    check_error(&revoke("Partner One", "wrong", Some(&tokens.access_token)).await, 401);
    let answer = revoke(&foreign, &foreign_key, Some(&tokens.access_token)).await;
    check_error(&answer, 404);
    assert_eq!(answer.at("errorMessage"), sentence, "another system's app");
    assert_eq!(revoke("Partner One", &own_key, None).await.status(), 401);
    assert_eq!(revoke("Partner One", &own_key, Some("x")).await.status(), 401);
    assert_eq!(identity(&server, &tokens.access_token).await, 200, "nothing happened so far");

    let answer = revoke("Partner One", &own_key, Some(&tokens.access_token)).await;
    assert_eq!((answer.status(), answer.json()), (200, json!({ "success": true })));
    assert_eq!(identity(&server, &tokens.access_token).await, 401, "the grant is dead");
    assert_eq!(app.refresh(&server, &tokens.refresh_token).await.status(), 400);
    let again = revoke("Partner One", &own_key, Some(&tokens.access_token)).await;
    check_error(&again, 404);
    assert_eq!(again.at("errorMessage"), sentence, "nothing to revoke");

    assert_eq!(identity(&server, &other.access_token).await, 200, "the user's other grant lives");
    server.clock.advance(HOUR);
    let expired = revoke("Partner One", &own_key, Some(&other.access_token)).await;
    assert_eq!((expired.status(), expired.at("errorCode").as_str()), (401, "expired-access-token"));
    for method in ["GET", "POST", "PUT"] {
        let answer = send(&server, method, "/v1/oauthApps/revokeAccess", &[], "").await;
        assert!(matches!(answer.status(), 401 | 404 | 405), "{method}: {}", answer.status());
    }
}
