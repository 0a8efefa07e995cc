//! The failure table of the token endpoint, row by row, in both error shapes.

use crate::scripted::*;
use keyfob_client::*;

/// What one answer to an exchange means.
fn class(step: TokenStep, answer: Answer) -> &'static str {
    match answer.map_err(TokenFailure::of_send).and_then(|response| read_reply(step, &response, START)) {
        Ok(_) => "tokens",
        Err(TokenFailure::Permanent(_)) => "permanent",
        Err(TokenFailure::Operator(_)) => "operator",
        Err(TokenFailure::Transient { .. }) => "transient",
        Err(TokenFailure::Ambiguous(_)) => "ambiguous",
        Err(TokenFailure::Suspect(_)) => "suspect",
    }
}

#[test]
fn cl_03_every_answer_has_one_meaning() {
    let html = "<html><h1>Bad gateway</h1></html>";
    for (answer, exchange, refresh) in [
        (tokens("a", "r"), "tokens", "tokens"),
        (
            reply(200, r#"{"success":true,"data":{"access_token":"a","token_type":"bearer","ttl":"60"}}"#),
            "tokens",
            "tokens",
        ),
        (reply(201, r#"{"access_token":"a","token_type":"BEARER","extra":[1]}"#), "tokens", "tokens"),
        // The grant.
        (oauth_error(400, "invalid_grant"), "permanent", "permanent"),
        (oauth_error(401, "invalid_grant"), "permanent", "permanent"),
        (oauth_error(404, "invalid_grant"), "permanent", "permanent"),
        // Not over: locked until somebody opens it (docs/reasons.md).
        (reply(400, r#"{"error":"invalid_grant","reason":"account_suspended"}"#), "permanent", "transient"),
        (reply(400, r#"{"error":"invalid_grant","reason":"user_disabled"}"#), "permanent", "transient"),
        (reply(400, r#"{"error":"invalid_grant","reason":"user_deleted"}"#), "permanent", "permanent"),
        (legacy_error(400, "invalid-auth-code"), "permanent", "permanent"),
        (legacy_error(401, "expired-auth-code"), "permanent", "permanent"),
        (legacy_error(400, "invalid-refresh-token"), "permanent", "permanent"),
        (legacy_error(401, "expired-refresh-token"), "permanent", "permanent"),
        (legacy_error(404, "inactive-account"), "permanent", "permanent"),
        (legacy_error(404, "user-not-found"), "permanent", "permanent"),
        (legacy_error(400, "invalid-redirect-uri"), "permanent", "suspect"),
        (legacy_error(400, "code-exchange-failed"), "permanent", "suspect"),
        // The app.
        (oauth_error(401, "invalid_client"), "operator", "operator"),
        (oauth_error(400, "invalid_client"), "operator", "operator"),
        (oauth_error(403, "unauthorized_client"), "operator", "operator"),
        (oauth_error(400, "unsupported_grant_type"), "operator", "operator"),
        (legacy_error(400, "invalid-oauth-app"), "operator", "operator"),
        (legacy_error(403, "resource-restricted"), "operator", "operator"),
        (legacy_error(400, "missing-authorization-header"), "operator", "operator"),
        (reply(302, ""), "operator", "operator"),
        (reply(307, r#"{"access_token":"a","token_type":"bearer"}"#), "operator", "operator"),
        // Passing.
        (not_sent(), "transient", "transient"),
        (reply(429, "{}"), "transient", "transient"),
        (oauth_error(500, "server_error"), "transient", "transient"),
        (oauth_error(503, "temporarily_unavailable"), "transient", "transient"),
        (oauth_error(500, "invalid_grant"), "transient", "transient"),
        (reply(502, html), "transient", "transient"),
        (reply(200, html), "transient", "transient"),
        (reply(200, ""), "transient", "transient"),
        (reply(200, r#"{"access_token":"a","#), "transient", "transient"),
        (reply(403, html), "transient", "transient"),
        (unanswered(), "ambiguous", "ambiguous"),
        // Not in any document.
        (reply(200, "{}"), "suspect", "suspect"),
        (reply(200, "[]"), "suspect", "suspect"),
        (reply(200, r#"{"access_token":"a","token_type":"mac"}"#), "suspect", "suspect"),
        (reply(200, r#"{"access_token":null,"token_type":"bearer"}"#), "suspect", "suspect"),
        (reply(418, "{}"), "suspect", "suspect"),
        (oauth_error(400, "invalid_request"), "suspect", "suspect"),
        (legacy_error(400, "missing-required-params"), "suspect", "suspect"),
        (oauth_error(400, "brand_new_error"), "suspect", "suspect"),
    ] {
        let shown =
            format!("{answer:?} {:?}", answer.as_ref().map(|r| String::from_utf8_lossy(r.body.expose()).into_owned()));
        assert_eq!(class(TokenStep::Exchange, answer.clone()), exchange, "exchange: {shown}");
        assert_eq!(class(TokenStep::Refresh, answer), refresh, "refresh: {shown}");
    }
}

async fn exchanged(world: &World, answers: impl IntoIterator<Item = Answer>) -> Result<Connection, ConnectError> {
    world.script.then(answers);
    world.connections.connect("u", world.ready()).await
}

fn failure(result: Result<Connection, ConnectError>) -> (TokenFailure, bool) {
    match result {
        Err(ConnectError::Exchange(failed)) => (failed.failure, failed.again.is_some()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn cl_06_a_code_is_never_sent_twice_after_a_definite_answer() {
    for definite in [
        oauth_error(400, "invalid_grant"),
        legacy_error(400, "invalid-auth-code"),
        oauth_error(401, "invalid_client"),
        oauth_error(400, "brand_new_error"),
        reply(200, "{}"),
        reply(302, ""),
    ] {
        let world = World::new();
        let (_, again) = failure(exchanged(&world, [definite]).await);
        assert!(!again, "the code must not come back");
        assert_eq!(world.script.story(), ["exchange c1"]);
        assert!(matches!(world.connections.open("u").state().await, Ok(ConnectionState::NotConnected)));
    }
}

#[tokio::test]
async fn cl_06_an_exchange_outlives_passing_failures() {
    for passing in [not_sent(), reply(503, "busy"), reply(429, "{}"), reply(200, "<html>")] {
        let world = World::new();
        exchanged(&world, [passing.clone(), passing, tokens("a1", "r1")]).await.unwrap();
        assert_eq!(world.script.story(), ["exchange c1"; 3]);
        let waits = world.pause.waits.lock().unwrap().clone();
        assert_eq!(waits.len(), 2);
        assert!(
            (500..=1000).contains(&waits[0].as_millis()) && (1000..=2000).contains(&waits[1].as_millis()),
            "{waits:?}"
        );
    }
    let world = World::new();
    let (failure, again) = failure(exchanged(&world, [not_sent(), not_sent(), not_sent()]).await);
    assert!(matches!(failure, TokenFailure::Transient { .. }) && again);
}

#[tokio::test]
async fn cl_06_an_exchange_waits_as_long_as_retry_after_says_or_gives_the_code_back() {
    let world = World::new();
    exchanged(&world, [with_header(reply(429, "{}"), "Retry-After", "7"), tokens("a1", "r1")]).await.unwrap();
    let waited = world.pause.waits.lock().unwrap()[0];
    assert!((7000..8000).contains(&waited.as_millis()), "{waited:?}");

    let world = World::new();
    let (failure, again) = failure(exchanged(&world, [with_header(reply(503, "{}"), "Retry-After", "600")]).await);
    assert!(matches!(failure, TokenFailure::Transient { retry_after: Some(600), .. }) && again);
    assert!(world.pause.waits.lock().unwrap().is_empty(), "nobody waits ten minutes in front of a page");
}

#[tokio::test]
async fn cl_06_an_unanswered_exchange_is_sent_again_once_and_only_where_that_is_known_to_be_safe() {
    let world = World::new();
    let (failed, again) = failure(exchanged(&world, [unanswered()]).await);
    assert!(matches!(failed, TokenFailure::Ambiguous(_)) && !again);

    let idempotent = UnansweredExchange::AuthorityIsIdempotentSendOnceMore;
    let world = World::of(Provider::follow_up_boss().with_api_shape(ApiShape::Unknown).when_unanswered(idempotent));
    exchanged(&world, [unanswered(), tokens("a1", "r1")]).await.unwrap();
    let world = World::of(Provider::follow_up_boss().with_api_shape(ApiShape::Unknown).when_unanswered(idempotent));
    let (failed, _) = failure(exchanged(&world, [unanswered(), unanswered()]).await);
    assert!(matches!(failed, TokenFailure::Ambiguous(_)));
    assert_eq!(world.script.count(), 2);
}

#[tokio::test]
async fn cl_06_an_exchange_ends_even_if_the_browser_goes_away() {
    let world = World::new();
    world.script.then([tokens("a1", "r1")]);
    let connections = world.connections.clone();
    let ready = world.ready();
    let handler = tokio::spawn(async move { connections.connect("u", ready).await });
    while world.script.count() == 0 {
        tokio::task::yield_now().await;
    }
    handler.abort();
    assert!(handler.await.unwrap_err().is_cancelled());
    // The tokens are kept all the same: only the answer to the browser was lost.
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
    assert!(matches!(world.connections.open("u").state().await, Ok(ConnectionState::Healthy(_))));
}

#[tokio::test]
async fn a_reconnect_is_a_new_generation_of_the_same_row() {
    let world = World::new();
    world.connected().await;
    let connection = exchanged(&world, [tokens("a2", "r2")]).await.unwrap();
    let row = world.store.load("u").await.unwrap().unwrap();
    assert_eq!(row.generation, 2);
    world.script.then([reply(200, "{}")]);
    connection.get("/v1/identity").await.unwrap();
    assert_eq!(world.script.story(), ["exchange c1", "GET /v1/identity a2"]);
}
