//! Rotation through the public door: table R (RF-05 to RF-08). The whole search is the refresh model's.

use super::{Connected, DAY, assert_refused, connect, connect_public, connected, identity, node};
use keyfob_authority::model::{AppPolicy, LedgerKind, RefreshPolicy, ReusePolicy};
use keyfob_authority::store::LedgerFilter;
use keyfob_testkit::{ManualClock, START, TestApp, TestServer};
use std::collections::BTreeSet;
use std::sync::Arc;

async fn start() -> (TestServer, TestApp) {
    let server = TestServer::start().await;
    let app = server.rotating_app("Rotating").await;
    (server, app)
}

async fn refresh(server: &TestServer, app: &TestApp, token: &str) -> Connected {
    connected(&app.refresh(server, token).await)
}

async fn ledger(server: &TestServer, kind: LedgerKind) -> usize {
    let entries = server.store().ledger(LedgerFilter::default(), 1000).await.expect("no fault");
    entries.iter().filter(|entry| entry.kind == kind).count()
}

#[tokio::test]
async fn rf_05_every_refresh_gives_a_successor() {
    let server = TestServer::start().await;
    let rotating = server.rotating_app("Rotating").await;
    let public = server.public_app("Public").await;
    for (app, first) in
        [(&rotating, connect(&server, &rotating).await), (&public, connect_public(&server, &public).await)]
    {
        let mut seen = BTreeSet::from([first.refresh_token.clone()]);
        let mut token = first.refresh_token;
        for _ in 0..5 {
            server.clock.advance(60);
            token = refresh(&server, app, &token).await.refresh_token;
            assert!(seen.insert(token.clone()), "each is new");
        }
    }
}

#[tokio::test]
async fn rf_05_a_late_twin_within_the_window_is_refused_and_ends_nothing() {
    let (server, app) = start().await;
    let first = connect(&server, &app).await;
    let second = refresh(&server, &app, &first.refresh_token).await;
    let third = refresh(&server, &app, &second.refresh_token).await;
    assert_refused(&app.refresh(&server, &first.refresh_token).await, "invalid_grant");
    assert_eq!(identity(&server, &third.access_token).await, 200);
    assert_eq!(app.refresh(&server, &third.refresh_token).await.status(), 200);
}

/// A grant with generations 1 to `generations`, a minute apart, and then two minutes of silence.
async fn aged(server: &TestServer, app: &TestApp, first: Connected, generations: usize) -> Vec<Connected> {
    let mut tokens = vec![first];
    while tokens.len() < generations {
        server.clock.advance(60);
        let next = refresh(server, app, &tokens[tokens.len() - 1].refresh_token).await;
        tokens.push(next);
    }
    server.clock.advance(120);
    tokens
}

#[tokio::test]
async fn rf_06_reuse_ends_a_public_client_s_grant_with_its_access_tokens_and_no_other() {
    for ancestor in [2, 10] {
        let server = TestServer::start().await;
        let app = server.public_app("Public").await;
        let other = connect_public(&server, &app).await;
        let first = connect_public(&server, &app).await;
        let tokens = aged(&server, &app, first, 12).await;
        let current = &tokens[11];
        assert_eq!(identity(&server, &current.access_token).await, 200);
        assert_refused(&app.refresh(&server, &tokens[11 - ancestor].refresh_token).await, "invalid_grant");
        assert_eq!(identity(&server, &current.access_token).await, 401, "ancestor {ancestor}");
        assert_refused(&app.refresh(&server, &current.refresh_token).await, "invalid_grant");
        assert_eq!(identity(&server, &other.access_token).await, 200, "the user's other grant lives");
        assert_eq!(app.refresh(&server, &other.refresh_token).await.status(), 200);
    }
}

#[tokio::test]
async fn rf_06_reuse_by_a_confidential_client_follows_its_policy() {
    for ancestor in [2, 10] {
        for reuse in [ReusePolicy::Heal, ReusePolicy::End, ReusePolicy::Refuse] {
            let server = TestServer::start().await;
            let policy = AppPolicy { refresh: RefreshPolicy::Rotating, reuse, ..AppPolicy::default() };
            let app = server.app("Confidential", policy).await;
            let other = connect(&server, &app).await;
            let first = connect(&server, &app).await;
            let tokens = aged(&server, &app, first, 12).await;
            let current = &tokens[11];
            let answer = app.refresh(&server, &tokens[11 - ancestor].refresh_token).await;
            match reuse {
                ReusePolicy::Heal => {
                    let healed = connected(&answer);
                    assert!(tokens.iter().all(|token| token.refresh_token != healed.refresh_token), "a new one");
                    assert_eq!(ledger(&server, LedgerKind::Contested).await, 1);
                    assert_eq!(app.refresh(&server, &healed.refresh_token).await.status(), 200);
                }
                ReusePolicy::End => {
                    assert_refused(&answer, "invalid_grant");
                    assert_eq!(identity(&server, &current.access_token).await, 401);
                    assert_refused(&app.refresh(&server, &current.refresh_token).await, "invalid_grant");
                }
                ReusePolicy::Refuse => {
                    assert_refused(&answer, "invalid_grant");
                    assert_eq!(identity(&server, &current.access_token).await, 200);
                    assert_eq!(app.refresh(&server, &current.refresh_token).await.status(), 200);
                }
            }
            assert_eq!(app.refresh(&server, &other.refresh_token).await.status(), 200, "{reuse:?}: the other grant");
        }
    }
}

#[tokio::test]
async fn rf_07_a_lost_reply_within_the_window_gives_the_same_successor_byte_for_byte() {
    for later in [0, 1, 44] {
        let server = TestServer::start().await;
        for (app, first) in [
            {
                let app = server.rotating_app("Rotating").await;
                let first = connect(&server, &app).await;
                (app, first)
            },
            {
                let app = server.public_app("Public").await;
                let first = connect_public(&server, &app).await;
                (app, first)
            },
        ] {
            server.clock.advance(600);
            let lost = refresh(&server, &app, &first.refresh_token).await;
            server.clock.advance(later);
            let again = refresh(&server, &app, &first.refresh_token).await;
            assert_eq!(again.refresh_token, lost.refresh_token, "{later} s");
            assert_ne!(again.access_token, lost.access_token, "the access token is new");
            assert_eq!(identity(&server, &lost.access_token).await, 200);
            assert_eq!(app.refresh(&server, &again.refresh_token).await.status(), 200);
        }
    }
}

#[tokio::test]
async fn rf_07_a_lost_reply_after_the_window_drops_the_unused_successor() {
    for later in [46, 10 * DAY] {
        let (server, app) = start().await;
        let first = connect(&server, &app).await;
        server.clock.advance(600);
        let lost = refresh(&server, &app, &first.refresh_token).await;
        server.clock.advance(later);
        let healed = refresh(&server, &app, &first.refresh_token).await;
        assert_ne!(healed.refresh_token, lost.refresh_token, "{later} s");
        assert_eq!(ledger(&server, LedgerKind::Healed).await, 1);
        // The dropped one at once is a late twin; later it is reuse (RF-06), which this client's policy heals.
        assert_refused(&app.refresh(&server, &lost.refresh_token).await, "invalid_grant");
        server.clock.advance(60);
        let contested = refresh(&server, &app, &lost.refresh_token).await;
        assert_ne!(contested.refresh_token, healed.refresh_token);
        assert_eq!(app.refresh(&server, &contested.refresh_token).await.status(), 200);
    }
}

#[tokio::test]
async fn rf_07_the_dropped_successor_of_a_public_client_ends_the_grant() {
    let server = TestServer::start().await;
    let app = server.public_app("Public").await;
    let first = connect_public(&server, &app).await;
    let stolen = refresh(&server, &app, &first.refresh_token).await;
    server.clock.advance(46);
    let healed = refresh(&server, &app, &first.refresh_token).await;
    server.clock.advance(46);
    assert_refused(&app.refresh(&server, &stolen.refresh_token).await, "invalid_grant");
    assert_refused(&app.refresh(&server, &healed.refresh_token).await, "invalid_grant");
    assert_eq!(identity(&server, &healed.access_token).await, 401);
}

#[tokio::test]
async fn rf_07_a_public_client_heals_at_most_eight_times_a_generation() {
    let server = TestServer::start().await;
    let app = server.public_app("Public").await;
    let first = connect_public(&server, &app).await;
    refresh(&server, &app, &first.refresh_token).await;
    for _ in 0..8 {
        server.clock.advance(60);
        refresh(&server, &app, &first.refresh_token).await;
    }
    server.clock.advance(60);
    assert_refused(&app.refresh(&server, &first.refresh_token).await, "invalid_grant");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rf_08_parallel_refreshes_with_rotation_all_get_the_same_successor() {
    let directory = tempfile::tempdir().expect("a directory");
    let (file, clock) = (directory.path().join("keyfob.db"), Arc::new(ManualClock::new(START)));
    let nodes = [Arc::new(node(&file, &clock, 1).await), Arc::new(node(&file, &clock, 2).await)];
    let app = nodes[0].rotating_app("Rotating").await;
    let mut token = connect(&nodes[0], &app).await.refresh_token;
    for round in 0..3 {
        clock.advance(60);
        let tasks: Vec<_> = (0..200)
            .map(|n: usize| {
                let (server, app, token) = (nodes[n % 2].clone(), app.clone(), token.clone());
                tokio::spawn(async move {
                    match n % 4 < 2 {
                        true => app.refresh(&server, &token).await.at("refresh_token"),
                        false => app.refresh_by_get(&server, &token).await.at("data.refresh_token"),
                    }
                })
            })
            .collect();
        let mut successors = BTreeSet::new();
        for task in tasks {
            successors.insert(task.await.expect("no panic"));
        }
        assert_eq!(successors.len(), 1, "round {round}: one distinct successor");
        let next = successors.pop_first().expect("one");
        assert_ne!(next, token);
        token = next;
        let name =
            keyfob_protocol::token_name::PresentedToken::parse(keyfob_protocol::token_name::TokenKind::Refresh, &token);
        let name = name.expect("one of ours").claimed_name();
        assert_eq!((name.generation, name.branch), (round + 2, 0), "one generation step");
    }
}
