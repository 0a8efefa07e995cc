//! The client library under each fault: what an integration makes of it, by the table of failures.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use keyfob_client::{
    ApiRequest, CallbackIssuer, CallbackOutcome, ConnectError, Connection, ConnectionError, ConnectionState,
    ExchangeFailed, FirstVisit, Pause, Provider, TokenFailure, TransientCause,
};
use keyfob_protocol::Clock;
use serde_json::{Value, json};

use super::integration::{Integration, browser, query};
use super::raw::{clear, fired, set};
use super::running::Running;

/// The client's waits between tries are not what these tests are about.
struct NoPause;

#[async_trait]
impl Pause for NoPause {
    async fn pause(&self, _: Duration) {}
}

fn integrated(running: &Running, app: usize) -> Integration {
    Integration::pausing(running, &running.announcement.apps[app], |provider| provider, Arc::new(NoPause))
}

async fn state(connection: &Connection) -> ConnectionState {
    connection.state().await.expect("a store")
}

/// The API answers 200, with whatever refresh it takes.
async fn works(connection: &Connection) {
    assert_eq!(connection.get("/v1/identity").await.expect("an answer").status, 200);
}

/// An hour passes at both ends, so that the next call needs a refresh.
async fn an_hour_passes(running: &Running, integration: &Integration) {
    running.advance("61m").await;
    integration.clock.0.fetch_add(3660, Ordering::SeqCst);
}

fn wait(integration: &Integration, seconds: i64) {
    integration.clock.0.fetch_add(seconds, Ordering::SeqCst);
}

#[tokio::test]
async fn drop_reply_on_a_refresh_costs_no_connection_in_any_mode_but_strict() {
    for (mode, app) in [("fixed", 0), ("replay", 1)] {
        let running = Running::start().await;
        set(&running, json!({ "fault": "refresh", "mode": mode })).await;
        let integration = integrated(&running, app);
        let connection = integration.connect(&running).await;
        an_hour_passes(&running, &integration).await;
        set(&running, json!({ "fault": "drop-reply" })).await;
        works(&connection).await;
        assert_eq!(fired(&running).await.0, 2, "{mode}: sent again, once");
        assert!(matches!(state(&connection).await, ConnectionState::Healthy(_)));
    }
}

#[tokio::test]
async fn drop_reply_under_strict_single_use_needs_the_user_and_says_so() {
    let running = Running::start().await;
    set(&running, json!({ "fault": "refresh", "mode": "strict" })).await;
    let integration = integrated(&running, 1);
    let connection = integration.connect(&running).await;
    an_hour_passes(&running, &integration).await;
    set(&running, json!({ "fault": "drop-reply" })).await;
    assert!(matches!(connection.get("/v1/identity").await, Err(ConnectionError::LostReply(_))));
    works(&integration.connect(&running).await).await;
}

#[tokio::test]
async fn drop_reply_on_an_exchange_is_ambiguous_and_the_code_is_not_sent_again() {
    let running = Running::start().await;
    let integration = integrated(&running, 0);
    set(&running, json!({ "fault": "drop-reply", "times": 2 })).await;
    match integration.try_connect(&running).await {
        Err(ConnectError::Exchange(ExchangeFailed { failure: TokenFailure::Ambiguous(_), .. })) => {}
        other => panic!("{other:?}"),
    }
    assert_eq!(fired(&running).await, (1, json!(1)));
}

#[tokio::test]
async fn drop_reply_on_a_post_to_the_api_is_told_and_the_post_not_repeated() {
    let running = Running::start().await;
    let integration = integrated(&running, 0);
    let connection = integration.connect(&running).await;
    set(&running, json!({ "fault": "drop-reply", "at": "api" })).await;
    let note = ApiRequest::post("/v1/notes", r#"{"personId":1,"body":"written once"}"#);
    assert!(matches!(connection.send(&note).await, Err(ConnectionError::NoAnswer(_))));
    let notes = connection.get("/v1/notes?personId=1&limit=100").await.expect("an answer");
    assert_eq!(String::from_utf8_lossy(notes.body.expose()).matches("written once").count(), 1);
}

#[tokio::test]
async fn delay_is_waited_for() {
    let running = Running::start().await;
    let integration = integrated(&running, 0);
    let connection = integration.connect(&running).await;
    for at in ["token", "api"] {
        set(&running, json!({ "fault": "delay", "at": at, "milliseconds": 200 })).await;
    }
    an_hour_passes(&running, &integration).await;
    works(&connection).await;
    assert_eq!(fired(&running).await.0, 1);
}

#[tokio::test]
async fn server_errors_pages_of_proxies_and_429_on_a_refresh_leave_the_connection_healthy() {
    for (fault, status) in [("server-error", 500), ("bad-gateway", 502), ("rate-limited", 429)] {
        let running = Running::start().await;
        let integration = integrated(&running, 1);
        let connection = integration.connect(&running).await;
        an_hour_passes(&running, &integration).await;
        set(&running, json!({ "fault": fault, "times": 20 })).await;
        let failed = connection.get("/v1/identity").await;
        let Err(ConnectionError::RefreshFailed { failure: TokenFailure::Transient { cause, .. }, retry_at }) = failed
        else {
            panic!("{fault}: {failed:?}")
        };
        assert!(matches!(&cause, TransientCause::Busy(evidence) if evidence.status == status), "{cause:?}");
        assert!(matches!(state(&connection).await, ConnectionState::Degraded { .. }), "{fault}");
        // Before it is time nothing is sent.
        let sent = fired(&running).await.0;
        assert!(connection.get("/v1/identity").await.is_err());
        assert_eq!(fired(&running).await.0, sent, "{fault}");
        clear(&running).await;
        wait(&integration, retry_at.since(integration.clock.now()));
        works(&connection).await;
        assert!(matches!(state(&connection).await, ConnectionState::Healthy(_)), "{fault}");
    }
}

#[tokio::test]
async fn one_server_error_on_a_refresh_is_not_noticed() {
    let running = Running::start().await;
    let integration = integrated(&running, 0);
    let connection = integration.connect(&running).await;
    an_hour_passes(&running, &integration).await;
    set(&running, json!({ "fault": "server-error" })).await;
    works(&connection).await;
    assert_eq!(fired(&running).await, (1, json!(0)));
}

#[tokio::test]
async fn rate_limited_on_a_refresh_waits_as_long_as_it_says() {
    let running = Running::start().await;
    let integration = integrated(&running, 0);
    let connection = integration.connect(&running).await;
    an_hour_passes(&running, &integration).await;
    set(&running, json!({ "fault": "rate-limited", "retryAfter": 120 })).await;
    match connection.get("/v1/identity").await {
        Err(ConnectionError::RefreshFailed { retry_at, .. }) => {
            assert!(retry_at.since(integration.clock.now()) >= 120);
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn rate_limited_by_the_api_holds_every_call_for_as_long_as_it_says() {
    let running = Running::start().await;
    let integration = integrated(&running, 0);
    let connection = integration.connect(&running).await;
    set(&running, json!({ "fault": "rate-limited", "at": "api", "times": 5, "retryAfter": 7 })).await;
    for _ in 0..3 {
        match connection.get("/v1/identity").await {
            Err(ConnectionError::RateLimited { retry_at }) => assert_eq!(retry_at.since(integration.clock.now()), 7),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(fired(&running).await, (1, json!(4)), "held back here, not there");
    clear(&running).await;
    wait(&integration, 7);
    works(&connection).await;
}

#[tokio::test]
async fn server_errors_and_pages_of_the_api_are_given_as_they_are() {
    let running = Running::start().await;
    let integration = integrated(&running, 0);
    let connection = integration.connect(&running).await;
    for (fault, status) in [("server-error", 500), ("bad-gateway", 502)] {
        set(&running, json!({ "fault": fault, "at": "api" })).await;
        assert_eq!(connection.get("/v1/identity").await.expect("an answer").status, status);
        assert!(matches!(state(&connection).await, ConnectionState::Healthy(_)));
        works(&connection).await;
    }
}

#[tokio::test]
async fn legacy_envelope_and_id_token_are_read() {
    let running = Running::start().await;
    set(&running, json!({ "fault": "legacy-envelope", "times": "always" })).await;
    let integration = integrated(&running, 1);
    let connection = integration.connect(&running).await;
    let expires = integration.tokens().await.expires_at.expect("read from ttl or expires_at");
    assert_eq!(expires.since(integration.clock.now()), 3600);
    an_hour_passes(&running, &integration).await;
    works(&connection).await;
    clear(&running).await;
    set(&running, json!({ "fault": "id-token" })).await;
    an_hour_passes(&running, &integration).await;
    works(&connection).await;
    assert!(fired(&running).await.0 > 0);
}

#[tokio::test]
async fn deny_is_the_users_decision_and_an_earlier_connection_stays() {
    let running = Running::start().await;
    let integration = integrated(&running, 0);
    let connection = integration.connect(&running).await;
    set(&running, json!({ "fault": "deny" })).await;
    let (attempts, redirect) = integration.decided(&running).await;
    let outcome = attempts.accept(query(&redirect), browser(), integration.clock.now()).expect_err("no code");
    assert!(matches!(outcome, CallbackOutcome::Denied), "{outcome:?}");
    works(&connection).await;
}

#[tokio::test]
async fn double_callback_is_one_exchange() {
    let running = Running::start().await;
    let integration = integrated(&running, 0);
    set(&running, json!({ "fault": "double-callback" })).await;
    let (attempts, redirect) = integration.decided(&running).await;
    let now = integration.clock.now();
    let ready = attempts.accept(query(&redirect), browser(), now).expect("the first visit");
    let again = attempts.accept(query(&redirect), browser(), now).expect_err("the second visit sends nothing");
    assert!(matches!(again, CallbackOutcome::AlreadyUsed(FirstVisit::Approved)), "{again:?}");
    works(&integration.connections.connect("c1", ready).await.expect("tokens")).await;
}

#[tokio::test]
async fn expired_account_is_no_reason_to_connect_again() {
    let running = Running::start().await;
    let integration = integrated(&running, 0);
    let connection = integration.connect(&running).await;
    set(&running, json!({ "fault": "expired-account" })).await;
    assert_eq!(connection.get("/v1/people").await.expect("an answer").status, 403);
    assert!(matches!(state(&connection).await, ConnectionState::Healthy(_)));
    works(&connection).await;
}

#[tokio::test]
async fn expired_secret_is_the_operators_and_touches_no_connection() {
    let running = Running::start().await;
    let integration = integrated(&running, 0);
    let connection = integration.connect(&running).await;
    an_hour_passes(&running, &integration).await;
    set(&running, json!({ "fault": "expired-secret", "times": "always" })).await;
    for _ in 0..3 {
        assert!(matches!(connection.get("/v1/identity").await, Err(ConnectionError::AppRefused { .. })));
    }
    assert_eq!(fired(&running).await.0, 1, "the breaker holds for the app");
    assert!(matches!(state(&connection).await, ConnectionState::Healthy(_)));
    clear(&running).await;
    wait(&integration, 61);
    works(&connection).await;
}

#[tokio::test]
async fn both_answers_to_every_open_question_connect() {
    for (fault, mode) in [
        ("state", "compared"),
        ("state", "required"),
        ("state", "ignored"),
        ("refresh", "fixed"),
        ("refresh", "rotating"),
        ("refresh", "replay"),
        ("refresh", "strict"),
        ("bearer-refusal", "bare"),
        ("bearer-refusal", "basic-challenge"),
        ("bearer-refusal", "legacy-envelope"),
    ] {
        let running = Running::start().await;
        set(&running, json!({ "fault": fault, "mode": mode })).await;
        let integration = integrated(&running, 0);
        let connection = integration.connect(&running).await;
        // The client's clock stands: it learns of the end of its token from the 401 alone.
        for _ in 0..3 {
            running.advance("61m").await;
            works(&connection).await;
        }
        assert!(fired(&running).await.0 > 0, "{fault} {mode}");
    }
}

#[tokio::test]
async fn second_authorization_replaces_the_connection_and_the_new_one_works() {
    let running = Running::start().await;
    set(&running, json!({ "fault": "second-authorization" })).await;
    let integration = integrated(&running, 0);
    let first = integration.connect(&running).await;
    works(&first).await;
    let second = integration.connect(&running).await;
    works(&second).await;
    works(&first).await;
    let identity: Value = first.get("/v1/identity").await.expect("an answer").json().expect("JSON");
    assert_eq!(identity["user"]["id"], 1);
}

#[tokio::test]
async fn response_type_code_is_read_in_either_spelling_and_its_refusal_named() {
    for (mode, connects) in [("as-auth-code", true), ("refused", false)] {
        let running = Running::start().await;
        set(&running, json!({ "fault": "response-type-code", "mode": mode })).await;
        // An authority that spells its answers so names no issuer in them.
        let unnamed = |provider: Provider| provider.expecting_issuer(CallbackIssuer::Unknown);
        let app = &running.announcement.apps[2];
        let integration = Integration::pausing(&running, app, unnamed, Arc::new(NoPause));
        let (attempts, redirect) = integration.decided(&running).await;
        match attempts.accept(query(&redirect), browser(), integration.clock.now()) {
            Ok(ready) if connects => works(&integration.connections.connect("c1", ready).await.expect("tokens")).await,
            Err(CallbackOutcome::ProtocolError(error)) if !connects => {
                assert!(error.to_string().contains("unsupported_response_type"), "{error}");
            }
            other => panic!("{mode}: {:?}", other.map(drop)),
        }
    }
}
