//! Switches of `/sandbox/faults`: what nobody has written down of Follow Up Boss, and how other authorities treat refresh tokens.

use keyfob_client::Method;
use serde_json::{Value, json};

use super::raw::{Raw, clear, fired, parameter, raw, set};
use super::running::{Got, Running, kept_in, send};

fn error(got: &Got) -> (u16, Value) {
    (got.status, got.json()["error"].clone())
}

async fn same_token(app: &Raw<'_>, tokens: &Value) -> bool {
    let fresh = app.refreshed(tokens).await;
    assert_eq!(fresh.status, 200, "{}", fresh.text);
    fresh.json()["refresh_token"] == tokens["refresh_token"]
}

#[tokio::test]
async fn refresh_fixed_and_replay_are_policies_of_the_law_and_end_with_the_switch() {
    let running = Running::start().await;
    let (fixed, rotating) = (raw(&running, 0), raw(&running, 1));
    set(&running, json!({ "fault": "refresh", "mode": "replay", "app": "followupboss" })).await;
    let tokens = fixed.connected().await;
    let fresh = fixed.refreshed(&tokens).await.json();
    assert_ne!(fresh["refresh_token"], tokens["refresh_token"]);
    let replayed = fixed.refreshed(&tokens).await.json();
    assert_eq!(replayed["refresh_token"], fresh["refresh_token"], "the same successor again");
    assert_eq!(fired(&running).await, (2, Value::Null));

    set(&running, json!({ "fault": "refresh", "mode": "fixed" })).await;
    assert!(same_token(&rotating, &rotating.connected().await).await, "the switch that was set last");
    clear(&running).await;
    assert!(same_token(&fixed, &fixed.connected().await).await);
    assert!(!same_token(&rotating, &rotating.connected().await).await);
    set(&running, json!({ "fault": "refresh", "mode": "fixed" })).await;
    assert_eq!(running.control("reset", json!({})).await.status, 200);
    assert!(!same_token(&rotating, &rotating.connected().await).await);
}

#[tokio::test]
async fn refresh_rotating_refuses_an_earlier_token_and_ends_nothing() {
    let running = Running::start().await;
    let app = raw(&running, 0);
    let tokens = app.connected().await;
    set(&running, json!({ "fault": "refresh", "mode": "rotating" })).await;
    let fresh = app.refreshed(&tokens).await.json();
    assert_eq!(error(&app.refreshed(&tokens).await), (400, json!("invalid_grant")));
    assert_eq!(app.refreshed(&fresh).await.status, 200);
}

#[tokio::test]
async fn refresh_strict_ends_the_family_and_no_other() {
    let running = Running::start().await;
    let app = raw(&running, 0);
    let (tokens, others) = (app.connected().await, app.connected().await);
    set(&running, json!({ "fault": "refresh", "mode": "strict" })).await;
    // What the authority did not take is not used up.
    set(&running, json!({ "fault": "server-error" })).await;
    assert_eq!(app.refreshed(&tokens).await.status, 500);
    let fresh = app.refreshed(&tokens).await.json();
    assert_eq!(app.identity(&fresh).await.status, 200);
    assert_eq!(error(&app.refreshed(&tokens).await), (400, json!("invalid_grant")));
    assert_eq!(error(&app.refreshed(&fresh).await), (400, json!("invalid_grant")), "the successor ended with it");
    assert_eq!(app.identity(&fresh).await.status, 401);
    assert_eq!(app.refreshed(&others).await.status, 200);
}

#[tokio::test]
async fn refresh_strict_takes_one_of_two_at_the_same_time() {
    let running = Running::start().await;
    let app = raw(&running, 0);
    let tokens = app.connected().await;
    set(&running, json!({ "fault": "refresh", "mode": "strict" })).await;
    let (one, other) = tokio::join!(app.refreshed(&tokens), app.refreshed(&tokens));
    assert_eq!(one.status.min(other.status), 200);
    assert_eq!(one.status.max(other.status), 400);
}

#[tokio::test]
async fn state_is_compared_required_or_ignored() {
    let running = Running::start().await;
    let app = raw(&running, 0);
    let redirect_uri = app.app.redirect_uris[0].as_str();
    let exchange = async |state: &str| {
        let code = app.code().await;
        let pairs =
            [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", redirect_uri), ("state", state)];
        app.try_token(Method::Post, if state.is_empty() { &pairs[..3] } else { &pairs })
            .await
            .expect("an answer")
            .status
    };
    for (mode, none, another) in [("compared", 400, 400), ("required", 400, 200), ("ignored", 200, 200)] {
        set(&running, json!({ "fault": "state", "mode": mode })).await;
        assert_eq!((exchange("").await, exchange("s2").await, exchange("s1").await), (none, another, 200), "{mode}");
    }
}

#[tokio::test]
async fn second_authorization_ends_the_first() {
    let running = Running::start().await;
    let app = raw(&running, 0);
    set(&running, json!({ "fault": "second-authorization", "app": "followupboss" })).await;
    let (first, second) = (app.connected().await, app.connected().await);
    assert_eq!((app.identity(&first).await.status, app.identity(&second).await.status), (401, 200));
    assert_eq!(error(&app.refreshed(&first).await), (400, json!("invalid_grant")));
    clear(&running).await;
    app.connected().await;
    assert_eq!(app.identity(&second).await.status, 200);
}

#[tokio::test]
async fn response_type_code_is_refused_or_answered_as_auth_code() {
    let running = Running::start().await;
    let app = raw(&running, 0);
    set(&running, json!({ "fault": "response-type-code", "mode": "as-auth-code", "times": 1 })).await;
    assert!(app.redirect("auth_code").await.contains("response=approved"));
    let answered = app.redirect("code").await;
    assert_eq!(parameter(&answered, "response").as_deref(), Some("approved"), "{answered}");
    assert_eq!(app.exchange(&parameter(&answered, "code").expect("a code")).await.expect("an answer").status, 200);
    set(&running, json!({ "fault": "response-type-code", "mode": "refused", "times": 1 })).await;
    let refused = app.redirect("code").await;
    assert_eq!(parameter(&refused, "error").as_deref(), Some("unsupported_response_type"), "{refused}");
    assert_eq!(parameter(&app.redirect("code").await, "error"), None);

    set(&running, json!({ "fault": "response-type-code", "mode": "refused" })).await;
    let (client_id, back) = (&app.app.client_id, &app.app.redirect_uris[0]);
    let query = format!("response_type=code&client_id={client_id}&redirect_uri={back}&state=s1");
    let browser = send(Method::Get, &format!("{}/oauth/authorize?{query}", running.origin()), &[], "").await;
    let location = browser.header("location").expect("a redirect");
    assert_eq!(parameter(location, "error").as_deref(), Some("unsupported_response_type"), "{location}");
    // Whoever reads that auth_code or code is wanted, and sent code, looks for the mistake in the wrong place.
    let said = parameter(location, "error_description").expect("a reason");
    assert_eq!(said, "response_type=code is refused by the fault response-type-code of this sandbox; send auth_code");
    assert_eq!(parameter(location, "state").as_deref(), Some("s1"), "{location}");
    let asked = json!({ "url": format!("{}/oauth/authorize?{query}", running.origin()), "user": running.announcement.users[0].email, "decision": "approve" });
    let scripted = running.control("authorize", asked).await.json();
    assert_eq!(scripted["errorDescription"], json!(said), "{scripted}");
    assert_eq!(scripted["redirect"], json!(location), "{scripted}");
    let mistyped = app.redirect("Code").await;
    assert!(parameter(&mistyped, "error_description").is_some_and(|said| said.contains("must be")), "{mistyped}");
}

#[tokio::test]
async fn id_token_comes_with_the_reply_to_a_post() {
    let running = Running::start().await;
    let app = raw(&running, 0);
    set(&running, json!({ "fault": "id-token" })).await;
    let tokens = app.connected().await;
    assert_eq!(tokens["id_token"].as_str().expect("one").split('.').count(), 3);
    assert!(app.refreshed(&tokens).await.json()["id_token"].is_string());
    clear(&running).await;
    assert!(app.connected().await.get("id_token").is_none());
}

#[tokio::test]
async fn bearer_refusal_changes_the_401_of_a_bearer_token_and_nothing_else() {
    let running = Running::start().await;
    let app = raw(&running, 0);
    let tokens = app.connected().await;
    for mode in ["basic-challenge", "legacy-envelope", "bare"] {
        set(&running, json!({ "fault": "bearer-refusal", "mode": mode })).await;
    }
    assert_eq!(app.identity(&tokens).await.status, 200);
    running.advance("61m").await;
    let bare = app.identity(&tokens).await;
    assert_eq!((bare.status, bare.text.as_str(), bare.header("www-authenticate")), (401, "", None));
    set(&running, json!({ "fault": "bearer-refusal", "mode": "legacy-envelope" })).await;
    let enveloped = app.identity(&tokens).await;
    assert_eq!((enveloped.status, &enveloped.json()["errorCode"]), (401, &json!("expired-access-token")));
    set(&running, json!({ "fault": "bearer-refusal", "mode": "basic-challenge" })).await;
    let challenged = app.identity(&tokens).await;
    assert_eq!(challenged.all("www-authenticate"), ["Basic realm=\"Follow Up Boss API\""]);
    let nobody = send(Method::Get, &format!("{}/v1/identity", running.origin()), &[], "").await;
    assert_eq!(nobody.all("www-authenticate").len(), 2, "without a token, as ever");
}

#[tokio::test]
async fn a_switch_does_not_outlive_the_sandbox_in_its_data() {
    let directory = tempfile::tempdir().expect("a directory");
    let running = Running::start_with(kept_in(directory.path())).await;
    set(&running, json!({ "fault": "refresh", "mode": "replay" })).await;
    running.stop().await;
    let running = Running::start_with(kept_in(directory.path())).await;
    let app = raw(&running, 0);
    assert!(same_token(&app, &app.connected().await).await);
}

#[tokio::test]
async fn a_switch_says_what_it_takes() {
    let running = Running::start().await;
    for (fault, named) in [
        (json!({ "fault": "refresh" }), "\"mode\""),
        (json!({ "fault": "refresh", "mode": "compared" }), "\"fixed\""),
        (json!({ "fault": "refresh", "mode": "fixed", "times": 2 }), "\"times\""),
        (json!({ "fault": "state", "mode": "sometimes" }), "sometimes"),
        (json!({ "fault": "id-token", "mode": "fixed" }), "\"mode\""),
        (json!({ "fault": "second-authorization", "app": "0".repeat(64) }), "\"app\""),
    ] {
        let got = running.control("faults", json!({ "faults": [fault] })).await;
        assert_eq!(got.status, 400, "{fault}: {}", got.text);
        assert!(got.message().contains(named), "{fault}: {}", got.text);
    }
}
