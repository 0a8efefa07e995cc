//! Rows RL-02, RL-03 and SE-07: who fails too often waits, and more work than can be done is turned away at once.

use super::{connect, post_form};
use http::Request;
use keyfob_testkit::{Answer, TestApp, TestServer, TestServerOptions};
use std::net::{IpAddr, SocketAddr};

/// A refresh from this address with this secret; `forwarded` as a client or proxy would send it.
async fn refresh(
    server: &TestServer,
    (address, forwarded): ([u8; 4], &str),
    app: &TestApp,
    secret: &str,
    refresh_token: &str,
) -> Answer {
    let body = keyfob_protocol::form::encode([
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh_token),
        ("client_id", app.client_id()),
        ("client_secret", secret),
    ]);
    let mut request = Request::post("/oauth/token")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("x-forwarded-for", forwarded)
        .body(body)
        .expect("a request");
    let address = axum::extract::ConnectInfo(SocketAddr::new(IpAddr::from(address), 4711));
    request.extensions_mut().insert(address);
    server.send(request).await
}

const THIEF: [u8; 4] = [203, 0, 113, 7];
const ELSEWHERE: [u8; 4] = [198, 51, 100, 1];

#[tokio::test]
async fn rl_02_wrong_secrets_from_one_address_wait_and_nobody_else_does() {
    let server = TestServer::start().await;
    let (app, other) =
        (server.confidential_app("Listing Lantern").await, server.confidential_app("Harbour Bell").await);
    let secret = app.secret.as_ref().expect("confidential").expose().clone();
    let token = connect(&server, &app).await.refresh_token;
    let mut waits = Vec::new();
    for _ in 0..200 {
        let answer = refresh(&server, (THIEF, ""), &app, "wrong", &token).await;
        match answer.status() {
            401 => assert!(waits.is_empty(), "once held back, held back at once"),
            429 => {
                assert_eq!(answer.json()["error"], "temporarily_unavailable");
                waits.push(answer.header("retry-after").expect("Retry-After").parse::<u32>().expect("seconds"));
            }
            other => panic!("{other}"),
        }
    }
    assert!((150..200).contains(&waits.len()) && waits.iter().all(|wait| (1..=60).contains(wait)), "{waits:?}");
    assert_eq!(refresh(&server, (ELSEWHERE, ""), &app, &secret, &token).await.status(), 200, "the app, elsewhere");
    let theirs = connect(&server, &other).await.refresh_token;
    let their_secret = other.secret.as_ref().expect("confidential").expose().clone();
    assert_eq!(refresh(&server, (THIEF, ""), &other, &their_secret, &theirs).await.status(), 200, "another app there");
    server.clock.advance(60);
    assert_eq!(refresh(&server, (THIEF, ""), &app, &secret, &token).await.status(), 200, "a minute at most");
}

#[tokio::test]
async fn rl_02_a_proven_client_in_a_loop_waits_seconds_and_a_thousand_dead_grants_are_no_loop() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let secret = app.secret.as_ref().expect("confidential").expose().clone();
    let token = connect(&server, &app).await.refresh_token;
    let mut statuses = Vec::new();
    for _ in 0..1100 {
        statuses.push(refresh(&server, (THIEF, ""), &app, &secret, "keyfobrt_gone").await.status());
    }
    assert!(statuses[..1000].iter().all(|status| *status == 400), "{statuses:?}");
    assert_eq!(statuses[1099], 429);
    assert_eq!(refresh(&server, (ELSEWHERE, ""), &app, &secret, &token).await.status(), 200);
    server.clock.advance(10);
    assert_eq!(refresh(&server, (THIEF, ""), &app, &secret, &token).await.status(), 200);
}

#[tokio::test]
async fn se_07_a_forged_x_forwarded_for_evades_no_limit() {
    let mut options = TestServerOptions::default();
    options.doorway.trusted_proxies = vec!["10.0.0.0/8".parse().expect("a network")];
    let server = TestServer::start_with(options).await;
    let app = server.confidential_app("Listing Lantern").await;
    let token = connect(&server, &app).await.refresh_token;
    let mut last = 0;
    for number in 0..40 {
        let forged = format!("198.51.100.{number}");
        last = refresh(&server, (THIEF, &forged), &app, "wrong", &token).await.status();
    }
    assert_eq!(last, 429, "not a proxy: its word does not count");
    for number in 0..40 {
        let forged = format!("198.51.100.{number}, 203.0.113.50");
        last = refresh(&server, ([10, 0, 0, 1], &forged), &app, "wrong", &token).await.status();
    }
    assert_eq!(last, 429, "what stands left of the proxy's own word does not count");
    let secret = app.secret.as_ref().expect("confidential").expose().clone();
    let honest = refresh(&server, ([10, 0, 0, 1], "203.0.113.51"), &app, &secret, &token).await;
    assert_eq!(honest.status(), 200, "behind the same proxy, somebody else");
}

#[tokio::test]
async fn rl_03_one_request_too_many_is_turned_away_in_its_own_language_and_it_passes() {
    let mut options = TestServerOptions::default();
    options.doorway.most_requests = 0;
    let server = TestServer::start_with(options).await;
    let post = post_form(&server, &[], &[("grant_type", "refresh_token")]).await;
    assert_eq!((post.status(), post.json()["error"].as_str()), (429, Some("temporarily_unavailable")));
    let get = server.get("/oauth/token?grant_type=refresh_token").await;
    assert_eq!((get.status(), get.json()["errorCode"].as_str()), (429, Some("rate-limited")));
    for uri in ["/oauth/authorize?client_id=x", "/connections", "/v1/identity"] {
        let answer = server.get(uri).await;
        assert_eq!((answer.status(), answer.header("retry-after")), (503, Some("1")), "{uri}");
    }
    for alive in ["/healthz", "/readyz"] {
        assert_eq!(server.get(alive).await.status(), 200, "{alive}");
    }
}
