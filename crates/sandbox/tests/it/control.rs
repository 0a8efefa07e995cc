//! The routes under `/sandbox` (matrix SB-05).

use keyfob_client::Method;
use keyfob_protocol::form;
use keyfob_sandbox::AnnouncedApp;
use serde_json::{Value, json};
use url::Url;

use super::running::{Got, Running, kept_in, options, send};

fn authorize_url(running: &Running, app: &AnnouncedApp, more: &[(&str, &str)]) -> String {
    let own = [("client_id", app.client_id.as_str()), ("redirect_uri", &app.redirect_uris[0])];
    let query = form::encode(own.into_iter().chain(more.iter().copied()));
    format!("{}/oauth/authorize?{query}", running.origin())
}

fn parameter(redirect: &str, name: &str) -> Option<String> {
    Url::parse(redirect).expect("a URL").query_pairs().find(|(n, _)| n == name).map(|(_, value)| value.into_owned())
}

async fn ask(running: &Running, body: Value) -> Got {
    running.control("authorize", body).await
}

#[tokio::test]
async fn sb_05_a_decision_gives_the_redirect_of_the_dialect() {
    let running = Running::start().await;
    let app = &running.announcement.apps[0];
    let followupboss = authorize_url(&running, app, &[("response_type", "auth_code"), ("state", "s 1")]);
    let approved = running.decide(&followupboss, "approve").await;
    assert!(approved.starts_with(&format!("{}?", app.redirect_uris[0])), "{approved}");
    assert_eq!(parameter(&approved, "response").as_deref(), Some("approved"));
    assert_eq!(parameter(&approved, "state").as_deref(), Some("s 1"));
    assert!(parameter(&approved, "code").is_some());
    let denied = running.decide(&followupboss, "deny").await;
    assert_eq!(parameter(&denied, "response").as_deref(), Some("denied"));
    assert_eq!(parameter(&denied, "code"), None);

    let oauth = authorize_url(&running, app, &[("response_type", "code"), ("state", "s2")]);
    let denied = running.decide(&oauth, "deny").await;
    assert_eq!(parameter(&denied, "error").as_deref(), Some("access_denied"));
    assert_eq!(parameter(&denied, "iss").as_deref(), Some(running.origin()));
}

#[tokio::test]
async fn sb_05_prompt_login_is_honoured_and_any_name_of_the_authority_will_do() {
    let running = Running::start().await;
    let app = &running.announcement.apps[0];
    let url = authorize_url(&running, app, &[("response_type", "auth_code"), ("state", "s"), ("prompt", "login")]);
    let path = url.strip_prefix(running.origin()).expect("its own URL").to_owned();
    let localhost = url.replacen("127.0.0.1", "localhost", 1);
    for url in [url, path, localhost] {
        let redirect = running.decide(&url, "approve").await;
        assert!(parameter(&redirect, "code").is_some(), "{redirect}");
    }
}

#[tokio::test]
async fn sb_05_an_error_for_the_app_is_a_redirect_and_one_for_a_page_a_400_with_the_pages_status() {
    let running = Running::start().await;
    let standard = &running.announcement.apps[2];
    let without_pkce = authorize_url(&running, standard, &[("response_type", "code"), ("state", "s")]);
    let redirect = running.decide(&without_pkce, "approve").await;
    assert_eq!(parameter(&redirect, "error").as_deref(), Some("invalid_request"));

    let user = &running.announcement.users[0].email;
    let origin = running.origin();
    let client_id = &standard.client_id;
    for (query, named) in [
        (
            format!("client_id={client_id}&redirect_uri=https://elsewhere.example.com/&response_type=code"),
            "redirect_uri",
        ),
        ("client_id=nobody&redirect_uri=https://elsewhere.example.com/&response_type=code".to_owned(), "client_id"),
        (format!("client_id={client_id}&response_type=code"), "redirect_uri"),
        (format!("client_id={client_id}&client_id={client_id}"), "client_id"),
    ] {
        let url = format!("{origin}/oauth/authorize?{query}");
        let got = ask(&running, json!({ "url": url, "user": user, "decision": "approve" })).await;
        assert_eq!((got.status, &got.json()["status"]), (400, &json!(400)), "{}", got.text);
        assert!(got.message().contains(named), "{}", got.text);
    }
}

#[tokio::test]
async fn sb_05_bad_input_is_a_400_that_says_what_to_send() {
    let running = Running::start().await;
    let (origin, user) = (running.origin(), &running.announcement.users[0].email);
    let good = authorize_url(&running, &running.announcement.apps[0], &[("response_type", "auth_code")]);
    for (route, body) in [
        ("authorize", json!({})),
        ("authorize", json!([])),
        ("authorize", json!({ "url": good, "user": user, "decision": "maybe" })),
        ("authorize", json!({ "url": good, "user": user, "decision": "approve", "more": 1 })),
        ("authorize", json!({ "url": good, "user": "nobody@example.com", "decision": "approve" })),
        (
            "authorize",
            json!({ "url": "https://elsewhere.example.com/oauth/authorize?a=b", "user": user, "decision": "approve" }),
        ),
        ("authorize", json!({ "url": format!("{origin}/oauth/authorizer?a=b"), "user": user, "decision": "approve" })),
        ("authorize", json!({ "url": format!("{origin}/oauth/authorize?a=%zz"), "user": user, "decision": "approve" })),
        ("clock", json!({ "advance": "-1m" })),
        ("clock", json!({ "advance": 61 })),
        ("clock", json!({ "advance": "4000d" })),
        ("clock", json!({ "set": "2030-01-01" })),
        ("reset", json!({ "everything": true })),
    ] {
        let got = running.control(route, body.clone()).await;
        assert_eq!(got.status, 400, "{route} {body}: {}", got.text);
        assert!(!got.message().is_empty() && got.json().get("status").is_none(), "{}", got.text);
    }
    for route in ["authorize", "clock", "reset"] {
        let url = format!("{origin}/sandbox/{route}");
        for headers in
            [&[][..], &[("Content-Type", "text/plain")], &[("Content-Type", "application/x-www-form-urlencoded")]]
        {
            let got = send(Method::Post, &url, headers, "{}").await;
            assert_eq!(got.status, 400, "{route}: {}", got.text);
            assert!(got.message().contains("application/json"));
        }
        let got = send(Method::Post, &url, &[("Content-Type", "application/json; charset=utf-8")], "{").await;
        assert_eq!(got.status, 400);
        assert_eq!(send(Method::Get, &url, &[], "").await.status, 405);
    }
}

#[tokio::test]
async fn sb_05_a_foreign_origin_is_refused_whatever_it_sends() {
    let running = Running::start().await;
    for origin in ["https://evil.example.com", "null", "http://127.0.0.1:1"] {
        for (method, route) in [
            (Method::Post, "clock"),
            (Method::Post, "reset"),
            (Method::Get, "credentials"),
            (Method::Post, "faults"),
            (Method::Get, "faults"),
            (Method::Delete, "faults"),
        ] {
            let headers = [("Content-Type", "application/json"), ("Origin", origin)];
            let url = format!("{}/sandbox/{route}", running.origin());
            let got = send(method, &url, &headers, "{\"advance\":\"1m\"}").await;
            assert_eq!(got.status, 403, "{origin} {route}");
            assert!(!got.message().is_empty());
        }
    }
    let headers = [("Content-Type", "application/json"), ("Origin", running.origin())];
    let own =
        send(Method::Post, &format!("{}/sandbox/clock", running.origin()), &headers, "{\"advance\":\"1m\"}").await;
    assert_eq!((own.status, &own.json()["offsetSeconds"]), (200, &json!(60)));
}

#[tokio::test]
async fn sb_05_the_clock_only_goes_forward_and_its_offset_stays_with_the_data() {
    let directory = tempfile::tempdir().expect("a directory");
    let running = Running::start_with(kept_in(directory.path())).await;
    let got = running.control("clock", json!({ "advance": "61m" })).await.json();
    assert_eq!(got, json!({ "now": "2026-11-16T18:01:00Z", "offsetSeconds": 3660 }));
    let got = running.control("clock", json!({ "advance": "2d" })).await.json();
    assert_eq!(got["offsetSeconds"], 3660 + 2 * 86_400);
    running.stop().await;
    let running = Running::start_with(kept_in(directory.path())).await;
    let got = running.control("clock", json!({ "advance": "0s" })).await.json();
    assert_eq!(got["offsetSeconds"], 3660 + 2 * 86_400);
}

#[tokio::test]
async fn an_expired_subscription_can_be_connected_and_the_api_says_403() {
    let running = Running::start_with(options()).await;
    let app = &running.announcement.apps[0];
    let url = authorize_url(&running, app, &[("response_type", "auth_code"), ("state", "s")]);
    let expired = running.announcement.users.iter().find(|user| user.account_id == 3).expect("an expired account");
    let got = ask(&running, json!({ "url": url, "user": expired.email, "decision": "approve" })).await;
    assert!(parameter(got.json()["redirect"].as_str().expect("a redirect"), "code").is_some());
}
