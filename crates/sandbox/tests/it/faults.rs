//! `/sandbox/faults`: every fault as it is on the wire.

use std::time::{Duration, Instant};

use keyfob_client::{Method, SendFailure};
use keyfob_protocol::form;
use serde_json::{Value, json};

use super::browser::Browser;
use super::raw::{clear, fired, parameter, raw, set};
use super::running::{Running, get, send, try_send};

#[tokio::test]
async fn a_fault_fires_as_often_as_asked_is_listed_and_cleared() {
    let running = Running::start().await;
    let app = raw(&running, 0);
    let tokens = app.connected().await;
    set(&running, json!({ "fault": "server-error", "times": 2 })).await;
    assert_eq!(fired(&running).await, (0, json!(2)));
    for status in [500, 500, 200] {
        assert_eq!(app.refreshed(&tokens).await.status, status);
    }
    assert_eq!(fired(&running).await, (2, json!(0)));
    set(&running, json!({ "fault": "server-error", "times": "always" })).await;
    assert_eq!(app.refreshed(&tokens).await.status, 500);
    let url = format!("{}/sandbox/faults", running.origin());
    let cleared = send(Method::Delete, &url, &[], "").await;
    assert_eq!((cleared.status, cleared.json()), (200, json!({ "faults": [] })));
    assert_eq!(app.refreshed(&tokens).await.status, 200);
    set(&running, json!({ "fault": "server-error", "times": "always" })).await;
    assert_eq!(running.control("reset", json!({})).await.status, 200);
    assert_eq!(get(&url, &[]).await.json(), json!({ "faults": [] }));
}

#[tokio::test]
async fn faults_that_are_used_up_make_room() {
    let running = Running::start().await;
    let app = raw(&running, 0);
    let tokens = app.connected().await;
    set(&running, json!({ "fault": "server-error", "app": "standard" })).await;
    for nth in 0..110 {
        set(&running, json!({ "fault": "expired-secret" })).await;
        assert_eq!(app.refreshed(&tokens).await.status, 401, "{nth}");
    }
    assert_eq!(fired(&running).await, (0, json!(1)), "what did not fire yet stays");
    assert_eq!(app.refreshed(&tokens).await.status, 200);
}

#[tokio::test]
async fn a_fault_may_concern_one_app_or_one_connection() {
    let running = Running::start().await;
    let (one, other) = (raw(&running, 0), raw(&running, 1));
    let (first, second, third) = (one.connected().await, one.connected().await, other.connected().await);
    set(&running, json!({ "fault": "server-error", "app": "rotating" })).await;
    assert_eq!(one.refreshed(&first).await.status, 200);
    assert_eq!(other.refreshed(&third).await.status, 500);
    for named in ["access_token", "refresh_token"] {
        set(&running, json!({ "fault": "server-error", "connection": second[named] })).await;
        set(&running, json!({ "fault": "server-error", "at": "api", "connection": second[named] })).await;
        assert_eq!((one.refreshed(&first).await.status, one.identity(&first).await.status), (200, 200));
        assert_eq!((one.refreshed(&second).await.status, one.identity(&second).await.status), (500, 500), "{named}");
    }
    let listed = get(&format!("{}/sandbox/faults", running.origin()), &[]).await;
    let secret = second["refresh_token"].as_str().expect("one");
    assert!(!listed.text.contains(secret), "a token that was pasted is not shown: {}", listed.text);
}

#[tokio::test]
async fn bad_input_names_the_key_and_sets_nothing() {
    let running = Running::start().await;
    for (fault, named) in [
        (json!({ "fault": "servererror" }), "servererror"),
        (json!({ "fault": "server-error", "tims": 1 }), "`tims`"),
        (json!({ "fault": "deny", "at": "api" }), "\"at\""),
        (json!({ "fault": "deny", "retryAfter": 1 }), "\"retryAfter\""),
        (json!({ "fault": "delay" }), "\"milliseconds\""),
        (json!({ "fault": "delay", "milliseconds": 120_001 }), "\"milliseconds\""),
        (json!({ "fault": "rate-limited", "retryAfter": 3601 }), "\"retryAfter\""),
        (json!({ "fault": "server-error", "times": 0 }), "\"times\""),
        (json!({ "fault": "server-error", "app": "nobody" }), "nobody"),
        (json!({ "fault": "server-error", "connection": "nothing" }), "\"connection\""),
    ] {
        let good = json!({ "fault": "deny" });
        let got = running.control("faults", json!({ "faults": [good, fault] })).await;
        assert_eq!(got.status, 400, "{fault}: {}", got.text);
        assert!(got.message().contains(named), "{fault}: {}", got.text);
    }
    let many = vec![json!({ "fault": "deny" }); 101];
    assert_eq!(running.control("faults", json!({ "faults": many })).await.status, 400);
    let listed = get(&format!("{}/sandbox/faults", running.origin()), &[]).await.json();
    assert_eq!(listed, json!({ "faults": [] }));
}

#[tokio::test]
async fn what_get_says_is_a_scenario_that_post_takes() {
    let running = Running::start().await;
    let app = raw(&running, 0);
    let tokens = app.connected().await;
    for fault in [
        json!({ "fault": "server-error", "app": "followupboss", "times": 2 }),
        json!({ "fault": "delay", "at": "api", "milliseconds": 5, "times": "always" }),
        json!({ "fault": "rate-limited", "retryAfter": 3, "connection": tokens["refresh_token"] }),
        json!({ "fault": "refresh", "mode": "strict" }),
        json!({ "fault": "second-authorization" }),
        json!({ "fault": "id-token" }),
    ] {
        set(&running, fault).await;
    }
    assert_eq!(app.refreshed(&tokens).await.status, 500);
    let url = format!("{}/sandbox/faults", running.origin());
    let mut saved = get(&url, &[]).await.json();
    assert_eq!((&saved["faults"][0]["fired"], &saved["faults"][0]["left"]), (&json!(1), &json!(1)));
    clear(&running).await;
    let again = running.control("faults", saved.clone()).await;
    assert_eq!(again.status, 200, "{}", again.text);
    // The counts begin anew.
    (saved["faults"][0]["fired"], saved["faults"][0]["left"]) = (json!(0), json!(2));
    assert_eq!(again.json(), saved);
}

#[tokio::test]
async fn drop_reply_carries_the_request_out_and_answers_nothing() {
    let running = Running::start().await;
    let app = raw(&running, 0);
    let code = app.code().await;
    set(&running, json!({ "fault": "drop-reply" })).await;
    match app.exchange(&code).await {
        Err(SendFailure::Unanswered(_)) => {}
        other => panic!("{:?}", other.map(|got| got.status)),
    }
    let again = app.exchange(&code).await.expect("an answer");
    assert_eq!((again.status, &again.json()["error"]), (400, &json!("invalid_grant")), "the code was spent");

    let tokens = app.connected().await;
    let url = format!("{}/v1/notes", running.origin());
    let bearer = format!("Bearer {}", tokens["access_token"].as_str().expect("one"));
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
    set(&running, json!({ "fault": "drop-reply", "at": "api" })).await;
    let sent = try_send(Method::Post, &url, &headers, r#"{"personId":1,"body":"written once"}"#).await;
    assert!(matches!(sent, Err(SendFailure::Unanswered(_))));
    let notes = get(&format!("{url}?personId=1&limit=100"), &headers[..1]).await;
    assert_eq!(notes.text.matches("written once").count(), 1, "{}", notes.text);
}

#[tokio::test]
async fn delay_answers_late() {
    let running = Running::start().await;
    let app = raw(&running, 0);
    let tokens = app.connected().await;
    for at in ["token", "api"] {
        set(&running, json!({ "fault": "delay", "at": at, "milliseconds": 300 })).await;
        #[expect(clippy::disallowed_methods, reason = "what is measured is the wait of a real request")]
        let began = Instant::now();
        let status = if at == "api" { app.identity(&tokens).await } else { app.refreshed(&tokens).await }.status;
        assert!(status == 200 && began.elapsed() >= Duration::from_millis(300), "{at}: {:?}", began.elapsed());
    }
}

#[tokio::test]
async fn server_error_is_a_500_and_then_a_success() {
    let running = Running::start().await;
    let app = raw(&running, 0);
    let code = app.code().await;
    set(&running, json!({ "fault": "server-error" })).await;
    let failed = app.exchange(&code).await.expect("an answer");
    assert_eq!((failed.status, &failed.json()["error"]), (500, &json!("server_error")));
    let tokens = app.exchange(&code).await.expect("an answer");
    assert_eq!(tokens.status, 200, "nothing was carried out: {}", tokens.text);
    set(&running, json!({ "fault": "server-error", "at": "api" })).await;
    let failed = app.identity(&tokens.json()).await;
    assert!(failed.status == 500 && !failed.message().is_empty());
    assert_eq!(app.identity(&tokens.json()).await.status, 200);
}

#[tokio::test]
async fn rate_limited_is_a_burst_of_429_at_both_endpoints() {
    let running = Running::start().await;
    let app = raw(&running, 0);
    let tokens = app.connected().await;
    for at in ["token", "api"] {
        set(&running, json!({ "fault": "rate-limited", "at": at, "times": 3, "retryAfter": 7 })).await;
        for status in [429, 429, 429, 200] {
            let got = if at == "api" { app.identity(&tokens).await } else { app.refreshed(&tokens).await };
            assert_eq!(got.status, status, "{at}: {}", got.text);
            assert_eq!(got.header("retry-after"), (status == 429).then_some("7"), "{at}");
        }
    }
}

#[tokio::test]
async fn bad_gateway_is_a_502_that_is_not_json() {
    let running = Running::start().await;
    let app = raw(&running, 0);
    let tokens = app.connected().await;
    for at in ["token", "api"] {
        set(&running, json!({ "fault": "bad-gateway", "at": at })).await;
        let got = if at == "api" { app.identity(&tokens).await } else { app.refreshed(&tokens).await };
        assert_eq!((got.status, got.header("content-type")), (502, Some("text/html")));
        assert!(serde_json::from_str::<Value>(&got.text).is_err(), "{}", got.text);
    }
}

#[tokio::test]
async fn legacy_envelope_answers_a_post_as_if_it_were_a_get() {
    let running = Running::start().await;
    let app = raw(&running, 0);
    set(&running, json!({ "fault": "legacy-envelope", "times": 2 })).await;
    let enveloped = app.exchange(&app.code().await).await.expect("an answer").json();
    assert_eq!((&enveloped["success"], &enveloped["data"]["ttl"]), (&json!(true), &json!("3600")));
    assert_eq!(enveloped["data"]["token_type"], "bearer");
    assert_eq!(enveloped["data"]["issued_at"], "2026-11-16T17:00:00Z");
    assert_eq!(enveloped["data"]["expires_at"], "2026-11-16T18:00:00Z");
    assert_eq!(app.identity(&enveloped["data"]).await.status, 200);
    let refused = app.exchange("keyfobac_nothing").await.expect("an answer");
    assert_eq!((refused.status, &refused.json()["success"]), (400, &json!(false)), "{}", refused.text);
    assert_eq!(refused.json()["errorCode"], "code-exchange-failed");
    assert!(app.connected().await["access_token"].is_string(), "and then as documented");
}

#[tokio::test]
async fn deny_tells_the_app_that_the_user_declined_in_the_dialect_of_the_request() {
    let running = Running::start().await;
    let app = raw(&running, 0);
    set(&running, json!({ "fault": "deny", "app": "rotating" })).await;
    assert!(parameter(&app.redirect("auth_code").await, "code").is_some(), "another app's fault");
    set(&running, json!({ "fault": "deny", "times": 2 })).await;
    let denied = app.redirect("auth_code").await;
    assert_eq!(denied, format!("{}?response=denied&state=s1", app.app.redirect_uris[0]));
    let denied = app.redirect("code").await;
    assert_eq!(parameter(&denied, "error").as_deref(), Some("access_denied"), "{denied}");
    assert!(parameter(&app.redirect("auth_code").await, "code").is_some());
}

#[tokio::test]
async fn double_callback_sends_the_browser_twice() {
    let running = Running::start().await;
    let app = raw(&running, 0);
    set(&running, json!({ "fault": "double-callback", "times": 2 })).await;
    let user = &running.announcement.users[0];
    let pairs = [
        ("response_type", "auth_code"),
        ("client_id", &app.app.client_id),
        ("redirect_uri", &app.app.redirect_uris[0]),
        ("state", "s1"),
    ];
    let url = format!("{}/oauth/authorize?{}", running.origin(), form::encode(pairs));
    let asked = json!({ "url": url, "user": user.email, "decision": "approve" });
    assert_eq!(running.control("authorize", asked).await.json()["visits"], 2);

    let mut browser = Browser::default();
    let page = browser.open(&url).await;
    let signed_in = [("email", user.email.as_str()), ("password", &user.password)];
    let page = browser.submit(&page, "/oauth/authorize/sign-in", &signed_in).await;
    let page = browser.submit(&page, "/oauth/authorize/decision", &[("decision", "approve")]).await;
    let callback = format!("{}?", app.app.redirect_uris[0]);
    assert_eq!(page.got.status, 200);
    assert!(page.got.text.contains(&format!("<img src=\"{callback}")), "{}", page.got.text);
    assert!(page.got.text.contains(&format!("content=\"1;url={callback}")), "{}", page.got.text);
    assert_eq!(fired(&running).await, (2, json!(0)));
}

#[tokio::test]
async fn expired_account_is_a_403_while_the_token_is_good() {
    let running = Running::start().await;
    let app = raw(&running, 0);
    let tokens = app.connected().await;
    set(&running, json!({ "fault": "expired-account" })).await;
    let got = app.identity(&tokens).await;
    assert!(got.status == 403 && got.message().contains("expired"), "{}", got.text);
    assert_eq!((app.refreshed(&tokens).await.status, app.identity(&tokens).await.status), (200, 200));
}

#[tokio::test]
async fn expired_secret_refuses_the_app_and_ends_nothing() {
    let running = Running::start().await;
    let app = raw(&running, 0);
    let tokens = app.connected().await;
    set(&running, json!({ "fault": "expired-secret", "app": app.app.client_id })).await;
    let got = app.refreshed(&tokens).await;
    assert_eq!((got.status, &got.json()["error"]), (401, &json!("invalid_client")));
    assert!(got.header("www-authenticate").is_some_and(|challenge| challenge.starts_with("Basic ")));
    assert_eq!(app.refreshed(&tokens).await.status, 200);
}
