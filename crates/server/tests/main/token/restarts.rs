//! OP-02: a new process on the same file between each pair of steps. What was spent, rotated or revoked stays so.

use super::table_t_grants::grant_of;
use super::{CHALLENGE, STATE, VERIFIER, assert_refused, connected, exchange_fields, identity, node};
use keyfob_authority::model::EndReason;
use keyfob_protocol::token_name::TokenKind;
use keyfob_store_sqlite::{Options, SqliteStore};
use keyfob_testkit::{Browser, ManualClock, Page, START, TestServer};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// A machine whose server is started anew for every step.
struct Machine {
    directory: tempfile::TempDir,
    clock: Arc<ManualClock>,
    starts: u64,
}

impl Machine {
    fn new() -> Machine {
        let directory = tempfile::tempdir().expect("a directory");
        Machine { directory, clock: Arc::new(ManualClock::new(START)), starts: 0 }
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("keyfob.db")
    }

    /// The earlier server is gone when this is called.
    async fn start(&mut self) -> TestServer {
        self.starts += 1;
        self.clock.advance(1);
        node(&self.file(), &self.clock, self.starts).await
    }
}

/// A browser that keeps its cookies over restarts.
async fn step(
    server: &TestServer,
    cookies: &mut BTreeMap<String, String>,
    act: impl AsyncFn(&mut Browser<'_>) -> Page,
) -> Page {
    let mut browser = Browser::new(server);
    browser.cookies = std::mem::take(cookies);
    let page = act(&mut browser).await;
    *cookies = browser.cookies;
    page
}

#[tokio::test]
async fn op_02_a_flow_goes_on_over_a_restart_between_each_pair_of_steps() {
    let mut machine = Machine::new();
    let app = machine.start().await.rotating_app("Listing Lantern").await;
    let mut cookies = BTreeMap::new();
    let url = app.authorize_url_with(&[
        ("response_type", "auth_code"),
        ("state", STATE),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ]);
    let server = machine.start().await;
    let owner = server.owner.clone();
    let sign_in = step(&server, &mut cookies, async |browser| browser.get(&url).await).await;
    drop(server);
    let server = machine.start().await;
    let consent = step(&server, &mut cookies, async |browser| browser.sign_in(&sign_in, &owner).await).await;
    drop(server);
    let server = machine.start().await;
    let decided = step(&server, &mut cookies, async |browser| browser.decide(&consent, "approve").await).await;
    let code = decided.landing().code();
    drop(server);
    let server = machine.start().await;
    let again = step(&server, &mut cookies, async |browser| browser.decide(&consent, "approve").await).await;
    assert_eq!(again.landing().location, decided.landing().location, "the same decision, byte for byte (IN-03)");
    let other = step(&server, &mut cookies, async |browser| browser.decide(&consent, "deny").await).await;
    assert_eq!(other.status(), 400);
    drop(server);

    let right = exchange_fields(&app, &code, &[("code_verifier", VERIFIER)]);
    let first = connected(&app.post(&machine.start().await, &right).await);
    // A used code stays used.
    assert_refused(&app.post(&machine.start().await, &right).await, "invalid_grant");
    assert_eq!(identity(&machine.start().await, &first.access_token).await, 200, "the signing key survives");
    let second = connected(&app.refresh(&machine.start().await, &first.refresh_token).await);
    // The reply was lost with the process: the same successor.
    let again = connected(&app.refresh(&machine.start().await, &first.refresh_token).await);
    assert_eq!(again.refresh_token, second.refresh_token);
    let third = connected(&app.refresh(&machine.start().await, &second.refresh_token).await);
    // Rotated out stays rotated out.
    assert_refused(&app.refresh(&machine.start().await, &first.refresh_token).await, "invalid_grant");

    let server = machine.start().await;
    let grant = grant_of(TokenKind::Refresh, &third.refresh_token);
    server.authority().end_grant(grant, EndReason::RevokedByUser, server.doorway.now()).await.expect("no fault");
    drop(server);
    // Revoked stays revoked: for refreshes, for the gate of a new process, for the code.
    let server = machine.start().await;
    for token in [&first, &second, &third] {
        assert_refused(&app.refresh(&server, &token.refresh_token).await, "invalid_grant");
        assert_eq!(identity(&server, &token.access_token).await, 401);
    }
    assert_refused(&app.post(&server, &right).await, "invalid_grant");
}

#[tokio::test]
async fn op_02_a_burnt_code_and_a_detected_reuse_stay_so() {
    let mut machine = Machine::new();
    let server = machine.start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let public = server.public_app("Public").await;
    let burnt = super::pkce_code(&server, &app).await;
    assert_refused(&app.exchange(&server, &burnt).await, "invalid_grant");
    let first = super::connect_public(&server, &public).await;
    let second = connected(&public.refresh(&server, &first.refresh_token).await);
    let third = connected(&public.refresh(&server, &second.refresh_token).await);
    machine.clock.advance(100);
    drop(server);

    assert_refused(&public.refresh(&machine.start().await, &first.refresh_token).await, "invalid_grant");
    let server = machine.start().await;
    assert_refused(&public.refresh(&server, &third.refresh_token).await, "invalid_grant");
    assert_eq!(identity(&server, &third.access_token).await, 401);
    let right = exchange_fields(&app, &burnt, &[("code_verifier", VERIFIER)]);
    assert_refused(&app.post(&server, &right).await, "invalid_grant");
}

#[tokio::test]
async fn op_01_a_stored_time_ahead_of_the_clock_makes_the_node_not_ready() {
    for (behind, ready) in [(5 * 60, 200), (5 * 60 + 1, 503)] {
        let mut machine = Machine::new();
        let server = machine.start().await;
        assert_eq!(server.get("/readyz").await.status(), 200);
        drop(server);
        // A start is a second later than the one before.
        machine.clock.advance(-behind - 1);
        let server = machine.start().await;
        assert_eq!(server.get("/readyz").await.status(), ready, "{behind} s behind the store");
    }
}

#[tokio::test]
async fn op_02_after_a_restore_no_customer_is_lost() {
    let mut machine = Machine::new();
    let server = machine.start().await;
    let app = server.rotating_app("Listing Lantern").await;
    let early = super::connect(&server, &app).await;
    let unredeemed = super::code(&server, &app).await;
    drop(server);
    let backup = machine.directory.path().join("backup.db");
    SqliteStore::open(machine.file(), &Options::default())
        .expect("a store")
        .backup_to(&backup)
        .await
        .expect("a backup");

    // Life goes on after the backup.
    let server = machine.start().await;
    let mut rotated = early.refresh_token.clone();
    for _ in 0..3 {
        machine.clock.advance(60);
        rotated = connected(&app.refresh(&server, &rotated).await).refresh_token;
    }
    let redeemed = connected(&app.exchange(&server, &unredeemed).await);
    drop(server);

    // The backup takes the file's place.
    let restored =
        Machine { directory: tempfile::tempdir().expect("a directory"), clock: machine.clock.clone(), starts: 90 };
    std::fs::copy(&backup, restored.file()).expect("a copy");
    let mut restored = restored;
    let server = restored.start().await;
    let next = connected(&app.refresh(&server, &rotated).await);
    assert_eq!(app.refresh(&server, &next.refresh_token).await.status(), 200, "the row caught up");
    let caught_up = connected(&app.refresh(&server, &redeemed.refresh_token).await);
    assert_eq!(app.refresh(&server, &caught_up.refresh_token).await.status(), 200, "an approved row too");
    assert_refused(&app.exchange(&server, &unredeemed).await, "invalid_grant");
}
