//! What is logged at the most talkative level holds no secret.

use super::desk::{BACKEND, Desk, HOOK_SECRET, Wanted, key_of};
use super::peer::Peer;
use crate::raw::parameter;
use keyfob_client::Method;
use std::io::Write;
use std::sync::{Arc, Mutex};
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::fmt::MakeWriter;

/// Everything that this thread logs while it lives, at trace level.
#[derive(Clone, Default)]
pub(super) struct Captured(Arc<Mutex<Vec<u8>>>);

impl Captured {
    /// From now on, as long as the guard lives.
    pub(super) fn begin() -> (Captured, DefaultGuard) {
        let captured = Captured::default();
        let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(captured.clone());
        (captured, tracing::subscriber::set_default(subscriber.with_ansi(false).finish()))
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("no panic").clone()).expect("text")
    }
}

impl<'a> MakeWriter<'a> for Captured {
    type Writer = Captured;

    fn make_writer(&'a self) -> Captured {
        self.clone()
    }
}

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no panic").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_key_token_code_link_or_cookie_is_logged() {
    let (captured, _guard) = Captured::begin();
    let receiver = Peer::start().await;
    let desk = Desk::with(Wanted { webhook: Some(receiver.base.clone()), ..Wanted::default() }).await;
    let link = desk.link("u1").await;
    let (authorize, cookie) = desk.open(&link).await;
    let callback = desk.decided(&authorize, 0, "approve").await;
    assert_eq!(desk.browse(&callback, "").await.status, 303);
    let second = desk.link("u1").await;
    let (authorize_2, cookie_2) = desk.open(&second).await;
    let callback_2 = desk.decided(&authorize_2, 0, "approve").await;
    assert_eq!(desk.browse(&callback_2, &cookie_2).await.header("location"), Some("/end/connected"));
    let token = desk.get("/connections/fub/u1/token").await.json()["access_token"].as_str().expect("one").to_owned();
    desk.passes(61).await;
    assert_eq!(desk.get("/proxy/fub/u1/v1/me").await.status, 200);
    let renewed = desk.get("/connections/fub/u1/token").await.json()["access_token"].as_str().expect("one").to_owned();
    desk.taken_back("u1").await;
    assert_eq!(desk.get("/proxy/fub/u1/v1/me").await.status, 409);
    assert_eq!(desk.ask(Method::Post, "/sign-in", &format!("key={}", key_of(BACKEND))).await.status, 303);
    receiver.has_received(2).await;
    let value = |url: &str, name: &str| parameter(&format!("http://a{url}"), name).expect("a parameter");
    let app = &desk.running.announcement.apps[0];
    let ticket = |link: &str| link.trim_start_matches("/connect/").to_owned();
    let pair = |cookie: &str| cookie.split_once('=').expect("a pair").1.to_owned();
    let log = captured.text();
    assert!(log.contains("keyfob_vault") && log.len() > 10_000, "little was captured: {} bytes", log.len());
    for (what, secret) in [
        ("the caller's key", key_of(BACKEND)),
        ("the app's secret", app.client_secret.clone().expect("one")),
        ("the system's key", desk.running.announcement.system.key.clone()),
        ("the receiver's secret", HOOK_SECRET.to_owned()),
        ("an access token", token),
        ("a renewed access token", renewed),
        ("the code of a stranger", value(&callback, "code")),
        ("a code", value(&callback_2, "code")),
        ("a state", value(&callback, "state")),
        ("a state", value(&callback_2, "state")),
        ("a link", ticket(&link)),
        ("a link", ticket(&second)),
        ("a browser", pair(&cookie)),
        ("a browser", pair(&cookie_2)),
    ] {
        assert!(secret.len() >= 8, "{what}");
        let found = log.lines().find(|line| line.contains(&secret));
        assert!(found.is_none(), "{what}: {}", found.unwrap_or_default());
    }
}
