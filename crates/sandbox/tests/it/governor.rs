//! The client's governor against the sandbox's rate limits: a moved clock, no 429 that could be avoided.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use keyfob_client::governor::LONGEST_WAIT;
use keyfob_client::{
    Connection, ConnectionError, Connections, HttpRequest, HttpResponse, MemoryTokenStore, Method, Observed, Observer,
    Pause, SendFailure, Surroundings,
};
use keyfob_protocol::Clock;
use serde_json::json;

use super::integration::{Integration, Partner};
use super::raw::set;
use super::running::{Running, send};

/// Moves the partner's clock and the sandbox's to the same time. One at a time, since the later of two pauses is not longer than the first.
struct Together {
    origin: String,
    partner: Arc<Partner>,
    turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Refused(AtomicU32);

#[async_trait]
impl Pause for Together {
    async fn pause(&self, duration: Duration) {
        let until = self.partner.now().plus(i64::try_from(duration.as_secs()).expect("short"));
        let _turn = self.turn.lock().await;
        let missing = until.since(self.partner.now());
        if missing > 0 {
            let url = format!("{}/sandbox/clock", self.origin);
            let body = json!({ "advance": format!("{missing}s") }).to_string();
            assert_eq!(send(Method::Post, &url, &[("Content-Type", "application/json")], &body).await.status, 200);
            self.partner.0.fetch_add(missing, Ordering::SeqCst);
        }
    }
}

impl Observer for Refused {
    fn exchanged(&self, _: &HttpRequest, answer: Result<&HttpResponse, &SendFailure>) {
        if answer.is_ok_and(|answer| answer.status == 429) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// A connection, the refusals that it met, and its clock.
async fn connected(running: &Running) -> (Connection, Arc<Refused>, Arc<Partner>) {
    let app = &running.announcement.apps[0];
    let plain = Integration::new(running, app, |provider| provider);
    plain.connect(running).await;
    let refused = Arc::new(Refused::default());
    let turn = tokio::sync::Mutex::default();
    let pause = Together { origin: running.origin().to_owned(), partner: plain.clock.clone(), turn };
    let outside = Surroundings {
        transport: Arc::new(Observed::new(plain.outside.transport.clone(), refused.clone())),
        pause: Arc::new(pause),
        ..plain.outside.clone()
    };
    let (provider, app) = (plain.connections.provider().clone(), plain.connections.app().clone());
    let connections = Connections::new(provider, app, Arc::new(MemoryTokenStore::default()), outside);
    let connection = connections.adopt("c1", plain.tokens().await).await.expect("kept");
    (connection, refused, plain.clock)
}

#[tokio::test]
async fn br_12_many_tasks_get_through_a_narrow_limit_and_none_is_refused() {
    let running = Running::start().await;
    let (connection, refused, clock) = connected(&running).await;
    let began = clock.now();
    let done = Arc::new(Mutex::new(0));
    let mut tasks = tokio::task::JoinSet::new();
    // Ten in ten seconds are let through; the last of these waits for no longer than one window.
    for _ in 0..20 {
        let (connection, done) = (connection.clone(), done.clone());
        tasks.spawn(async move {
            assert_eq!(connection.get("/v1/notes").await.expect("an answer").status, 200);
            *done.lock().expect("nobody panics") += 1;
        });
    }
    tasks.join_all().await;
    assert_eq!((*done.lock().expect("nobody panics"), refused.0.load(Ordering::SeqCst)), (20, 0));
    let took = clock.now().since(began);
    assert!((10..=LONGEST_WAIT).contains(&took), "{took}");
    // The wide budget was not touched by it.
    assert_eq!(connection.get("/v1/identity").await.expect("an answer").status, 200);
    assert_eq!(clock.now().since(began), took);
}

#[tokio::test]
async fn a_wait_that_is_too_long_is_told_with_its_end_and_sends_nothing() {
    let running = Running::start().await;
    let (connection, refused, clock) = connected(&running).await;
    set(&running, json!({ "fault": "rate-limited", "at": "api", "times": 1, "retryAfter": 60 })).await;
    let began = clock.now();
    for _ in 0..2 {
        match connection.get("/v1/notes").await {
            Err(ConnectionError::RateLimited { retry_at }) => assert_eq!(retry_at, began.plus(60)),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((refused.0.load(Ordering::SeqCst), clock.now()), (1, began));
}

#[tokio::test]
async fn a_burst_of_429_is_met_once_per_wait() {
    let running = Running::start().await;
    let (connection, refused, clock) = connected(&running).await;
    set(&running, json!({ "fault": "rate-limited", "at": "api", "times": 3, "retryAfter": 6 })).await;
    let mut tries = 0;
    loop {
        tries += 1;
        match connection.get("/v1/people").await {
            Ok(response) => break assert_eq!(response.status, 200),
            Err(ConnectionError::RateLimited { retry_at }) => {
                assert!(tries <= 3, "three refusals are three");
                let wait = retry_at.since(clock.now());
                clock.0.fetch_add(wait, Ordering::SeqCst);
                running.advance(&format!("{wait}s")).await;
            }
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!((tries, refused.0.load(Ordering::SeqCst)), (4, 3));
}

#[tokio::test]
async fn a_call_that_is_dropped_while_it_waits_takes_no_place() {
    let running = Running::start().await;
    let (connection, refused, _) = connected(&running).await;
    for _ in 0..10 {
        assert_eq!(connection.get("/v1/notes").await.expect("an answer").status, 200);
    }
    for _ in 0..30 {
        // Ends at its first wait.
        let call = connection.get("/v1/notes");
        drop(tokio::time::timeout(Duration::ZERO, call).await);
    }
    for _ in 0..10 {
        assert_eq!(connection.get("/v1/notes").await.expect("an answer").status, 200);
    }
    assert_eq!(refused.0.load(Ordering::SeqCst), 0);
}
