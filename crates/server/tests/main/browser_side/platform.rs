//! A server whose people sign in at a platform, and that platform: what it asserts, and how a browser brings it back.

use super::asserting::assert_page;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keyfob_authority::Settings;
use keyfob_authority::hand_off::Platform;
use keyfob_authority::hand_off::key::PlatformKey;
use keyfob_authority::sign_in::SignInPlace;
use keyfob_protocol::Clock;
use keyfob_testkit::{Browser, Page, TestServer, TestServerOptions};
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) const ISSUER: &str = "https://auth.example.com";
pub(super) const LOGIN: &str = "https://app.example.com/keyfob-login";
pub(super) const DECISION: &str = "/oauth/authorize/decision";
pub(super) const CONTINUE: &str = "/oauth/authorize/continue";

pub(super) fn pair(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("a seed")
}

pub(super) fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(super) fn jwt(header: &Value, claims: &Value, seed: u8) -> String {
    let input = format!("{}.{}", b64(header.to_string()), b64(claims.to_string()));
    let signature = pair(seed).sign(input.as_bytes());
    format!("{input}.{}", b64(signature.as_ref()))
}

pub(super) fn assertion(claims: &Value) -> String {
    jwt(&json!({ "alg": "EdDSA", "typ": "keyfob-assertion+jwt" }), claims, 7)
}

pub(super) async fn server() -> TestServer {
    TestServer::start_with(options()).await
}

pub(super) fn options() -> TestServerOptions {
    let key = json!({ "kty": "OKP", "crv": "Ed25519", "x": b64(pair(7).public_key().as_ref()) });
    let platform = Platform::new(LOGIN, PlatformKey::parse(&key.to_string()).expect("a key")).expect("an https URL");
    let settings = Settings { sign_in: SignInPlace::Platform(Arc::new(platform)), ..Settings::new(ISSUER) };
    TestServerOptions { settings, ..TestServerOptions::default() }
}

/// The claims of the ticket in a redirect to the platform.
pub(super) fn ticket(page: &Page) -> (String, Value) {
    assert_eq!(page.status(), 303, "{}", page.text());
    let landing = page.landing();
    assert!(landing.location.starts_with(&format!("{LOGIN}?ticket=")), "{}", landing.location);
    let ticket = landing.parameter("ticket").expect("a ticket");
    let payload = ticket.split('.').nth(1).expect("a JWT");
    let claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).expect("base64")).expect("JSON");
    (ticket, claims)
}

/// What the platform would say of its user Una.
pub(super) fn una(server: &TestServer, ticket: &Value) -> Value {
    let now = server.clock.now().0;
    json!({
        "iss": "https://app.example.com", "aud": ISSUER, "ticket": ticket["jti"], "iat": now, "exp": now + 60,
        "auth_time": now, "sub": "u-1", "email": "Una@example.com", "name": "Una User", "role": "Admin",
        "account": { "id": "a-1", "name": "Una's Homes", "domain": "una" },
    })
}

pub(super) fn with(mut claims: Value, more: Value) -> Value {
    for (name, value) in more.as_object().expect("an object") {
        claims[name] = value.clone();
    }
    claims
}

pub(super) async fn back(browser: &mut Browser<'_>, assertion: &str) -> Page {
    browser.get(&format!("/sign-in/return?assertion={assertion}")).await
}

/// The text of the outcome's counter.
pub(super) fn count(server: &TestServer, outcome: &str) -> bool {
    server.doorway.metrics.render().contains(&format!("hand_off_returns_total{{outcome=\"{outcome}\"}}"))
}

/// A refusal: a page, no session, and its reason where operators look.
pub(super) fn assert_refused(server: &TestServer, browser: &Browser<'_>, page: &Page, (status, reason): (u16, &str)) {
    assert_page(&page.answer, status);
    assert!(!browser.cookies.contains_key("keyfob-session"), "{reason}");
    assert!(count(server, reason), "{reason}: {}", server.doorway.metrics.render());
}

/// What is genuine and came to the wrong place: its ticket is used, and the page that says so does not lie under its URL.
pub(super) async fn assert_elsewhere(
    server: &TestServer,
    browser: &mut Browser<'_>,
    page: &Page,
    (status, reason): (u16, &str),
) {
    assert_eq!(page.status(), 303, "{}", page.text());
    let location = page.landing().location;
    assert_eq!(location, format!("/sign-in/refused?reason={reason}"));
    let told = browser.get(&location).await;
    assert_refused(server, browser, &told, (status, reason));
}
