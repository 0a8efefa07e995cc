//! Leases, the journal of open refreshes, the states they lead to, and what is told of them.

use crate::scripted::*;
use keyfob_client::*;
use std::sync::atomic::Ordering;

async fn row(world: &World) -> StoredConnection {
    world.store.load("u").await.unwrap().expect("a row")
}

async fn open_intent(world: &World) -> bool {
    world.store.page(None, 10).await.unwrap()[0].refresh_is_open
}

/// What a process leaves that dies behind its POST: a lease and an open intent.
async fn crashed(world: &World) -> Connection {
    let connection = world.connected().await;
    world.clock.advance(3600);
    let now = world.clock.now();
    let LeaseAnswer::Taken(leased) = world.store.take_lease("u", now, now.plus(30)).await.unwrap() else {
        panic!("somebody has the lease")
    };
    let row = leased.row.unwrap();
    let intent = Intent::of(row.generation, row.tokens().unwrap(), now).unwrap();
    assert_eq!(world.store.open_intent("u", leased.fence, &intent).await.unwrap(), Saved::Stored);
    connection
}

#[tokio::test]
async fn cl_05_after_a_crash_the_same_refresh_token_is_sent_again_when_the_lease_has_run_out() {
    let world = World::new();
    let connection = crashed(&world).await;
    world.script.then([tokens("a2", "r2"), reply(200, "{}")]);
    connection.get("/v1/people").await.unwrap();
    assert!(world.clock.now() >= START.plus(3630), "the lease of the dead process was waited for");
    assert_eq!(world.script.story(), ["refresh r1", "GET /v1/people a2"]);
    assert!(!open_intent(&world).await);
}

#[tokio::test]
async fn cl_05_invalid_grant_behind_an_open_intent_is_a_lost_reply_and_never_anything_else() {
    let world = World::new();
    let connection = crashed(&world).await;
    world.script.then([oauth_error(400, "invalid_grant")]);
    assert!(matches!(connection.get("/v1/people").await, Err(ConnectionError::LostReply(_))));
    assert!(matches!(connection.state().await, Ok(ConnectionState::LostReply(_))));
    let status = row(&world).await.status();
    assert_eq!((status.state.name(), status.since), ("lost_reply", world.clock.now()));
    assert_eq!(world.heard.story(), ["new>connected", "connected>lost_reply"]);

    // The same within one process: the answer never came, and the second try is refused.
    for unclear in [unanswered(), reply(502, "<html>"), reply(200, "{\"half")] {
        let world = World::new();
        let connection = world.connected().await;
        world.clock.advance(3600);
        world.script.then([unclear, oauth_error(400, "invalid_grant")]);
        assert!(matches!(connection.get("/v1/people").await, Err(ConnectionError::LostReply(_))));
    }
}

#[tokio::test]
async fn cl_05_invalid_grant_behind_definite_answers_is_reauth_required() {
    for definite in [not_sent(), reply(503, "{}"), reply(429, "{}")] {
        let world = World::new();
        let connection = world.connected().await;
        world.clock.advance(3600);
        world.script.then([definite, oauth_error(400, "invalid_grant")]);
        assert!(matches!(connection.get("/v1/people").await, Err(ConnectionError::ReauthRequired(_))));
    }
    // And where the definite answer was given to an earlier call, whose journal entry is closed.
    let world = World::new();
    let connection = world.connected().await;
    world.clock.advance(3570);
    world.script.then([reply(503, "{}"), reply(200, "{}")]);
    connection.get("/v1/people").await.unwrap();
    assert!(!open_intent(&world).await);
    world.clock.advance(600);
    world.script.then([oauth_error(400, "invalid_grant")]);
    assert!(matches!(connection.get("/v1/people").await, Err(ConnectionError::ReauthRequired(_))));
    assert_eq!(world.heard.story(), ["new>connected", "connected>degraded", "degraded>reauth_required"]);
}

#[tokio::test]
async fn cl_06_an_outage_is_told_once_and_its_end_too() {
    let world = World::new();
    let connection = world.connected().await;
    world.clock.advance(3550);
    for _ in 0..3 {
        world.script.then([reply(503, "{}"), reply(200, "{}")]);
        connection.get("/v1/people").await.unwrap();
        world.clock.advance(10);
    }
    let status = row(&world).await.status();
    assert_eq!((status.state, status.since), (State::Degraded, START.plus(3550)));
    world.clock.advance(600);
    world.script.then([tokens("a2", "r2"), reply(200, "{}")]);
    connection.get("/v1/people").await.unwrap();
    assert_eq!(world.heard.story(), ["new>connected", "connected>degraded", "degraded>connected"]);
}

#[tokio::test]
async fn cl_05_a_node_waits_for_the_lease_of_another_and_uses_what_it_brings() {
    let one = World::new();
    let ours = one.connected().await;
    one.clock.advance(3600);
    let two = World::beside(&one);
    one.script.then([tokens("a2", "r2"), reply(200, "{}")]);
    two.script.then([reply(200, "{}")]);
    let theirs = two.connections.open("u");
    let waiting = async {
        while one.script.count() == 0 {
            tokio::task::yield_now().await;
        }
        theirs.get("/v1/people").await
    };
    let (ours, theirs) = tokio::join!(ours.get("/v1/people"), waiting);
    ours.unwrap();
    theirs.unwrap();
    assert_eq!(two.script.story(), ["GET /v1/people a2"]);
}

#[tokio::test]
async fn cl_05_tokens_that_could_not_be_written_in_time_outlive_a_node_that_gave_up() {
    let one = World::new();
    let connection = one.connected().await;
    one.clock.advance(3600);
    one.script.then([tokens("a2", "r2"), reply(200, "{}")]);
    let fills_up = async {
        while one.script.count() == 0 {
            tokio::task::yield_now().await;
        }
        one.store.read_only.store(true, Ordering::SeqCst);
    };
    tokio::join!(connection.get("/v1/people"), fills_up).0.unwrap();
    one.store.read_only.store(false, Ordering::SeqCst);
    // Another node finds the lease run out and the intent open. The authority is strict: r1 is spent.
    one.clock.advance(60);
    let two = World::beside(&one);
    two.script.then([oauth_error(400, "invalid_grant")]);
    assert!(matches!(two.connections.open("u").get("/v1/people").await, Err(ConnectionError::LostReply(_))));
    // The node that has the tokens puts that right, under a lease of its own.
    one.script.then([reply(200, "{}")]);
    connection.get("/v1/people").await.unwrap();
    let row = row(&one).await;
    assert_eq!((row.generation, row.status().state), (3, State::Connected));
    assert_eq!(row.tokens().unwrap().refresh_token.as_ref().unwrap().expose(), "r2");
    two.script.then([reply(200, "{}")]);
    two.connections.open("u").get("/v1/people").await.unwrap();
}

/// Generations begin anew after a removal: it is the token that tells whose successor something is.
#[tokio::test]
async fn cl_05_late_tokens_of_a_removed_connection_do_not_replace_a_new_consent() {
    let late = World::new();
    let connection = late.connected().await;
    late.clock.advance(3600);
    late.store.fails_to_finish.store(true, Ordering::SeqCst);
    late.script.then([tokens("a2", "r2"), reply(200, "{}")]);
    connection.get("/v1/people").await.unwrap();
    late.store.is_well();
    let other = World::beside(&late);
    other.store.remove("u").await.unwrap();
    other.connections.adopt("u", TokenSet { expires_at: None, ..token_set("b1", "s1") }).await.unwrap();
    late.script.then([reply(200, "{}")]);
    connection.get("/v1/people").await.unwrap();
    let row = row(&late).await;
    assert_eq!((row.generation, row.tokens().unwrap().access_token.expose().as_str()), (1, "b1"));
}

#[tokio::test]
async fn cl_05_a_full_disk_before_the_intent_sends_nothing() {
    let world = World::new();
    let connection = world.connected().await;
    world.clock.advance(3600);
    world.store.read_only.store(true, Ordering::SeqCst);
    assert!(matches!(connection.get("/v1/people").await, Err(ConnectionError::Store(_))));
    assert_eq!(world.script.count(), 0);
}

fn identity(account: u32, user: u32) -> Answer {
    reply(200, &format!(r#"{{"account":{{"id":{account}}},"user":{{"id":{user},"name":"A"}}}}"#))
}

#[tokio::test]
async fn a_reconnect_as_somebody_else_is_refused_and_changes_nothing() {
    let world = World::of(Provider::follow_up_boss());
    world.script.then([tokens("a1", "r1"), identity(1, 2)]);
    world.connections.connect("u", world.ready()).await.unwrap();
    let whose = row(&world).await.identity.unwrap();
    assert_eq!((whose.account.id, whose.user.id), (1, 2));
    world.script.then([tokens("b1", "s1"), identity(1, 3)]);
    let error = world.connections.connect("u", world.ready()).await.unwrap_err();
    assert!(matches!(error, ConnectError::OtherIdentity { .. }), "{error}");
    world.script.then([tokens("b1", "s1"), reply(404, "{}")]);
    let error = world.connections.connect("u", world.ready()).await.unwrap_err();
    assert!(matches!(error, ConnectError::IdentityUnknown { status: Some(404) }), "{error}");
    assert_eq!(row(&world).await.generation, 1);
    world.script.then([tokens("a2", "r2"), identity(1, 2)]);
    world.connections.connect("u", world.ready()).await.unwrap();
    assert_eq!(row(&world).await.generation, 2);
}

#[tokio::test]
async fn cl_06_a_403_asks_the_identity_whether_it_is_permission_or_a_locked_account() {
    let world = World::of(Provider::follow_up_boss());
    let connection = world.connected().await;
    world.script.then([reply(403, "{}"), identity(1, 2)]);
    assert_eq!(connection.get("/v1/deals").await.unwrap().status, 403);
    assert_eq!(row(&world).await.status().state, State::Connected);
    world.clock.advance(60);
    world.script.then([reply(403, "{}"), reply(403, "{}"), reply(403, "{}")]);
    assert_eq!(connection.get("/v1/people").await.unwrap().status, 403);
    assert_eq!(row(&world).await.status().state, State::AccountLocked);
    // Not asked again at every call; a refresh keeps the tokens alive and the state as it is.
    connection.get("/v1/people").await.unwrap();
    world.script.then([tokens("a2", "r2")]);
    connection.refresh_now().await.unwrap();
    assert!(matches!(connection.state().await, Ok(ConnectionState::AccountLocked { .. })));
    world.script.then([reply(200, "{}")]);
    connection.get("/v1/people").await.unwrap();
    assert_eq!(world.heard.story(), ["new>connected", "connected>account_locked", "account_locked>connected"]);
}

#[tokio::test]
async fn cl_06_an_account_that_is_locked_as_its_user_connects_is_pinned_when_it_opens() {
    let world = World::of(Provider::follow_up_boss());
    world.script.then([tokens("a1", "r1"), reply(403, "{}")]);
    let connection = world.connections.connect("u", world.ready()).await.unwrap();
    assert_eq!((row(&world).await.status().state, row(&world).await.identity), (State::AccountLocked, None));
    world.clock.advance(600);
    world.script.then([reply(200, "{}"), identity(1, 2)]);
    connection.get("/v1/people").await.unwrap();
    let open = row(&world).await;
    assert_eq!((open.status().state, open.since), (State::Connected, world.clock.now()));
    assert_eq!(open.identity.map(|identity| identity.user.id), Some(2));
    // Nobody else takes it over.
    world.script.then([tokens("b1", "s1"), identity(1, 3)]);
    let error = world.connections.connect("u", world.ready()).await.unwrap_err();
    assert!(matches!(error, ConnectError::OtherIdentity { .. }), "{error}");
    assert_eq!(world.heard.story(), ["new>account_locked", "account_locked>connected"]);
}

#[tokio::test]
async fn cl_06_a_state_counts_since_it_began_also_when_the_trouble_is_over() {
    let world = World::new();
    let connection = world.connected().await;
    world.clock.advance(3600);
    world.script.then([reply(503, "{}"), reply(503, "{}"), reply(503, "{}")]);
    connection.get("/v1/people").await.unwrap_err();
    let degraded = row(&world).await.status();
    assert_eq!(degraded.state, State::Degraded);
    world.clock.advance(600);
    world.script.then([tokens("a2", "r2"), reply(200, "{}")]);
    connection.get("/v1/people").await.unwrap();
    let well = row(&world).await.status();
    assert_eq!(well.state, State::Connected);
    assert!(well.since > degraded.since, "{} is before {}", well.since.to_utc(), degraded.since.to_utc());
    let since = well.since;
    world.clock.advance(3600);
    world.script.then([tokens("a3", "r3"), reply(200, "{}")]);
    connection.get("/v1/people").await.unwrap();
    assert_eq!(row(&world).await.status().since, since, "the same state");
}

/// Tokens without a refresh token, as some authorities give them and some exports have them.
#[tokio::test]
async fn cl_06_what_ends_without_a_refresh_token_says_so_by_its_state() {
    for refused in [false, true] {
        let world = World::new();
        let alone = TokenSet { refresh_token: None, ..token_set("a1", "") };
        let connection = world.connections.adopt("u", alone).await.unwrap();
        if refused {
            world.script.then([reply(401, "{}")]);
        } else {
            world.clock.advance(3600);
        }
        let error = connection.get("/v1/people").await.unwrap_err();
        assert!(matches!(error, ConnectionError::NoRefreshToken(_)), "{error}");
        assert_eq!(row(&world).await.status().state, State::ReauthRequired);
        assert!(matches!(connection.state().await, Ok(ConnectionState::Unrenewable { .. })));
        assert_eq!(world.heard.story(), ["new>connected", "connected>reauth_required"]);
        if refused {
            world.script.then([reply(401, "{}")]);
        }
        connection.get("/v1/people").await.unwrap_err();
        assert_eq!(world.heard.story().len(), 2, "once");
        if refused {
            // The API had been wrong.
            world.script.then([reply(200, "{}")]);
            connection.get("/v1/people").await.unwrap();
            assert_eq!(row(&world).await.status().state, State::Connected);
        }
    }
}

#[tokio::test]
async fn cl_06_tending_finds_what_has_ended_without_a_refresh_token() {
    let world = World::new();
    world.connections.adopt("u", TokenSet { refresh_token: None, ..token_set("a1", "") }).await.unwrap();
    world.connections.tend().await.unwrap();
    assert_eq!(row(&world).await.status().state, State::Connected);
    world.clock.advance(3600);
    world.connections.tend().await.unwrap();
    assert_eq!(row(&world).await.status().state, State::ReauthRequired);
    // The user connects again.
    world.script.then([tokens("a2", "r2")]);
    world.connections.connect("u", world.ready()).await.unwrap();
    assert_eq!(row(&world).await.status().state, State::Connected);
}

#[tokio::test]
async fn cl_14_a_denial_is_a_state_of_its_own_and_leaves_an_earlier_connection() {
    let world = World::new();
    assert!(world.connections.denied("u").await.unwrap());
    assert!(matches!(world.connections.open("u").get("/v1/people").await, Err(ConnectionError::Denied { .. })));
    world.connected().await;
    assert!(!world.connections.denied("u").await.unwrap());
    assert_eq!(world.heard.story(), ["new>denied", "denied>connected"]);
}

#[tokio::test]
async fn tending_refreshes_idle_connections_before_they_die_and_nothing_else() {
    const DAY: i64 = 86_400;
    let world = World::new();
    for number in 0..300 {
        world.connections.adopt(&format!("c{number:03}"), token_set("a", "r")).await.unwrap();
    }
    world.clock.advance(54 * DAY);
    assert_eq!(world.connections.tend().await.unwrap(), Tended { seen: 300, refreshed: 0, failed: 0, unreadable: 0 });
    let mut days = Vec::new();
    for day in 55..=60 {
        world.clock.advance(DAY);
        world.script.then((0..300).map(|_| tokens("b", "s")));
        days.push((day, world.connections.tend().await.unwrap().refreshed));
    }
    assert_eq!(days.iter().map(|(_, count)| count).sum::<u64>(), 300, "{days:?}");
    assert!(days.iter().filter(|(_, count)| *count > 20).count() >= 4, "spread over days: {days:?}");
}

#[tokio::test]
async fn tending_settles_what_a_crash_left_open() {
    let world = World::new();
    crashed(&world).await;
    world.clock.advance(31);
    world.script.then([tokens("a2", "r2")]);
    assert_eq!(world.connections.tend().await.unwrap(), Tended { seen: 1, refreshed: 1, failed: 0, unreadable: 0 });
    assert!(!open_intent(&world).await);
}
