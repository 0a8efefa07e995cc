//! Refreshing without rotation, and what holds for both policies: RF-01 to RF-04, RF-08 (fixed), RF-10.

use super::{DAY, HOUR, assert_refused, code, connect, identity, node, pkce_code};
use keyfob_authority::model::EndReason;
use keyfob_protocol::token_name::TokenKind;
use keyfob_testkit::{ManualClock, START, TestApp, TestServer};
use std::sync::Arc;

async fn start() -> (TestServer, TestApp) {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    (server, app)
}

#[tokio::test]
async fn rf_01_a_grant_by_one_method_refreshes_by_the_other() {
    let (server, app) = start().await;
    let by_get = app.exchange_by_get(&server, &code(&server, &app).await).await;
    let refreshed = app.refresh(&server, &by_get.at("data.refresh_token")).await;
    let mut keys: Vec<_> = refreshed.json().as_object().expect("an object").keys().cloned().collect();
    keys.sort_unstable();
    assert_eq!(keys, ["access_token", "expires_in", "refresh_token", "token_type"]);
    assert_ne!(refreshed.at("access_token"), by_get.at("data.access_token"), "a new access token");

    let by_post = app.exchange(&server, &code(&server, &app).await).await;
    let refreshed = app.refresh_by_get(&server, &by_post.at("refresh_token")).await;
    let data = &refreshed.json()["data"];
    let mut keys: Vec<_> = data.as_object().expect("an object").keys().cloned().collect();
    keys.sort_unstable();
    assert_eq!(keys, ["access_token", "expires_at", "issued_at", "refresh_token", "token_type", "ttl"]);
    assert_eq!(identity(&server, &refreshed.at("data.access_token")).await, 200);
}

#[tokio::test]
async fn rf_02_a_refresh_token_lives_to_the_second_of_its_ninetieth_day() {
    for (app_rotates, unused, status) in
        [(false, 90 * DAY - 1, 200), (false, 90 * DAY, 400), (true, 90 * DAY - 1, 200), (true, 90 * DAY, 400)]
    {
        let server = TestServer::start().await;
        let app = if app_rotates { server.rotating_app("App").await } else { server.confidential_app("App").await };
        let tokens = connect(&server, &app).await;
        server.clock.advance(unused);
        let answer = app.refresh(&server, &tokens.refresh_token).await;
        assert_eq!(answer.status(), status, "{app_rotates} {unused}: {}", answer.text());
        if status == 400 {
            // Expiry is computed, never written: a clock that was wrong has killed nothing.
            server.clock.advance(-1);
            assert_eq!(app.refresh(&server, &tokens.refresh_token).await.status(), 200);
        }
    }
}

#[tokio::test]
async fn rf_02_ten_years_of_use_every_89_days() {
    for rotates in [false, true] {
        let server = TestServer::start().await;
        let app = if rotates { server.rotating_app("App").await } else { server.confidential_app("App").await };
        let mut refresh_token = connect(&server, &app).await.refresh_token;
        for _ in 0..(10 * 365 / 89) {
            server.clock.advance(89 * DAY);
            let answer = app.refresh(&server, &refresh_token).await;
            assert_eq!(answer.status(), 200, "{}", answer.text());
            refresh_token = answer.at("refresh_token");
        }
    }
}

#[tokio::test]
async fn rf_02_a_use_within_an_hour_counts_as_the_recorded_one() {
    let (server, app) = start().await;
    let tokens = connect(&server, &app).await;
    server.clock.advance(HOUR - 1);
    assert_eq!(app.refresh(&server, &tokens.refresh_token).await.status(), 200, "not recorded");
    server.clock.set(START.plus(90 * DAY));
    assert_refused(&app.refresh(&server, &tokens.refresh_token).await, "invalid_grant");

    let (server, app) = start().await;
    let tokens = connect(&server, &app).await;
    server.clock.advance(HOUR);
    assert_eq!(app.refresh(&server, &tokens.refresh_token).await.status(), 200, "recorded");
    server.clock.set(START.plus(HOUR + 90 * DAY - 1));
    assert_eq!(app.refresh(&server, &tokens.refresh_token).await.status(), 200);
}

#[tokio::test]
async fn rf_03_another_client_s_attempt_fails_and_changes_nothing() {
    let server = TestServer::start().await;
    let app = server.rotating_app("Owner").await;
    let other = server.rotating_app("Other").await;
    let first = connect(&server, &app).await;
    assert_refused(&other.refresh(&server, &first.refresh_token).await, "invalid_grant");
    let second = super::connected(&app.refresh(&server, &first.refresh_token).await);
    // Also where the rightful client would be found out: an ancestor outside the window.
    let third = super::connected(&app.refresh(&server, &second.refresh_token).await);
    server.clock.advance(100);
    assert_refused(&other.refresh(&server, &first.refresh_token).await, "invalid_grant");
    assert_eq!(identity(&server, &third.access_token).await, 200);
    assert_eq!(app.refresh(&server, &third.refresh_token).await.status(), 200, "the owner still succeeds");
}

#[tokio::test]
async fn rf_04_without_rotation_the_token_stays_and_earlier_access_tokens_live() {
    let (server, app) = start().await;
    let tokens = connect(&server, &app).await;
    let mut access_tokens = vec![tokens.access_token];
    for seconds in [1, HOUR / 2] {
        server.clock.advance(seconds);
        let answer = app.refresh(&server, &tokens.refresh_token).await;
        assert_eq!(answer.at("refresh_token"), tokens.refresh_token, "byte for byte");
        access_tokens.push(answer.at("access_token"));
    }
    for access_token in &access_tokens {
        assert_eq!(identity(&server, access_token).await, 200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rf_08_parallel_refreshes_without_rotation_all_succeed() {
    let directory = tempfile::tempdir().expect("a directory");
    let (file, clock) = (directory.path().join("keyfob.db"), Arc::new(ManualClock::new(START)));
    let nodes = [Arc::new(node(&file, &clock, 1).await), Arc::new(node(&file, &clock, 2).await)];
    let app = nodes[0].confidential_app("Listing Lantern").await;
    let token = connect(&nodes[0], &app).await.refresh_token;
    // Two hours: every one of them wants to record the use.
    clock.advance(2 * HOUR);
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
    for task in tasks {
        assert_eq!(task.await.expect("no panic"), token);
    }
}

/// Connects twice (two grants of one user), lets something happen to the first, and returns both answers to a refresh.
async fn after(happens: impl AsyncFn(&TestServer, &TestApp, &str)) -> (TestServer, (u16, String), (u16, String)) {
    let (server, app) = start().await;
    let first = connect(&server, &app).await;
    let second = connect(&server, &app).await;
    happens(&server, &app, &first.refresh_token).await;
    let refresh = async |token: &str| {
        let answer = app.refresh(&server, token).await;
        let error = answer.json()["error"].as_str().unwrap_or_default().to_owned();
        (answer.status(), error)
    };
    let answers = (refresh(&first.refresh_token).await, refresh(&second.refresh_token).await);
    (server, answers.0, answers.1)
}

#[tokio::test]
async fn rf_10_a_revoked_grant_stops_at_once_and_the_user_s_other_grant_lives() {
    let (_, first, second) = after(async |server, _, token| {
        let grant = super::table_t_grants::grant_of(TokenKind::Refresh, token);
        let now = server.doorway.now();
        server.authority().end_grant(grant, EndReason::RevokedByAdmin, now).await.expect("no fault");
    })
    .await;
    assert_eq!(first, (400, "invalid_grant".to_owned()));
    assert_eq!(second, (200, String::new()));
}

#[tokio::test]
async fn rf_10_a_disabled_or_removed_client_stops_at_once() {
    let (_, first, _) = after(async |server, app, _| {
        let _ = server.authority().set_app_enabled(app.app.id, false, server.doorway.now()).await.expect("no fault");
    })
    .await;
    assert_eq!(first, (401, "invalid_client".to_owned()));
    let (_, first, _) = after(async |server, app, _| {
        let _ = server.authority().remove_app(app.app.id, server.doorway.now()).await.expect("no fault");
    })
    .await;
    assert_eq!(first, (401, "invalid_client".to_owned()));
}

#[tokio::test]
async fn rf_10_a_disabled_user_or_account_stops_at_once_and_comes_back() {
    let (server, app) = start().await;
    let tokens = connect(&server, &app).await;
    let (user, account) = (server.owner.user.id, server.owner.user.account);
    let now = server.doorway.now();
    let authority = server.authority();
    let _ = authority.set_user_enabled(user, false, now).await.expect("no fault");
    assert_refused(&app.refresh(&server, &tokens.refresh_token).await, "invalid_grant");
    let _ = authority.set_user_enabled(user, true, now).await.expect("no fault");
    let back = super::connected(&app.refresh(&server, &tokens.refresh_token).await);
    assert_eq!(identity(&server, &tokens.access_token).await, 401, "the earlier access token stays refused");
    assert_eq!(identity(&server, &back.access_token).await, 200, "one issued in the same second is not");
    let _ = authority.set_account_enabled(account, false, now).await.expect("no fault");
    assert_refused(&app.refresh(&server, &back.refresh_token).await, "invalid_grant");
    let _ = authority.set_account_enabled(account, true, now).await.expect("no fault");
    assert_eq!(app.refresh(&server, &back.refresh_token).await.status(), 200);
}

#[tokio::test]
async fn rf_10_a_deleted_user_stops_at_once() {
    let (_, first, second) = after(async |server, _, _| {
        let _ = server.authority().remove_user(server.owner.user.id, server.doorway.now()).await.expect("no fault");
    })
    .await;
    assert_eq!(first, (400, "invalid_grant".to_owned()));
    assert_eq!(second, first);
}

#[tokio::test]
async fn rf_10_a_public_client_that_is_disabled_stops_at_once() {
    let server = TestServer::start().await;
    let app = server.public_app("Public").await;
    let tokens = super::connect_public(&server, &app).await;
    let code = pkce_code(&server, &app).await;
    let _ = server.authority().set_app_enabled(app.app.id, false, server.doorway.now()).await.expect("no fault");
    for answer in [app.refresh(&server, &tokens.refresh_token).await, app.exchange(&server, &code).await] {
        assert_eq!((answer.status(), answer.at("error").as_str()), (401, "invalid_client"));
    }
}
