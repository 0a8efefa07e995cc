//! The hand-off to a platform's login: rows IN-03, IN-04, IN-05, IN-08, JW-03, RF-10 and LG-03 where people sign in elsewhere.

use super::asserting::assert_page;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Request;
use keyfob_authority::Settings;
use keyfob_authority::hand_off::Platform;
use keyfob_authority::hand_off::key::PlatformKey;
use keyfob_authority::model::{LedgerKind, Role};
use keyfob_authority::store::LedgerFilter;
use keyfob_protocol::Clock;
use keyfob_testkit::{Answer, Browser, Page, TestServer, TestServerOptions};
use serde_json::{Value, json};
use std::sync::Arc;

const ISSUER: &str = "https://auth.example.com";
const LOGIN: &str = "https://app.example.com/keyfob-login";
const DECISION: &str = "/oauth/authorize/decision";
const CONTINUE: &str = "/oauth/authorize/continue";

fn pair(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("a seed")
}

fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn jwt(header: &Value, claims: &Value, seed: u8) -> String {
    let input = format!("{}.{}", b64(header.to_string()), b64(claims.to_string()));
    let signature = pair(seed).sign(input.as_bytes());
    format!("{input}.{}", b64(signature.as_ref()))
}

fn assertion(claims: &Value) -> String {
    jwt(&json!({ "alg": "EdDSA", "typ": "keyfob-assertion+jwt" }), claims, 7)
}

async fn server() -> TestServer {
    let key = json!({ "kty": "OKP", "crv": "Ed25519", "x": b64(pair(7).public_key().as_ref()) });
    let platform = Platform::new(LOGIN, PlatformKey::parse(&key.to_string()).expect("a key")).expect("an https URL");
    let settings = Settings { platform: Some(Arc::new(platform)), ..Settings::new(ISSUER) };
    TestServer::start_with(TestServerOptions { settings, ..TestServerOptions::default() }).await
}

/// The claims of the ticket in a redirect to the platform.
fn ticket(page: &Page) -> (String, Value) {
    assert_eq!(page.status(), 303, "{}", page.text());
    let landing = page.landing();
    assert!(landing.location.starts_with(&format!("{LOGIN}?ticket=")), "{}", landing.location);
    let ticket = landing.parameter("ticket").expect("a ticket");
    let payload = ticket.split('.').nth(1).expect("a JWT");
    let claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).expect("base64")).expect("JSON");
    (ticket, claims)
}

/// What the platform would say of its user Una.
fn una(server: &TestServer, ticket: &Value) -> Value {
    let now = server.clock.now().0;
    json!({
        "iss": "https://app.example.com", "aud": ISSUER, "ticket": ticket["jti"], "iat": now, "exp": now + 60,
        "auth_time": now, "sub": "u-1", "email": "Una@example.com", "name": "Una User", "role": "Admin",
        "account": { "id": "a-1", "name": "Una's Homes", "domain": "una" },
    })
}

fn with(mut claims: Value, more: Value) -> Value {
    for (name, value) in more.as_object().expect("an object") {
        claims[name] = value.clone();
    }
    claims
}

async fn back(browser: &mut Browser<'_>, assertion: &str) -> Page {
    browser.get(&format!("/sign-in/return?assertion={assertion}")).await
}

/// The text of the outcome's counter.
fn count(server: &TestServer, outcome: &str) -> bool {
    server.doorway.metrics.render().contains(&format!("hand_off_returns_total{{outcome=\"{outcome}\"}}"))
}

/// A refusal: a page, no session, and its reason where operators look.
fn assert_refused(server: &TestServer, browser: &Browser<'_>, page: &Page, (status, reason): (u16, &str)) {
    assert_page(&page.answer, status);
    assert!(!browser.cookies.contains_key("keyfob-session"), "{reason}");
    assert!(count(server, reason), "{reason}: {}", server.doorway.metrics.render());
}

#[tokio::test]
async fn in_04_somebody_signs_in_at_the_platform_and_decides_here() {
    let server = server().await;
    let app = server.confidential_app("Listing Lantern").await;
    let mut browser = Browser::new(&server);
    let (_, ticket) = ticket(&browser.get(&app.authorize_url()).await);
    let now = server.clock.now().0;
    assert_eq!(ticket["iss"], ISSUER);
    assert_eq!(ticket["aud"], LOGIN);
    assert_eq!(ticket["exp"], now + 600);
    assert_eq!(ticket["return_to"], format!("{ISSUER}/sign-in/return"));
    assert_eq!(ticket["app"], "Listing Lantern");
    assert_eq!((&ticket["prompt"], &ticket["max_age"]), (&Value::Null, &Value::Null));
    let returned = back(&mut browser, &assertion(&una(&server, &ticket))).await;
    assert_eq!((returned.status(), returned.landing().location.as_str()), (303, CONTINUE));
    assert_eq!(returned.answer.header("cache-control"), Some("no-store"));
    assert_eq!(returned.answer.header("referrer-policy"), Some("no-referrer"));
    let consent = browser.get(CONTINUE).await;
    assert!(consent.has_form(DECISION) && consent.text().contains("una@example.com"), "{}", consent.text());
    assert!(consent.answer.header("content-security-policy").expect("a CSP").contains("https://app.example.com"));
    assert!(!browser.cookies.keys().any(|name| name.contains("pending")), "it waits no longer");
    let code = browser.decide(&consent, "approve").await.landing().code();
    assert_eq!(app.exchange(&server, &code).await.status(), 200);
    let store = server.doorway.authority.store();
    let user = store.user_by_external("u-1").await.expect("no fault").expect("made when she came");
    let account = store.account_by_external("a-1").await.expect("no fault").expect("likewise");
    assert_eq!((user.role, user.account, user.password_hash), (Role::Admin, account.id, None));
    let kinds = store.ledger(LedgerFilter { user: Some(user.id), ..LedgerFilter::default() }, 20).await;
    let kinds: Vec<_> = kinds.expect("no fault").iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds, [LedgerKind::Redeemed, LedgerKind::Consented, LedgerKind::SignedIn]);
}

#[tokio::test]
async fn jw_03_a_ticket_is_no_access_token_and_no_assertion() {
    let server = server().await;
    let app = server.confidential_app("Listing Lantern").await;
    let mut browser = Browser::new(&server);
    let (ticket, _) = ticket(&browser.get(&app.authorize_url()).await);
    assert_eq!(server.call("/v1/identity", &ticket).await.status(), 401);
    let page = back(&mut browser, &ticket).await;
    assert_refused(&server, &browser, &page, (400, "wrong_type"));
}

#[tokio::test]
async fn in_04_what_the_platform_did_not_sign_for_this_ticket_is_refused() {
    let server = server().await;
    let app = server.confidential_app("Listing Lantern").await;
    let mut browser = Browser::new(&server);
    let (_, ticket) = ticket(&browser.get(&app.authorize_url()).await);
    let good = una(&server, &ticket);
    let now = server.clock.now().0;
    for (change, refusal) in [
        (json!({ "iss": "https://evil.example.com" }), (400, "wrong_issuer")),
        (json!({ "aud": "https://other.example.com" }), (400, "wrong_audience")),
        (json!({ "aud": [ISSUER, "https://other.example.com"] }), (400, "wrong_audience")),
        (json!({ "iat": now - 120, "exp": now }), (400, "expired")),
        (json!({ "exp": now + 301 }), (400, "lives_too_long")),
        (json!({ "iat": now + 61, "exp": now + 62 }), (400, "issued_in_the_future")),
        (json!({ "auth_time": now + 61 }), (400, "issued_in_the_future")),
        (json!({ "iat": i64::MIN, "exp": i64::MAX }), (400, "lives_too_long")),
        (json!({ "ticket": "somebody-elses" }), (400, "other_ticket")),
        (json!({ "sub": "x".repeat(256) }), (400, "malformed_claims")),
        (json!({ "sub": "" }), (400, "malformed_claims")),
        (json!({ "role": "Emperor" }), (400, "malformed_claims")),
        (json!({ "account": null }), (400, "malformed_claims")),
        (json!({ "email": "nobody" }), (400, "malformed_claims")),
        (json!({ "error": "server_error" }), (400, "malformed_claims")),
    ] {
        let page = back(&mut browser, &assertion(&with(good.clone(), change))).await;
        assert_refused(&server, &browser, &page, refusal);
    }
    let header = |alg: &str, typ: &str| json!({ "alg": alg, "typ": typ });
    let unsigned = format!("{}.{}.", b64(header("none", "keyfob-assertion+jwt").to_string()), b64(good.to_string()));
    for (token, reason) in [
        (jwt(&header("EdDSA", "keyfob-assertion+jwt"), &good, 8), "wrong_signature"),
        (jwt(&header("HS256", "keyfob-assertion+jwt"), &good, 7), "wrong_algorithm"),
        (jwt(&header("ES256", "keyfob-assertion+jwt"), &good, 7), "wrong_algorithm"),
        (jwt(&header("EdDSA", "at+jwt"), &good, 7), "wrong_type"),
        (jwt(&header("EdDSA", "keyfob-platform+jwt"), &good, 7), "wrong_type"),
        (jwt(&json!({ "alg": "EdDSA", "typ": "keyfob-assertion+jwt", "crit": ["x"] }), &good, 7), "critical_extension"),
        (unsigned, "wrong_algorithm"),
        (String::new(), "not_a_jwt"),
    ] {
        let page = back(&mut browser, &token).await;
        assert_refused(&server, &browser, &page, (400, reason));
    }
    assert_eq!(server.doorway.authority.store().user_by_external("u-1").await.expect("no fault"), None);
    // None of it used the ticket.
    assert_eq!(back(&mut browser, &assertion(&good)).await.status(), 303);
}

#[tokio::test]
async fn in_04_a_return_counts_once_and_in_the_browser_that_left() {
    let server = server().await;
    let app = server.confidential_app("Listing Lantern").await;
    let (mut browser, mut thief) = (Browser::new(&server), Browser::new(&server));
    let (_, ticket_of_una) = ticket(&browser.get(&app.authorize_url()).await);
    let (_, _) = ticket(&thief.get(&app.authorize_url()).await);
    let assertion = assertion(&una(&server, &ticket_of_una));
    let page = back(&mut thief, &assertion).await;
    assert_refused(&server, &thief, &page, (400, "other_ticket"));
    let mut naked = Browser::new(&server);
    let page = back(&mut naked, &assertion).await;
    assert_refused(&server, &naked, &page, (403, "not_waiting"));
    // Another browser that got hold of what waits, but not of the flow cookie.
    naked.cookies = browser.cookies.clone();
    naked.cookies.remove("keyfob-flow");
    let page = back(&mut naked, &assertion).await;
    assert_refused(&server, &naked, &page, (403, "other_browser"));
    // Even the whole jar opens no second session.
    let mut replay = Browser::new(&server);
    replay.cookies = browser.cookies.clone();
    assert_eq!(back(&mut browser, &assertion).await.status(), 303);
    let page = back(&mut replay, &assertion).await;
    assert_refused(&server, &replay, &page, (400, "ticket_used"));
    assert!(browser.get(CONTINUE).await.has_form(DECISION), "the first one goes on");
    assert_page(&browser.get(CONTINUE).await.answer, 400);
}

#[tokio::test]
async fn in_04_the_newest_tab_counts_and_a_ticket_ends_after_ten_minutes() {
    let server = server().await;
    let app = server.confidential_app("Listing Lantern").await;
    let mut browser = Browser::new(&server);
    let (_, older) = ticket(&browser.get(&app.authorize_url()).await);
    let (_, newer) = ticket(&browser.get(&app.authorize_url()).await);
    let page = back(&mut browser, &assertion(&una(&server, &older))).await;
    assert_refused(&server, &browser, &page, (400, "other_ticket"));
    server.clock.advance(600);
    let page = back(&mut browser, &assertion(&una(&server, &newer))).await;
    assert_refused(&server, &browser, &page, (400, "ticket_past"));
    let (_, newest) = ticket(&browser.get(&app.authorize_url()).await);
    server.clock.advance(599);
    assert_eq!(back(&mut browser, &assertion(&una(&server, &newest))).await.status(), 303);
}

#[tokio::test]
async fn in_05_a_fresh_sign_in_is_asked_of_the_platform_and_an_older_one_refused() {
    let server = server().await;
    let app = server.confidential_app("Listing Lantern").await;
    let mut browser = Browser::new(&server);
    let url = app.authorize_url_with(&[("response_type", "code"), ("prompt", "login")]);
    let (_, asked) = ticket(&browser.get(&url).await);
    assert_eq!((&asked["prompt"], &asked["max_age"]), (&json!("login"), &json!(0)));
    server.clock.advance(30);
    let before = asked["iat"].as_i64().expect("a time") - 1;
    let stale = with(una(&server, &asked), json!({ "auth_time": before }));
    let page = back(&mut browser, &assertion(&stale)).await;
    assert_refused(&server, &browser, &page, (403, "not_fresh"));
    let fresh = with(una(&server, &asked), json!({ "auth_time": asked["iat"] }));
    assert_eq!(back(&mut browser, &assertion(&fresh)).await.status(), 303);
    let consent = browser.get(CONTINUE).await;
    // "Somebody else" asks the platform for a fresh sign-in, too.
    let switched = browser.decide(&consent, "switch").await;
    assert_eq!(ticket(&switched).1["prompt"], "login");
}

#[tokio::test]
async fn in_03_who_gives_up_at_the_platform_denies_in_the_apps_dialect() {
    let server = server().await;
    let app = server.confidential_app("Listing Lantern").await;
    for (response_type, parameter, value) in [("auth_code", "response", "denied"), ("code", "error", "access_denied")] {
        let mut browser = Browser::new(&server);
        let url = app.authorize_url_with(&[("response_type", response_type), ("state", "s1")]);
        let (_, ticket) = ticket(&browser.get(&url).await);
        let now = server.clock.now().0;
        let gave_up = assertion(&json!({
            "iss": "https://app.example.com", "aud": ISSUER, "ticket": ticket["jti"], "iat": now, "exp": now + 60,
            "error": "access_denied",
        }));
        let mut again = Browser::new(&server);
        again.cookies = browser.cookies.clone();
        let landing = back(&mut browser, &gave_up).await.landing();
        assert_eq!(landing.parameter(parameter).as_deref(), Some(value), "{}", landing.location);
        assert_eq!(landing.parameter("state").as_deref(), Some("s1"));
        let page = back(&mut again, &gave_up).await;
        assert_refused(&server, &again, &page, (400, "ticket_used"));
    }
}

#[tokio::test]
async fn lg_03_a_known_user_follows_the_platform_and_a_local_one_is_not_taken_over() {
    let server = server().await;
    let store = server.doorway.authority.store();
    let arrive = async |more: Value| {
        let mut browser = Browser::new(&server);
        let (_, ticket) = ticket(&browser.get("/connections").await);
        back(&mut browser, &assertion(&with(una(&server, &ticket), more))).await
    };
    assert_eq!(arrive(json!({})).await.landing().location, "/connections");
    let first = store.user_by_external("u-1").await.expect("no fault").expect("made");
    let moved = json!({
        "email": "una@new.example.com", "name": "Una New", "role": "Agent",
        "account": { "id": "a-2", "name": "Second", "domain": "second" },
    });
    assert_eq!(arrive(moved).await.status(), 303);
    let now = store.user_by_external("u-1").await.expect("no fault").expect("still there");
    assert_eq!((now.id, now.email.as_str(), now.name.as_str()), (first.id, "una@new.example.com", "Una New"));
    assert!(now.role == Role::Agent && now.account != first.account && now.tokens_after > first.tokens_after);
    let entries = store.ledger(LedgerFilter { user: Some(now.id), ..LedgerFilter::default() }, 20).await;
    let entries = entries.expect("no fault");
    assert!(entries.iter().any(|entry| entry.detail == "follows the platform"), "{entries:?}");
    // The owner has a password here.
    let page = arrive(json!({ "sub": "u-9", "email": "OWNER@example.com" })).await;
    assert_page(&page.answer, 409);
    assert!(count(&server, "email_taken"));
    let owner = store.user(server.owner.user.id).await.expect("no fault").expect("there");
    assert_eq!((owner.external, owner.email.as_str()), (None, "owner@example.com"));
    let advice = format!("keyfob user link {} --external='u-9'", owner.id);
    let newest = store.ledger(LedgerFilter { user: Some(owner.id), ..LedgerFilter::default() }, 1).await;
    assert!(newest.expect("no fault")[0].detail.contains(&advice));
    let page = arrive(json!({ "sub": "u-8", "account": { "id": "a-9", "name": "X", "domain": "maple-street" } })).await;
    assert_page(&page.answer, 409);
    assert!(count(&server, "domain_taken"));
}

/// What was consented to were the data of the account that the page named (matrix IN-02): nobody approved the app for another company's.
#[tokio::test]
async fn in_02_a_consent_does_not_follow_a_user_to_another_account() {
    let server = server().await;
    let app = server.confidential_app("Listing Lantern").await;
    let second = json!({ "account": { "id": "a-2", "name": "Second", "domain": "second" } });
    let consent = async |browser: &mut Browser<'_>| {
        let (_, asked) = ticket(&browser.get(&app.authorize_url()).await);
        back(browser, &assertion(&una(&server, &asked))).await;
        browser.get(CONTINUE).await
    };
    let (mut one, mut two, mut three) = (Browser::new(&server), Browser::new(&server), Browser::new(&server));
    let page = consent(&mut one).await;
    let code = one.decide(&page, "approve").await.landing().code();
    let refresh = app.exchange(&server, &code).await.at("refresh_token");
    let page = consent(&mut two).await;
    let unspent = two.decide(&page, "approve").await.landing().code();
    let shown = consent(&mut three).await;
    let mut elsewhere = Browser::new(&server);
    let (_, asked) = ticket(&elsewhere.get("/connections").await);
    let moved = with(una(&server, &asked), second);
    assert_eq!(back(&mut elsewhere, &assertion(&moved)).await.status(), 303);
    assert_eq!(app.refresh(&server, &refresh).await.status(), 400, "a token for the other company's data");
    assert_eq!(app.exchange(&server, &unspent).await.status(), 400, "a code for the other company's data");
    assert_page(&three.decide(&shown, "approve").await.answer, 403);
}

/// Two of the platform's own are never the same: to join one to the other would give it everything of theirs.
#[tokio::test]
async fn lg_03_one_of_the_platforms_own_is_never_advised_to_be_joined_to_another() {
    let server = server().await;
    let arrive = async |more: Value| {
        let mut browser = Browser::new(&server);
        let (_, ticket) = ticket(&browser.get("/connections").await);
        back(&mut browser, &assertion(&with(una(&server, &ticket), more))).await
    };
    assert_eq!(arrive(json!({})).await.status(), 303);
    let other = json!({ "id": "a-2", "name": "Second", "domain": "second" });
    assert_page(&arrive(json!({ "sub": "u-2", "account": other })).await.answer, 409);
    assert!(count(&server, "email_twice"));
    let account = json!({ "id": "a-3", "name": "Third", "domain": una(&server, &json!({}))["account"]["domain"] });
    assert_page(&arrive(json!({ "sub": "u-3", "email": "three@example.com", "account": account })).await.answer, 409);
    assert!(count(&server, "domain_twice"));
    let store = server.doorway.authority.store();
    let entries = store.ledger(LedgerFilter::default(), 50).await.expect("no fault");
    let told: Vec<_> = entries.iter().filter(|entry| entry.detail.contains("_twice")).collect();
    assert!(told.len() == 2 && told.iter().all(|entry| !entry.detail.contains("link")), "{told:?}");
}

/// The command of the advice is there to be pasted, and its id may be anything that somebody chose.
#[tokio::test]
async fn lg_03_an_id_is_quoted_for_a_shell() {
    let server = server().await;
    let mut browser = Browser::new(&server);
    let (_, asked) = ticket(&browser.get("/connections").await);
    let more = json!({ "sub": "-x$(id)`id`'\"!", "email": "owner@example.com" });
    assert_page(&back(&mut browser, &assertion(&with(una(&server, &asked), more))).await.answer, 409);
    let store = server.doorway.authority.store();
    let newest = store.ledger(LedgerFilter::default(), 1).await.expect("no fault");
    assert!(newest[0].detail.ends_with(r#"--external='-x$(id)`id`'\''"!'"#), "{}", newest[0].detail);
}

#[tokio::test]
async fn in_04_many_who_come_for_the_first_time_at_once_make_one_user() {
    let server = server().await;
    let mut browsers = Vec::new();
    for _ in 0..4 {
        let mut browser = Browser::new(&server);
        let (_, ticket) = ticket(&browser.get("/connections").await);
        browsers.push((browser, assertion(&una(&server, &ticket))));
    }
    let [(b1, a1), (b2, a2), (b3, a3), (b4, a4)] = &mut browsers[..] else { panic!("four") };
    let (p1, p2, p3, p4) = tokio::join!(back(b1, a1), back(b2, a2), back(b3, a3), back(b4, a4));
    for page in [p1, p2, p3, p4] {
        assert_eq!(page.status(), 303, "{}", page.text());
    }
    let users = server.doorway.authority.store().users(None).await.expect("no fault");
    assert_eq!(users.iter().filter(|user| user.external.as_deref() == Some("u-1")).count(), 1);
}

/// A token for one change by the platform.
fn platform_token(server: &TestServer, jti: &str, path: &str, status: &str, more: Value) -> String {
    let now = server.clock.now().0;
    let sub = path.strip_prefix("/platform/").expect("a path of the platform's");
    let claims = json!({
        "iss": "https://app.example.com", "aud": ISSUER, "iat": now, "exp": now + 60, "jti": jti,
        "sub": sub, "status": status,
    });
    jwt(&json!({ "alg": "EdDSA", "typ": "keyfob-platform+jwt" }), &with(claims, more), 7)
}

async fn put(server: &TestServer, path: &str, token: &str, status: &str) -> Answer {
    let request = Request::put(path).header("authorization", format!("Bearer {token}"));
    server.send(request.body(json!({ "status": status }).to_string()).expect("a request")).await
}

#[tokio::test]
async fn rf_10_the_platform_suspends_a_user_and_an_account_and_tokens_stop() {
    let server = server().await;
    let app = server.confidential_app("Listing Lantern").await;
    for (number, path) in ["/platform/users/u-1", "/platform/accounts/a-1"].into_iter().enumerate() {
        let mut browser = Browser::new(&server);
        let (_, asked) = ticket(&browser.get(&app.authorize_url()).await);
        back(&mut browser, &assertion(&una(&server, &asked))).await;
        let consent = browser.get(CONTINUE).await;
        let code = browser.decide(&consent, "approve").await.landing().code();
        let tokens = app.exchange(&server, &code).await;
        let (access, refresh) = (tokens.at("access_token"), tokens.at("refresh_token"));
        assert_eq!(server.call("/v1/identity", &access).await.status(), 200);
        let suspend = platform_token(&server, &format!("s{number}"), path, "suspended", json!({}));
        let answer = put(&server, path, &suspend, "suspended").await;
        assert_eq!((answer.status(), answer.json()), (200, json!({ "status": "suspended" })));
        assert_eq!(server.call("/v1/identity", &access).await.status(), 401, "at once");
        assert_eq!(app.refresh(&server, &refresh).await.status(), 400);
        let mut returning = Browser::new(&server);
        let (_, asked) = ticket(&returning.get("/connections").await);
        let page = back(&mut returning, &assertion(&una(&server, &asked))).await;
        assert_refused(&server, &returning, &page, (403, "inactive"));
        // What was recorded on the way undoes nothing.
        assert_eq!(put(&server, path, &suspend, "active").await.status(), 401);
        let reopen = platform_token(&server, &format!("r{number}"), path, "active", json!({}));
        assert_eq!(put(&server, path, &reopen, "active").await.status(), 200);
        assert_eq!(app.refresh(&server, &refresh).await.status(), 200);
    }
}

#[tokio::test]
async fn rf_10_only_the_platform_suspends() {
    let server = server().await;
    let path = "/platform/users/u-1";
    let now = server.clock.now().0;
    let good = platform_token(&server, "j1", path, "suspended", json!({}));
    assert_eq!(put(&server, path, &good, "suspended").await.status(), 404, "nobody came yet");
    let wrong_type = jwt(&json!({ "alg": "EdDSA", "typ": "keyfob-assertion+jwt" }), &json!({}), 7);
    for token in [
        good.clone(),
        wrong_type,
        platform_token(&server, "j2", path, "suspended", json!({ "aud": "https://other.example.com" })),
        platform_token(&server, "j3", path, "suspended", json!({ "exp": now + 301 })),
        platform_token(&server, "j4", path, "suspended", json!({ "iat": now - 60, "exp": now })),
        platform_token(&server, "j5", path, "suspended", json!({ "jti": null })),
        platform_token(&server, "j7", path, "active", json!({})),
        platform_token(&server, "j8", "/platform/users/u-2", "suspended", json!({})),
        platform_token(&server, "j9", "/platform/accounts/u-1", "suspended", json!({})),
        "abc".to_owned(),
    ] {
        let answer = put(&server, path, &token, "suspended").await;
        assert_eq!((answer.status(), answer.at("error").as_str()), (401, "invalid_token"));
        assert!(answer.header("www-authenticate").is_some());
    }
    let token = platform_token(&server, "j6", path, "suspended", json!({}));
    assert_eq!(put(&server, path, &token, "deleted").await.status(), 400);
    // Where people sign in with passwords there is no such door.
    let local = TestServer::start().await;
    assert_eq!(put(&local, path, &token, "suspended").await.status(), 404);
    assert_eq!(local.get("/sign-in/return?assertion=x").await.status(), 404);
}
