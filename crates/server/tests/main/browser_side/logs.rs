//! Rows LG-01 and LG-02: what is logged at the most talkative level holds no secret and no forged line.

use super::asserting::{assert_reveals_nothing, send};
use super::{platform, provider};
use crate::token::watched_store::WatchedStore;
use keyfob_authority::model::Role;
use keyfob_authority::store::StoreError;
use keyfob_server::listen::{ListenOptions, serve};
use keyfob_testkit::{Answer, Browser, TestServer, TestServerOptions};
use serde_json::json;
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tracing_subscriber::fmt::MakeWriter;

/// Everything that this thread logs while it lives, at trace level.
#[derive(Clone, Default)]
pub(crate) struct Captured(Arc<Mutex<Vec<u8>>>);

impl Captured {
    pub(crate) fn start() -> (Captured, tracing::subscriber::DefaultGuard) {
        let captured = Captured::default();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_writer(captured.clone())
            .with_ansi(false)
            .finish();
        (captured, tracing::subscriber::set_default(subscriber))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("no holder panics").clone()).expect("text")
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
        std::io::Write::write(&mut *self.0.lock().expect("no holder panics"), bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

const VERIFIER: &str = "canary-verifier-dBjftJeZ4CVP-mB92K27uhbUJU1p";

fn canary_challenge() -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, VERIFIER.as_bytes());
    base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, digest.as_ref())
}

/// What must not be logged, by what it is.
#[derive(Default)]
struct Canaries(BTreeMap<String, &'static str>);

impl Canaries {
    fn add(&mut self, what: &'static str, value: impl Into<String>) {
        let value = value.into();
        assert!(value.len() >= 8, "{what} is too short to be told from chance: {value}");
        self.0.insert(value, what);
    }

    /// What it says, and what makes it good: the header is the same for all of a kind.
    fn add_jwt(&mut self, what: &'static str, token: &str) {
        token.split('.').skip(1).for_each(|part| self.add(what, part));
    }

    fn assert_absent(&self, place: &str, text: &str) {
        for (value, what) in &self.0 {
            assert!(!text.contains(value.as_str()), "{what} in {place}: {text}");
            // Nor a part of it that would do.
            assert!(!text.contains(&value[..value.len().min(24)]), "the beginning of {what} in {place}");
        }
    }
}

#[tokio::test]
async fn lg_01_no_secret_is_logged_at_trace_level() {
    let (captured, _guard) = Captured::start();
    let (store, server) = WatchedStore::serve(TestServerOptions::default()).await;
    let mut canaries = Canaries::default();
    let app = server.rotating_app("Listing Lantern").await;
    let state = "canary-state-Tf81";
    let url = app.authorize_url_with(&[
        ("response_type", "auth_code"),
        ("state", state),
        ("code_challenge", &canary_challenge()),
        ("code_challenge_method", "S256"),
    ]);
    canaries.add("state", state);
    canaries.add("verifier", VERIFIER);
    canaries.add("password", server.owner.password.clone());
    canaries.add("wrong password", "canary-wrong-password");
    canaries.add("client secret", app.secret.as_ref().expect("confidential").expose().clone());
    canaries.add("Authorization", app.basic().replace("Basic ", ""));
    canaries.add("system key", server.system_key.clone());
    canaries.add("query of authorize", "redirect_uri=");

    // The browser's side, with every refusal on the way.
    let mut browser = Browser::new(&server);
    let page = browser.get(&url).await;
    let wrong = browser.sign_in_as(&page, "owner@example.com", "canary-wrong-password").await;
    browser.sign_in_as(&page, "canary-nobody@example.com", "canary-wrong-password").await;
    let consent = browser.sign_in(&wrong, &server.owner).await;
    for page in [&page, &wrong, &consent] {
        for action in ["/oauth/authorize/sign-in", "/oauth/authorize/decision"] {
            if page.has_form(action) {
                canaries.add("interaction", page.hidden(action)["interaction"].clone());
                canaries.add("CSRF token", page.hidden(action)["csrf"].clone());
            }
        }
    }
    for value in browser.cookies.values() {
        canaries.add("cookie", value.clone());
    }
    store.fail("write_grant", StoreError::Unavailable("disk full".to_owned()));
    browser.decide(&consent, "approve").await;
    store.heal();
    let code = browser.decide(&consent, "approve").await.landing().code();
    canaries.add("code", code.clone());
    browser.decide(&consent, "deny").await;

    // The app's side: refused, redeemed, repeated, refreshed, called, revoked; by both methods, and when the store is down.
    let redirect_uri = app.app.redirect_uris[0].as_str().to_owned();
    let fields =
        [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", &redirect_uri), ("state", state)];
    store.fail("held_grant", StoreError::Broken("a row".to_owned()));
    app.get(&server, &fields).await;
    store.heal();
    let tokens = app.post(&server, &[&fields[..], &[("code_verifier", VERIFIER)]].concat()).await;
    assert_eq!(tokens.status(), 200, "{}", tokens.text());
    app.post(&server, &[&fields[..], &[("code_verifier", VERIFIER)]].concat()).await;
    let (access, refresh) = (tokens.at("access_token"), tokens.at("refresh_token"));
    let refreshed = app.refresh_by_get(&server, &refresh).await;
    for token in [&access, &refresh, &refreshed.at("data.access_token"), &refreshed.at("data.refresh_token")] {
        canaries.add("token", token.clone());
    }
    app.refresh(&server, &format!("{refresh}x")).await;
    server.call("/v1/identity", &access).await;
    server.call("/v1/identity", &format!("{access}x")).await;
    let body = format!("client_id={}&client_secret=canary-secret-in-body&grant_type=x&code={code}", app.client_id());
    let form = [("content-type", "application/x-www-form-urlencoded")];
    canaries.add("secret in the body", "canary-secret-in-body");
    let request = http::Request::post("/oauth/token").header(form[0].0, form[0].1).body(body);
    server.send(request.expect("a request")).await;
    let system = [("x-system", "Partner One"), ("x-system-key", server.system_key.as_str())];
    let bearer = format!("Bearer {access}");
    send(&server, "DELETE", "/v1/oauthApps/revokeAccess", &[&system[..], &[("authorization", &bearer)]].concat()).await;
    send(&server, "GET", "/v1/oauthApps", &system).await;
    let registered = http::Request::post("/v1/oauthApps")
        .header("x-system", "Partner One")
        .header("x-system-key", &server.system_key)
        .body("{\"redirectUris\":[\"https://canary-registered.example\"]}".to_owned());
    let registered = server.send(registered.expect("a request")).await;
    canaries.add("new client secret", registered.at("clientSecret"));
    canaries.add("body", "canary-registered");
    let list = browser.get("/connections").await;
    canaries.add("CSRF token", list.hidden("/sign-out")["csrf"].clone());
    browser.submit(&list, "/sign-out", &[]).await;

    // The same words where they do not belong, over a socket too.
    for uri in [
        format!("/oauth/token?code={code}&client_secret=canary-secret-in-body"),
        format!("{url}&access_token={access}"),
    ] {
        send(&server, "POST", &uri, &[("cookie", "keyfob-session=canarycookie1234")]).await;
        send(&server, "GET", &uri, &[("authorization", "Bearer canary-bearer")]).await;
        over_a_socket(&server, &format!("GET {uri} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")).await;
    }
    over_a_socket(&server, &format!("POST /oauth/token HTTP/1.1\r\nContent-Length: x\r\n\r\ncode={code}")).await;
    canaries.add("cookie", "canarycookie1234");
    canaries.add("Authorization", "canary-bearer");

    let text = captured.text();
    assert!(text.contains("answered") && text.contains("token request refused"), "something was captured: {text}");
    assert!(text.contains("disk full"), "faults are said: {text}");
    canaries.assert_absent("the log", &text);
    canaries.assert_absent("the metrics", &server.doorway.metrics.render());
    let ledger = server.store().ledger(Default::default(), 1000).await.expect("no fault");
    assert!(!ledger.is_empty());
    canaries.assert_absent("the ledger", &format!("{ledger:?}"));
    let shared = [format!("{:?}", app.secret), format!("{page:?}").replace(char::is_alphanumeric, "")];
    canaries.assert_absent("what is printed by mistake", &shared.join(""));
}

/// What a browser brings to the platform and back opens a session, and what the platform sends changes somebody.
#[tokio::test]
async fn lg_01_no_ticket_assertion_or_platform_token_is_logged_at_trace_level() {
    let (captured, _guard) = Captured::start();
    let (store, server) = WatchedStore::serve(platform::options()).await;
    let app = server.confidential_app("Listing Lantern").await;
    let mut canaries = Canaries::default();
    let mut browser = Browser::new(&server);
    let (ticket, asked) = platform::ticket(&browser.get(&app.authorize_url()).await);
    canaries.add_jwt("ticket", &ticket);
    canaries.add("ticket's id", asked["jti"].as_str().expect("a text"));
    let una = platform::una(&server, &asked);
    let malformed = platform::assertion(&platform::with(una.clone(), json!({ "role": "Emperor" })));
    let taken = json!({ "sub": "u-9", "email": "owner@example.com" });
    let taken = platform::assertion(&platform::with(una.clone(), taken));
    let good = platform::assertion(&una);
    for (what, assertion) in [("malformed assertion", &malformed), ("refused assertion", &taken), ("assertion", &good)]
    {
        canaries.add_jwt(what, assertion);
        store.fail("is_ticket_used", StoreError::Broken("a row".to_owned()));
        platform::back(&mut browser, assertion).await;
        store.heal();
        platform::back(&mut browser, assertion).await;
        browser.cookies.values().for_each(|value| canaries.add("cookie", value.clone()));
    }
    platform::back(&mut browser, &good).await;
    let consent = browser.get(platform::CONTINUE).await;
    assert!(consent.has_form(platform::DECISION), "{}", consent.text());
    let head = "HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    over_a_socket(&server, &format!("GET /sign-in/return?assertion={good} {head}")).await;
    let (other, asked) = platform::ticket(&Browser::new(&server).get(&app.authorize_url()).await);
    canaries.add_jwt("another ticket", &other);
    let elsewhere = platform::assertion(&platform::una(&server, &asked));
    canaries.add_jwt("assertion elsewhere", &elsewhere);
    let told = platform::back(&mut browser, &elsewhere).await.landing();
    browser.get(&told.location).await;
    let now = server.clock_now().0;
    let claims = json!({
        "iss": "https://app.example.com", "aud": platform::ISSUER, "iat": now, "exp": now + 60, "jti": "canary-jti-1",
        "sub": "users/u-1", "role": "Agent",
    });
    let token = platform::jwt(&json!({ "alg": "EdDSA", "typ": "keyfob-platform+jwt" }), &claims, 7);
    canaries.add_jwt("platform token", &token);
    for body in ["{}", "{\"role\":\"Agent\"}", "{\"role\":\"Agent\"}"] {
        let request = http::Request::put("/platform/users/u-1").header("authorization", format!("Bearer {token}"));
        server.send(request.body(body.to_owned()).expect("a request")).await;
    }

    let text = captured.text();
    for said in ["nobody was signed in", "token_used", "not_waiting", "email_taken", "role", "its app is told"] {
        assert!(text.contains(said), "{said} is not in what was captured: {text}");
    }
    canaries.assert_absent("the log", &text);
    canaries.assert_absent("the metrics", &server.doorway.metrics.render());
    let ledger = server.store().ledger(Default::default(), 1000).await.expect("no fault");
    canaries.assert_absent("the ledger", &format!("{ledger:?}"));
}

/// What a browser brings to an OpenID provider and back, and what passes behind its back.
#[tokio::test]
async fn lg_01_no_state_code_verifier_client_secret_or_id_token_is_logged_at_trace_level() {
    let (captured, _guard) = Captured::start();
    let provider = provider::Provider::new();
    let (store, server) = WatchedStore::serve(provider::options(&provider, provider::settings())).await;
    let app = server.confidential_app("Listing Lantern").await;
    let mut canaries = Canaries::default();
    canaries.add("client secret", provider::CLIENT_SECRET);
    canaries.add("access token", "canary-access-token");
    let mut browser = Browser::new(&server);
    let asked = provider::Asked::of(&browser.get(&app.authorize_url()).await);
    for name in ["state", "nonce", "code_challenge"] {
        canaries.add(name, asked.get(name));
    }
    let una = provider::una(&server, &asked);
    let taken = json!({ "sub": "u-9", "email": "owner@example.com" });
    for claims in
        [platform::with(una.clone(), json!({ "nonce": "x" })), platform::with(una.clone(), taken), una.clone()]
    {
        let id_token = provider::id_token(&claims);
        canaries.add_jwt("ID token", &id_token);
        store.fail("is_ticket_used", StoreError::Broken("a row".to_owned()));
        provider::answered(&mut browser, &provider, &asked, provider::tokens(&id_token)).await;
        store.heal();
        provider.answers("/token", (500, "canary-body"));
        provider::answered(&mut browser, &provider, &asked, provider::tokens(&id_token)).await;
        provider.heals();
        provider::answered(&mut browser, &provider, &asked, provider::tokens(&id_token)).await;
        browser.cookies.values().for_each(|value| canaries.add("cookie", value.clone()));
    }
    let refused =
        [("error", "canary-error"), ("error_description", "canary-description"), ("state", asked.get("state"))];
    provider::back(&mut browser, &refused).await;
    canaries.add("code", "canary-code");
    canaries.add("what stands in a URL", "canary-error");
    canaries.add("what a provider says", "canary-body");
    let head = "HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    over_a_socket(
        &server,
        &format!("GET /sign-in/openid/callback?code=canary-code&state={} {head}", asked.get("state")),
    )
    .await;

    let text = captured.text();
    for said in [
        "nobody was signed in",
        "wrong_nonce",
        "email_taken",
        "ticket_used",
        "500 for the answer of its token endpoint",
    ] {
        assert!(text.contains(said), "{said} is not in what was captured: {text}");
    }
    canaries.assert_absent("the log", &text);
    canaries.assert_absent("the metrics", &server.doorway.metrics.render());
    let ledger = server.store().ledger(Default::default(), 1000).await.expect("no fault");
    canaries.assert_absent("the ledger", &format!("{ledger:?}"));
    canaries.assert_absent("what is printed by mistake", &format!("{:?}", server.doorway.authority.settings()));
}

async fn over_a_socket(server: &TestServer, request: &str) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let served = tokio::spawn(serve(listener, server.router(), ListenOptions::default(), std::future::pending()));
    let mut stream = tokio::net::TcpStream::connect(address).await.expect("a listener");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(answer.starts_with(b"HTTP/1.1 "), "{answer:?}");
    served.abort();
}

#[tokio::test]
async fn lg_02_an_answer_reveals_nothing_and_its_id_leads_to_the_log() {
    let (captured, _guard) = Captured::start();
    let (store, server) = WatchedStore::serve(TestServerOptions::default()).await;
    let app = server.confidential_app("Listing Lantern").await;
    let error = StoreError::Broken("SELECT salt FROM grants at /var/lib/keyfob.db: rusqlite panicked".to_owned());
    let mut browser = Browser::new(&server);
    let code = browser.connect(&app.authorize_url()).await.code();
    for method in ["app_by_client_id", "app", "session", "held_grant", "system_by_name", "grants", "user", "account"] {
        store.fail(method, error.clone());
    }
    server.authority().reload(None);
    let system = [("x-system", "Partner One"), ("x-system-key", server.system_key.as_str())];
    let answers = [
        browser.get(&app.authorize_url()).await.answer,
        browser.get("/connections").await.answer,
        app.exchange(&server, &code).await,
        app.exchange_by_get(&server, &code).await,
        send(&server, "GET", "/v1/oauthApps", &system).await,
    ];
    for answer in &answers {
        assert_eq!(answer.status(), 500, "{}", answer.text());
        assert_reveals_nothing(answer);
        let id = answer.header("x-request-id").expect("an id");
        let text = captured.text();
        let line = text.lines().find(|line| line.contains(id) && line.contains("SELECT salt"));
        assert!(line.is_some_and(|line| line.contains("ERROR")), "{id}: {text}");
    }
    let ids: std::collections::BTreeSet<_> = answers.iter().map(|answer| answer.header("x-request-id")).collect();
    assert_eq!(ids.len(), answers.len());
    // An id that a client brings is not ours.
    let answer = send(&server, "GET", "/healthz", &[("x-request-id", "chosen-by-a-client")]).await;
    assert_ne!(answer.header("x-request-id"), Some("chosen-by-a-client"));
    assert!(!captured.text().contains("chosen-by-a-client"));
}

/// What a user reads out to support.
#[tokio::test]
async fn lg_02_the_id_of_every_refusal_in_a_browser_leads_to_why() {
    let (captured, _guard) = Captured::start();
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let why = |answer: &Answer, told: &str| {
        let id = answer.header("x-request-id").expect("an id");
        let text = captured.text();
        let lines = text.lines().filter(|line| line.contains(id) && line.contains(told)).count();
        assert_eq!(lines, 1, "{told} of {id}: {text}");
    };
    let mut browser = Browser::new(&server);
    let page = browser.get("/connections").await;
    for _ in 0..6 {
        let answer = browser.sign_in_as(&page, "owner@example.com", "canary-guess").await.answer;
        why(&answer, "not_recognised");
    }
    why(&browser.sign_in_as(&page, "owner@example.com", "canary-guess").await.answer, "held_back");
    why(&browser.get("/sign-in/refused?reason=x").await.answer, "why=");
    let mut owner = Browser::new(&server);
    owner.address = std::net::IpAddr::from([198, 51, 100, 9]);
    let consent = owner.consent(&app.authorize_url()).await;
    let (authority, now) = (server.authority(), server.clock_now());
    authority.set_app_enabled(app.app.id, false, now).await.expect("no fault");
    why(&owner.decide(&consent, "approve").await.answer, "This app cannot be connected any more");
    let identity = server.call("/v1/identity", "not-a-token").await;
    why(&identity, "not a JWT");
    assert!(!captured.text().contains("canary-guess"));
}

#[tokio::test]
async fn lg_02_no_input_forges_a_line_of_the_log() {
    let (captured, _guard) = Captured::start();
    let (store, server) = WatchedStore::serve(TestServerOptions::default()).await;
    let app = server.confidential_app("Listing Lantern").await;
    let forged = "x\r\n2026-11-23T12:00:00Z ERROR forged\u{1b}[31m\u{7}\u{8}";
    // A fault whose text holds what somebody typed.
    store.fail("user_by_email", StoreError::Broken(format!("no row for {forged}")));
    let mut browser = Browser::new(&server);
    let page = browser.get(&app.authorize_url()).await;
    browser.sign_in_as(&page, forged, forged).await;
    store.heal();
    for name in ["client_id", "redirect_uri", "state", "scope", "response_type", "prompt"] {
        browser.get(&app.authorize_url_with(&[("response_type", "code"), (name, forged)])).await;
    }
    app.post(&server, &[("grant_type", forged), ("code", forged)]).await;
    app.get(&server, &[("grant_type", forged), ("refresh_token", forged)]).await;
    let odd = send(&server, "X-FORGED", "/oauth/authorize%0d%0aERROR", &[("user-agent", "a\tb")]).await;
    assert_eq!(odd.status(), 404);
    server.person("agent@example.com", Role::Agent).await;
    let text = captured.text();
    assert!(text.contains("no row for"), "{text}");
    for line in text.lines() {
        assert!(!line.starts_with("2026-11-23T12:00:00Z ERROR forged"), "{line}");
        assert!(!line.chars().any(char::is_control), "{line:?}");
    }
}
