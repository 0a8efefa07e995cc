//! Calls through the proxy while tokens come and go.

use super::desk::{Desk, Wanted, bearer, key_of, refusal};
use super::peer::{Peer, Says, raw};
use crate::raw::{clear, fired, set};
use crate::running::send;
use keyfob_client::Method;
use serde_json::json;
use std::sync::atomic::Ordering;

#[tokio::test]
async fn a_hundred_calls_at_the_end_of_a_token_are_one_refresh() {
    for mode in ["fixed", "rotating", "strict"] {
        let desk = Desk::new().await;
        set(&desk.running, json!({ "fault": "refresh", "mode": mode })).await;
        desk.connect("u1").await;
        assert_eq!(desk.get("/proxy/fub/u1/v1/people?limit=1").await.status, 200);
        desk.passes(61).await;
        let calls: Vec<_> = (0..100).map(|_| desk.get("/proxy/fub/u1/v1/identity")).collect();
        for got in futures_util::future::join_all(calls).await {
            // What the API allows in ten seconds may be less than a hundred.
            assert!(got.status == 200 || got.status == 429, "{mode} {} {}", got.status, got.text);
        }
        assert_eq!(fired(&desk.running).await.0, 1, "{mode}: refreshes");
        assert_eq!(desk.state("u1").await, "connected");
    }
}

#[tokio::test]
async fn a_grant_that_ended_needs_the_user_and_a_new_consent_mends_it() {
    let desk = Desk::new().await;
    desk.connect("u1").await;
    desk.taken_back("u1").await;
    for _ in 0..3 {
        assert_eq!(refusal(&desk.get("/proxy/fub/u1/v1/identity").await), (409, "reauth_required".to_owned()));
    }
    assert_eq!(refusal(&desk.get("/connections/fub/u1/token").await), (409, "reauth_required".to_owned()));
    assert_eq!(desk.state("u1").await, "reauth_required");
    desk.connect("u1").await;
    assert_eq!(desk.get("/proxy/fub/u1/v1/identity").await.status, 200);
    let told = ["nothing>connected", "connected>reauth_required", "reauth_required>connected"];
    assert_eq!(desk.told("u1").await, told);
}

/// Whoever looks for users that nobody calls for any more must not find refusals.
#[tokio::test]
async fn a_call_that_never_reached_the_api_is_no_last_call() {
    let desk = Desk::new().await;
    desk.connect("u1").await;
    let last = async || desk.get("/connections/fub/u1").await.json()["last_call_at"].clone();
    assert_eq!(last().await, json!(null));
    assert_eq!(desk.get("/proxy/fub/u1/v1/nothing-here").await.status, 404);
    let reached = last().await;
    assert!(reached.is_string(), "the API's 404 is an answer: {reached}");
    desk.taken_back("u1").await;
    desk.passes(61).await;
    assert_eq!(refusal(&desk.get("/proxy/fub/u1/v1/identity").await).0, 409);
    assert_eq!(last().await, reached);
}

#[tokio::test]
async fn a_connection_is_given_back_and_gone() {
    let desk = Desk::new().await;
    assert_eq!(refusal(&desk.get("/proxy/fub/u1/v1/identity").await), (404, "not_connected".to_owned()));
    assert_eq!(refusal(&desk.ask(Method::Delete, "/connections/fub/u1", "").await).0, 404);
    desk.connect("u1").await;
    let token = desk.get("/connections/fub/u1/token").await.json();
    let removed = desk.ask(Method::Delete, "/connections/fub/u1", "").await;
    assert_eq!((removed.status, &removed.json()["ended_at_authority"]), (200, &json!(true)), "{}", removed.text);
    assert_eq!(refusal(&desk.get("/connections/fub/u1").await).0, 404);
    assert_eq!(refusal(&desk.get("/proxy/fub/u1/v1/identity").await).0, 404);
    let (name, value) = bearer(token["access_token"].as_str().expect("a token"));
    let there = send(Method::Get, &format!("{}/v1/identity", desk.running.origin()), &[(name, &value)], "").await;
    assert_eq!(there.status, 401, "{}", there.text);
    assert_eq!(desk.told("u1").await, ["nothing>connected", "connected>removed"]);
    desk.connect("u1").await;
}

#[tokio::test]
async fn what_never_was_is_not_called_ended_at_the_authority() {
    let desk = Desk::new().await;
    assert!(desk.trip("u1", 0, "deny").await.starts_with("/end/denied/"));
    let refused = desk.get("/proxy/fub/u1/v1/identity").await;
    assert_eq!(refusal(&refused), (409, "denied".to_owned()));
    assert!(refused.text.contains("start them a new link"), "{}", refused.text);
    let removed = desk.ask(Method::Delete, "/connections/fub/u1", "").await;
    assert_eq!((removed.status, &removed.json()["ended_at_authority"]), (200, &json!(false)), "{}", removed.text);
    assert_eq!(refusal(&desk.get("/connections/fub/u1").await).0, 404);
}

#[tokio::test]
async fn a_call_outside_the_api_is_refused_with_what_to_write() {
    let desk = Desk::new().await;
    desk.connect("u1").await;
    for path in ["/people", "/sandbox/credentials", "/v1x/people", "/v"] {
        let got = desk.get(&format!("/proxy/fub/u1{path}")).await;
        assert_eq!(refusal(&got), (400, "invalid_request".to_owned()), "{path}");
        assert!(got.text.contains(&format!("/proxy/fub/u1/v1{path}")), "{path}: {}", got.text);
    }
    let got = desk.get("/events?after=-1").await;
    assert_eq!(refusal(&got).0, 400);
    assert!(!got.text.contains("eserialize") && got.text.contains("after: "), "{}", got.text);
}

#[tokio::test]
async fn a_post_without_an_answer_is_not_repeated_and_a_get_is_once() {
    let desk = Desk::new().await;
    desk.connect("u1").await;
    set(&desk.running, json!({ "fault": "drop-reply", "at": "api" })).await;
    let note = r#"{"personId":1,"body":"written once"}"#;
    let got = desk.ask(Method::Post, "/proxy/fub/u1/v1/notes", note).await;
    assert_eq!(refusal(&got), (504, "no_answer".to_owned()));
    let notes = desk.get("/proxy/fub/u1/v1/notes?personId=1&limit=100").await;
    assert_eq!(notes.text.matches("written once").count(), 1);
    clear(&desk.running).await;
    set(&desk.running, json!({ "fault": "drop-reply", "at": "api", "times": 5 })).await;
    assert_eq!(refusal(&desk.get("/proxy/fub/u1/v1/identity").await), (504, "no_answer".to_owned()));
    assert_eq!(fired(&desk.running).await.0, 2, "sent, and sent once more");
    clear(&desk.running).await;
    set(&desk.running, json!({ "fault": "drop-reply", "at": "api" })).await;
    assert_eq!(desk.get("/proxy/fub/u1/v1/identity").await.status, 200);
}

#[tokio::test]
async fn what_the_api_says_of_its_limits_and_troubles_is_passed_on() {
    let desk = Desk::new().await;
    desk.connect("u1").await;
    set(&desk.running, json!({ "fault": "bad-gateway", "at": "api" })).await;
    let page = desk.get("/proxy/fub/u1/v1/identity").await;
    assert_eq!((page.status, page.header("keyfob-vault-error")), (502, None));
    assert!(page.text.to_ascii_lowercase().contains("<html"), "{}", page.text);
    clear(&desk.running).await;
    set(&desk.running, json!({ "fault": "rate-limited", "at": "api", "retryAfter": 7 })).await;
    let limited = desk.get("/proxy/fub/u1/v1/identity").await;
    assert_eq!((limited.status, limited.header("retry-after")), (429, Some("7")), "{}", limited.text);
    assert_eq!(desk.state("u1").await, "connected");
}

#[tokio::test]
async fn a_short_429_costs_a_get_its_seconds_and_is_told_to_a_post() {
    let desk = Desk::new().await;
    desk.connect("u1").await;
    let limited = json!({ "fault": "rate-limited", "at": "api", "retryAfter": 1 });
    set(&desk.running, limited.clone()).await;
    let note = r#"{"personId":1,"body":"written later"}"#;
    let told = desk.ask(Method::Post, "/proxy/fub/u1/v1/notes", note).await;
    assert_eq!((refusal(&told), told.header("retry-after")), ((429, "rate_limited".to_owned()), Some("1")));
    desk.clock.0.fetch_add(1, Ordering::SeqCst);
    clear(&desk.running).await;
    set(&desk.running, limited).await;
    let time_passes = async {
        while fired(&desk.running).await.0 == 0 {
            tokio::task::yield_now().await;
        }
        desk.clock.0.fetch_add(1, Ordering::SeqCst);
    };
    let (got, ()) = tokio::join!(desk.get("/proxy/fub/u1/v1/identity"), time_passes);
    assert_eq!((got.status, got.header("keyfob-vault-error")), (200, None), "{}", got.text);
}

#[tokio::test]
async fn nothing_of_the_callers_headers_reaches_the_api_and_none_of_the_vaults_can_be_forged() {
    let api = Peer::start().await;
    let desk = Desk::with(Wanted { api: Some(api.base.clone()), ..Wanted::default() }).await;
    desk.connect("u1").await;
    let said = vec![
        ("keyfob-vault-error", "reauth_required"),
        ("set-cookie", "keyfob-vault=stolen"),
        ("x-request-id", "theirs"),
        ("x-ratelimit-remaining", "9"),
        ("strict-transport-security", "max-age=1"),
    ];
    api.will_say([Says(200, said, r#"{"ok":true}"#)]);
    let (name, value) = bearer(&key_of("backend"));
    let headers = [
        (name, value.as_str()),
        ("X-System", "Somebody"),
        ("X-System-Key", "stolen"),
        ("Cookie", "a=b"),
        ("X-Forwarded-For", "10.0.0.1"),
        ("Proxy-Authorization", "Basic eA=="),
        ("Connection", "X-System"),
        ("Accept", "application/json"),
        ("Content-Type", "application/json"),
        ("X-HTTP-Method-Override", "DELETE"),
    ];
    let got = send(Method::Post, &format!("{}/proxy/fub/u1/v1/people?a=b%20c", desk.base), &headers, "{}").await;
    assert_eq!(got.status, 200, "{}", got.text);
    assert_eq!(got.header("keyfob-vault-error"), None);
    assert_eq!(got.header("set-cookie"), None);
    assert_eq!(got.header("strict-transport-security"), None);
    assert_eq!(got.header("x-ratelimit-remaining"), Some("9"));
    let came = api.received().pop().expect("a request");
    assert_eq!((came.method.as_str(), came.target.as_str(), came.body.as_str()), ("POST", "/v1/people?a=b%20c", "{}"));
    let header = |name: &str| -> Vec<&str> {
        came.headers.get_all(name).iter().map(|value| value.to_str().expect("text")).collect()
    };
    let token = desk.get("/connections/fub/u1/token").await.json()["access_token"].as_str().map(str::to_owned);
    assert_eq!(header("authorization"), [format!("Bearer {}", token.expect("a token"))]);
    assert_eq!(header("x-system"), [desk.running.announcement.system.name.as_str()]);
    assert_eq!(header("x-system-key"), [desk.running.announcement.system.key.as_str()]);
    for absent in ["cookie", "x-forwarded-for", "proxy-authorization", "x-http-method-override"] {
        assert!(header(absent).is_empty(), "{absent}");
    }
}

#[tokio::test]
async fn me_holds_no_secret_in_any_spelling_of_its_path() {
    let api = Peer::start().await;
    for shapeless in [false, true] {
        me_is_redacted(&api, &Desk::with(Wanted { api: Some(api.base.clone()), shapeless, ..Wanted::default() }).await)
            .await;
    }
}

async fn me_is_redacted(api: &Peer, desk: &Desk) {
    desk.connect("u1").await;
    let me = r#"{"name":"U","apiKey":"fka_secret","nested":[{"ssoToken":"fka_secret"}]}"#;
    for path in ["/v1/me", "/v1/me/", "/v1/ME", "/v1/%6de", "/v1/m%65", "/v1/me?fields=allFields"] {
        for status in [200, 403] {
            api.will_only_say([Says(status, vec![("content-type", "application/json")], me)]);
            let got = desk.get(&format!("/proxy/fub/u1{path}")).await;
            assert!(!got.text.contains("fka_secret"), "{path}: {}", got.text);
        }
    }
    api.will_only_say([Says(200, Vec::new(), "{\"apiKey\":\"fka_secret\"")]);
    assert_eq!(desk.get("/proxy/fub/u1/v1/me").await.text, "", "what cannot be read may hold anything");
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_in_json_and_a_large_one_goes_through() {
    let api = Peer::start().await;
    let desk = Desk::with(Wanted { api: Some(api.base.clone()), ..Wanted::default() }).await;
    desk.connect("u1").await;
    let largest = "x".repeat(8 * 1024 * 1024);
    for path in ["/proxy/fub/u1/v1/people", "/connections/start"] {
        let got = desk.ask(Method::Post, path, &format!("{largest}x")).await;
        assert_eq!(refusal(&got), (413, "too_large".to_owned()), "{path}");
    }
    assert!(api.received().is_empty());
    // Who may not ask is refused before anything of the body is read.
    let head = "HTTP/1.1\r\nHost: vault\r\nContent-Length: 8000000\r\nConnection: close\r\n\r\n";
    for path in ["/proxy/fub/u1/v1/people", "/connections/start"] {
        let answer = raw(&desk.base, &format!("POST {path} {head}")).await;
        assert!(answer.starts_with("HTTP/1.1 401"), "{path}: {answer}");
    }
    let form = format!("key={}", "x".repeat(20_000));
    assert_eq!(desk.ask(Method::Post, "/sign-in", &form).await.status, 413, "anybody may post a form");
    // More than the listener of the test's API takes, so that it is the API's to refuse it.
    assert_eq!(desk.ask(Method::Post, "/proxy/fub/u1/v1/people", &largest[..2_000_000]).await.status, 200);
    assert_eq!(api.received()[0].body.len(), 2_000_000);
}
