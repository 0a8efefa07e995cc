//! Keeping a connection alive: when, once at a time, and what each failure does to it.

use crate::scripted::*;
use keyfob_client::*;
use std::sync::atomic::Ordering;

fn ok() -> Answer {
    reply(200, "{}")
}

async fn in_store(world: &World) -> StoredConnection {
    world.store.load("u").await.unwrap().expect("a row")
}

/// A connection whose access token has ended.
async fn ended(world: &World) -> Connection {
    let connection = world.connected().await;
    world.clock.advance(3600);
    connection
}

/// A connection whose access token lives for another 30 seconds.
async fn due(world: &World) -> Connection {
    let connection = world.connected().await;
    world.clock.advance(3570);
    connection
}

#[tokio::test]
async fn cl_05_a_token_is_refreshed_60_seconds_before_it_ends() {
    let world = World::new();
    let connection = world.connected().await;
    world.clock.advance(3539);
    world.script.then([ok(), tokens("a2", "r2"), ok()]);
    connection.get("/v1/people").await.unwrap();
    world.clock.advance(1);
    connection.get("/v1/people").await.unwrap();
    assert_eq!(world.script.story(), ["GET /v1/people a1", "refresh r1", "GET /v1/people a2"]);
    let row = in_store(&world).await;
    assert!(matches!(row.standing, Standing::Live(tokens) if tokens.refresh_token.as_ref().unwrap().expose() == "r2"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn cl_05_a_hundred_callers_make_one_refresh() {
    for advance in [3570, 3600] {
        let world = World::new();
        world.connected().await;
        world.clock.advance(advance);
        // A caller whose token still lives goes ahead of the refresh.
        world.script.then_refreshed(tokens("a2", "r2"));
        world.script.then((0..100).map(|_| ok()));
        let calls: Vec<_> = (0..100)
            .map(|_| {
                // Each caller opens a handle of its own: the name is what counts.
                let connection = world.connections.open("u");
                tokio::spawn(async move { connection.get("/v1/people").await.unwrap() })
            })
            .collect();
        for call in calls {
            call.await.unwrap();
        }
        assert_eq!(world.script.story().iter().filter(|line| line.starts_with("refresh")).count(), 1);
    }
}

#[tokio::test]
async fn cl_05_after_invalid_grant_a_changed_store_is_used() {
    let first = World::new();
    let connection = ended(&first).await;
    // The user connects again in another process while our refresh is under way, which ends the older grant.
    let other = World::beside(&first);
    first.script.then([oauth_error(400, "invalid_grant"), ok()]);
    let reconnect = async {
        while first.script.count() == 0 {
            tokio::task::yield_now().await;
        }
        other.connections.adopt("u", TokenSet { expires_at: None, ..token_set("a2", "r2") }).await
    };
    let (ours, theirs) = tokio::join!(connection.get("/v1/people"), reconnect);
    ours.unwrap();
    theirs.unwrap();
    assert_eq!(first.script.story(), ["refresh r1", "GET /v1/people a2"]);
    assert_eq!(in_store(&first).await.generation, 2);
}

#[tokio::test]
async fn cl_05_an_authority_that_repeats_the_token_in_its_error_does_not_show_it() {
    let world = World::new();
    let connection = ended(&world).await;
    world.script.then([tokens("a2-of-this-test", "r2-of-this-test"), ok()]);
    connection.get("/v1/people").await.unwrap();
    world.clock.advance(3600);
    let careless = r#"{"error":"invalid_grant","error_description":"r2-of-this-test is not known"}"#;
    world.script.then([reply(400, careless), reply(400, careless)]);
    let error = connection.get("/v1/people").await.unwrap_err();
    let row = in_store(&world).await;
    for shown in [error.to_string(), format!("{error:?}"), format!("{row:?}")] {
        assert!(!shown.contains("r2-of-this-test"), "{shown}");
    }
    assert!(format!("{row:?}").contains("[redacted] is not known"));
}

#[tokio::test]
async fn cl_05_after_invalid_grant_an_unchanged_store_means_reauth_required_without_a_loop() {
    for dead in [oauth_error(400, "invalid_grant"), legacy_error(401, "expired-refresh-token")] {
        let world = World::new();
        let connection = ended(&world).await;
        world.script.then([dead]);
        for _ in 0..5 {
            let error = connection.get("/v1/people").await.unwrap_err();
            assert!(matches!(error, ConnectionError::ReauthRequired(_)), "{error}");
        }
        assert_eq!(world.script.story(), ["refresh r1"]);
        // Another process, or this one after a restart, knows as well.
        let restarted = World::beside(&world);
        let error = restarted.connections.open("u").get("/v1/people").await.unwrap_err();
        assert!(matches!(error, ConnectionError::ReauthRequired(_)));
        assert!(matches!(connection.state().await, Ok(ConnectionState::ReauthRequired(_))));
        // The user connects again, in the other process, and this one goes on.
        restarted.connections.adopt("u", TokenSet { expires_at: None, ..token_set("a9", "r9") }).await.unwrap();
        world.script.then([ok()]);
        connection.get("/v1/people").await.unwrap();
        assert_eq!(world.script.story().last().unwrap(), "GET /v1/people a9");
    }
}

#[tokio::test]
async fn cl_06_a_passing_failure_leaves_the_old_token_in_use_while_it_lives() {
    for passing in
        [not_sent(), reply(503, "x"), reply(429, "{}"), reply(200, "<html>"), unanswered(), oauth_error(400, "new")]
    {
        let world = World::new();
        let connection = due(&world).await;
        world.script.then([passing, ok(), ok(), ok()]);
        for _ in 0..3 {
            connection.get("/v1/people").await.unwrap();
        }
        assert_eq!(world.script.story()[1..], ["GET /v1/people a1"; 3], "one try, then the old token without another");
        assert!(matches!(connection.state().await, Ok(ConnectionState::Degraded { .. })));
        assert_eq!(in_store(&world).await.generation, 1, "the store was not touched");
        assert!(world.pause.waits.lock().unwrap().is_empty(), "no caller waited");
    }
}

#[tokio::test]
async fn cl_06_a_refresh_is_tried_again_when_its_time_has_come() {
    let world = World::new();
    let connection = due(&world).await;
    world.script.then([with_header(reply(503, "x"), "Retry-After", "10"), ok(), ok(), tokens("a2", "r2"), ok()]);
    connection.get("/v1/people").await.unwrap();
    world.clock.advance(9);
    connection.get("/v1/people").await.unwrap();
    world.clock.advance(2);
    connection.get("/v1/people").await.unwrap();
    assert_eq!(
        world.script.story(),
        ["refresh r1", "GET /v1/people a1", "GET /v1/people a1", "refresh r1", "GET /v1/people a2"]
    );
    assert!(matches!(connection.state().await, Ok(ConnectionState::Healthy(_))));
}

#[tokio::test]
async fn cl_06_without_a_living_token_the_caller_waits_a_little_and_then_gets_a_typed_error() {
    let world = World::new();
    let connection = ended(&world).await;
    world.script.then([reply(502, "x"), not_sent(), tokens("a2", "r2"), ok()]);
    connection.get("/v1/people").await.unwrap();
    assert_eq!(world.pause.waits.lock().unwrap().len(), 2);

    let world = World::new();
    let connection = ended(&world).await;
    world.script.then([reply(502, "x"), reply(502, "x"), reply(502, "x")]);
    let error = connection.get("/v1/people").await.unwrap_err();
    let ConnectionError::RefreshFailed { retry_at, .. } = error else { panic!("{error}") };
    // The next caller is told so at once, without another try.
    assert!(matches!(connection.get("/v1/people").await, Err(ConnectionError::RefreshFailed { .. })));
    assert_eq!(world.script.count(), 3);
    world.clock.advance(retry_at.since(world.clock.now()));
    world.script.then([tokens("a2", "r2"), ok()]);
    connection.get("/v1/people").await.unwrap();
}

#[tokio::test]
async fn cl_06_an_unanswered_refresh_is_sent_again_once_and_late() {
    let world = World::new();
    let connection = due(&world).await;
    world.script.then([unanswered(), ok(), ok(), tokens("a2", "r2"), ok()]);
    connection.get("/v1/people").await.unwrap();
    world.clock.advance(29);
    connection.get("/v1/people").await.unwrap();
    world.clock.advance(1);
    connection.get("/v1/people").await.unwrap();
    assert_eq!(
        world.script.story(),
        ["refresh r1", "GET /v1/people a1", "GET /v1/people a1", "refresh r1", "GET /v1/people a2"]
    );
    let world = World::new();
    let connection = ended(&world).await;
    world.script.then([unanswered(), unanswered()]);
    assert!(matches!(connection.get("/v1/people").await, Err(ConnectionError::RefreshFailed { .. })));
    assert_eq!(world.script.count(), 2);
}

#[tokio::test]
async fn cl_06_a_refused_app_trips_one_breaker_and_touches_no_connection() {
    for refused in [oauth_error(401, "invalid_client"), oauth_error(403, "unauthorized_client"), reply(302, "")] {
        let (world, status) = (World::new(), refused.as_ref().unwrap().status);
        let (first, second) = (ended(&world).await, "v");
        let second = world.connections.adopt(second, token_set("b1", "s1")).await.unwrap();
        world.script.then([refused]);
        for connection in [&first, &second, &first] {
            assert!(
                matches!(connection.get("/v1/people").await, Err(ConnectionError::AppRefused { retry_at, .. }) if retry_at == world.clock.now().plus(60))
            );
        }
        assert_eq!(world.script.story(), ["refresh r1"], "the other connections do not even ask");
        assert_eq!(*world.heard.refused.lock().unwrap(), [(status, world.clock.now().plus(60))], "told once");
        assert!(matches!(in_store(&world).await.standing, Standing::Live(_)));
        // The operator has corrected the secret.
        world.clock.advance(60);
        world.script.then([tokens("b2", "s2"), ok(), tokens("a2", "r2"), ok()]);
        second.get("/v1/people").await.unwrap();
        first.get("/v1/people").await.unwrap();
    }
}

#[tokio::test]
async fn cl_06_answers_that_nobody_understands_are_tried_with_space_between_and_then_given_up() {
    let world = World::new();
    let connection = ended(&world).await;
    let mut tried_at = Vec::new();
    for _ in 0..10_000 {
        world.script.then([oauth_error(400, "brand_new_error")]);
        let before = world.script.count();
        let error = connection.get("/v1/people").await.unwrap_err();
        if world.script.count() > before {
            tried_at.push(world.clock.now().since(START) - 3600);
        }
        if let ConnectionError::ReauthRequired(why) = error {
            assert_eq!(why.evidence.error.unwrap().code, "brand_new_error");
            assert_eq!(tried_at, [0, 60, 360, 2160]);
            return;
        }
        world.clock.advance(10);
    }
    panic!("never given up");
}

#[tokio::test]
async fn cl_05_new_tokens_survive_a_store_that_fails() {
    let world = World::new();
    let connection = ended(&world).await;
    world.script.then([tokens("a2", "r2"), ok(), ok()]);
    // The disk fills up behind the intent, while the request is on the wire.
    let fills_up = async {
        while world.script.count() == 0 {
            tokio::task::yield_now().await;
        }
        world.store.read_only.store(true, Ordering::SeqCst);
    };
    tokio::join!(connection.get("/v1/people"), fills_up).0.unwrap();
    assert_eq!(world.heard.unwritten.load(Ordering::SeqCst), 1, "loudly reported");
    assert!(matches!(in_store(&world).await.standing, Standing::Live(old) if old.access_token.expose() == "a1"));
    // The app keeps no handle; the tokens stay.
    drop(connection);
    world.connections.open("u").get("/v1/people").await.unwrap();
    // The store is back: what comes next writes what it could not, be it a call or the round of the housekeeper.
    assert_eq!(world.connections.write_unwritten().await, ["u"]);
    world.store.read_only.store(false, Ordering::SeqCst);
    world.connections.tend().await.unwrap();
    assert!(
        matches!(in_store(&world).await.standing, Standing::Live(new) if new.refresh_token.as_ref().unwrap().expose() == "r2")
    );
    assert!(world.connections.write_unwritten().await.is_empty());
    assert_eq!(world.heard.written.load(Ordering::SeqCst), 1, "that it is over is told, too");
    assert_eq!(world.script.story().iter().filter(|line| line.starts_with("refresh")).count(), 1);
}

#[tokio::test]
async fn cl_05_without_the_store_nothing_is_refreshed() {
    let world = World::new();
    let connection = due(&world).await;
    world.store.down.store(true, Ordering::SeqCst);
    world.script.then([ok()]);
    connection.get("/v1/people").await.unwrap();
    world.clock.advance(30);
    assert!(matches!(connection.get("/v1/people").await, Err(ConnectionError::Store(_))));
    assert_eq!(world.script.story(), ["GET /v1/people a1"]);
}

#[tokio::test]
async fn cl_05_a_refresh_ends_even_if_its_caller_goes_away() {
    let world = World::new();
    let connection = ended(&world).await;
    world.script.then([tokens("a2", "r2")]);
    let caller = tokio::spawn(async move { connection.get("/v1/people").await });
    while world.script.count() == 0 {
        tokio::task::yield_now().await;
    }
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
    assert!(matches!(in_store(&world).await.standing, Standing::Live(new) if new.access_token.expose() == "a2"));
}

#[tokio::test]
async fn cl_05_of_two_processes_that_refresh_at_once_both_end_with_the_kept_tokens() {
    let one = World::new();
    let connection = ended(&one).await;
    let two = World::beside(&one);
    // Both refreshes succeed; the slower write finds the faster one there and uses it.
    one.script.then([tokens("a2", "r2"), ok(), ok()]);
    two.script.then([tokens("a3", "r3"), ok(), ok()]);
    let other = two.connections.open("u");
    let (ours, theirs) = tokio::join!(connection.get("/v1/people"), other.get("/v1/people"));
    ours.unwrap();
    theirs.unwrap();
    assert_eq!(one.script.story().last(), two.script.story().last());
}

#[tokio::test]
async fn a_connection_without_a_refresh_token_lives_as_long_as_its_access_token() {
    let world = World::new();
    let lone = TokenSet { refresh_token: None, ..token_set("a1", "") };
    let connection = world.connections.adopt("u", lone).await.unwrap();
    world.clock.advance(3599);
    world.script.then([ok()]);
    connection.get("/v1/people").await.unwrap();
    world.clock.advance(1);
    assert!(matches!(connection.get("/v1/people").await, Err(ConnectionError::NoRefreshToken(_))));
    assert!(matches!(world.connections.open("nobody").get("/v1/people").await, Err(ConnectionError::NotConnected)));
}

#[tokio::test]
async fn asked_to_refresh_it_refreshes_whatever_the_age() {
    let world = World::new();
    let connection = world.connected().await;
    world.script.then([tokens("a2", "r2"), ok()]);
    connection.refresh_now().await.unwrap();
    connection.get("/v1/people").await.unwrap();
    assert_eq!(world.script.story(), ["refresh r1", "GET /v1/people a2"]);
}

/// docs/reasons.md: "The grant works again when it is active."
#[tokio::test]
async fn cl_06_a_suspended_account_loses_no_connection() {
    let world = World::new();
    let connection = ended(&world).await;
    for _ in 0..2 {
        world.script.then([reply(400, r#"{"error":"invalid_grant","reason":"account_suspended"}"#)]);
        assert!(matches!(connection.get("/v1/people").await, Err(ConnectionError::RefreshFailed { .. })));
        assert!(matches!(connection.state().await, Ok(ConnectionState::AccountLocked { .. })));
        world.clock.advance(30);
    }
    world.script.then([tokens("a2", "r2"), ok()]);
    connection.get("/v1/people").await.unwrap();
    assert!(matches!(connection.state().await, Ok(ConnectionState::Healthy(_))));
    assert!(matches!(in_store(&world).await.standing, Standing::Live(_)));
}
