//! The hand-off to a platform's login: rows IN-03, IN-04, IN-05 and JW-03 where people sign in elsewhere.

use super::asserting::{assert_page, authorize_url, grants};
use super::platform::{
    CONTINUE, DECISION, ISSUER, LOGIN, assert_elsewhere, assert_refused, assertion, b64, back, jwt, server, ticket,
    una, with,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keyfob_authority::model::{AppPolicy, LedgerKind, Role};
use keyfob_authority::store::LedgerFilter;
use keyfob_protocol::Clock;
use keyfob_protocol::scope::Scope;
use keyfob_testkit::{Browser, TestServer};
use serde_json::{Value, json};

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
    let code = browser.decide(&consent, "approve").await.landing().code();
    assert!(!waits(&browser), "it waits no longer");
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
    let mut browser = Browser::new(&server);
    for (case, status) in [("other_ticket", 400), ("not_waiting", 403), ("other_browser", 403)] {
        let (_, asked) = ticket(&browser.get(&app.authorize_url()).await);
        let mut other = Browser::new(&server);
        match case {
            "other_ticket" => drop(ticket(&other.get(&app.authorize_url()).await)),
            // It got hold of what waits, but not of the flow cookie.
            "other_browser" => {
                other.cookies = browser.cookies.clone();
                other.cookies.remove("keyfob-flow");
            }
            _ => {}
        }
        let assertion = assertion(&una(&server, &asked));
        let page = back(&mut other, &assertion).await;
        assert_elsewhere(&server, &mut other, &page, (status, case)).await;
        // Whoever finds it in a history or a log can do nothing with it, wherever they are.
        let page = back(&mut browser, &assertion).await;
        assert_refused(&server, &browser, &page, (400, "ticket_used"));
    }
    assert_eq!(server.doorway.authority.store().user_by_external("u-1").await.expect("no fault"), None);
    assert_page(&browser.get("/sign-in/refused?reason=anything").await.answer, 400);
    // Even the whole jar opens no second session.
    let (_, asked) = ticket(&browser.get(&app.authorize_url()).await);
    let assertion = assertion(&una(&server, &asked));
    let mut replay = Browser::new(&server);
    replay.cookies = browser.cookies.clone();
    assert_eq!(back(&mut browser, &assertion).await.status(), 303);
    let page = back(&mut replay, &assertion).await;
    assert_refused(&server, &replay, &page, (400, "ticket_used"));
    assert!(browser.get(CONTINUE).await.has_form(DECISION), "the first one goes on");
}

fn waits(browser: &Browser<'_>) -> bool {
    browser.cookies.keys().any(|name| name.contains("pending"))
}

#[tokio::test]
async fn in_04_the_consent_page_can_be_read_again_until_it_is_decided() {
    let server = server().await;
    let app = server.confidential_app("Listing Lantern").await;
    let mut browser = Browser::new(&server);
    let (_, asked) = ticket(&browser.get(&app.authorize_url()).await);
    back(&mut browser, &assertion(&una(&server, &asked))).await;
    let first = browser.get(CONTINUE).await;
    let again = browser.get(CONTINUE).await;
    assert_eq!(first.hidden(DECISION), again.hidden(DECISION));
    // Another tab goes to the platform meanwhile: what it left with stays when this one decides.
    let fresh = app.authorize_url_with(&[("response_type", "code"), ("prompt", "login")]);
    let (_, newer) = ticket(&browser.get(&fresh).await);
    assert_page(&browser.get(CONTINUE).await.answer, 400);
    assert!(browser.decide(&first, "approve").await.landing().parameter("code").is_some());
    assert!(waits(&browser));
    assert_eq!(back(&mut browser, &assertion(&una(&server, &newer))).await.landing().location, CONTINUE);
    let page = browser.get(CONTINUE).await;
    assert!(browser.decide(&page, "deny").await.landing().parameter("error").is_some());
    assert!(!waits(&browser));
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
    assert_elsewhere(&server, &mut browser, &page, (400, "other_ticket")).await;
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

/// What the platform says of somebody who gave up.
fn gave_up(server: &TestServer, ticket: &Value) -> String {
    let now = server.clock.now().0;
    assertion(&json!({
        "iss": "https://app.example.com", "aud": ISSUER, "ticket": ticket["jti"], "iat": now, "exp": now + 60,
        "error": "access_denied",
    }))
}

/// The app was told that they declined, so the consent page of before must not tell it otherwise.
#[tokio::test]
async fn in_03_who_gives_up_after_a_switch_has_decided_on_the_consent_page_as_well() {
    let server = server().await;
    let app = server.confidential_app("Listing Lantern").await;
    let mut browser = Browser::new(&server);
    let (_, asked) = ticket(&browser.get(&app.authorize_url()).await);
    back(&mut browser, &assertion(&una(&server, &asked))).await;
    let consent = browser.get(CONTINUE).await;
    let (_, asked) = ticket(&browser.decide(&consent, "switch").await);
    let landing = back(&mut browser, &gave_up(&server, &asked)).await.landing();
    assert_eq!(landing.parameter("response").as_deref(), Some("denied"));
    assert_page(&browser.decide(&consent, "approve").await.answer, 400);
    let denied = browser.decide(&consent, "deny").await.landing();
    assert_eq!(denied.location, landing.location);
    let store = server.doorway.authority.store();
    let user = store.user_by_external("u-1").await.expect("no fault").expect("made");
    let entries = store.ledger(LedgerFilter { user: Some(user.id), ..LedgerFilter::default() }, 20).await;
    let entries = entries.expect("no fault");
    let denials: Vec<_> = entries.iter().filter(|entry| entry.kind == LedgerKind::Denied).collect();
    assert_eq!(denials.len(), 1);
    assert_eq!(denials[0].detail, "gave up at the platform");
    // And the other way round: what was approved meanwhile is not denied by giving up.
    let (_, asked) =
        ticket(&browser.get(&app.authorize_url_with(&[("response_type", "code"), ("prompt", "login")])).await);
    back(&mut browser, &assertion(&una(&server, &asked))).await;
    let consent = browser.get(CONTINUE).await;
    let (_, asked) = ticket(&browser.decide(&consent, "switch").await);
    assert!(browser.decide(&consent, "approve").await.landing().parameter("code").is_some());
    assert_page(&back(&mut browser, &gave_up(&server, &asked)).await.answer, 400);
}

#[tokio::test]
async fn in_03_who_gives_up_at_the_platform_denies_in_the_apps_dialect() {
    let server = server().await;
    let app = server.confidential_app("Listing Lantern").await;
    for (response_type, parameter, value) in [("auth_code", "response", "denied"), ("code", "error", "access_denied")] {
        let mut browser = Browser::new(&server);
        let url = app.authorize_url_with(&[("response_type", response_type), ("state", "s1")]);
        let (_, ticket) = ticket(&browser.get(&url).await);
        let gave_up = gave_up(&server, &ticket);
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

/// As large as a request may be (6 KiB when sealed), it goes through the cookies whole, and they through the limits of headers.
#[tokio::test]
async fn az_14_the_largest_request_waits_in_the_browser_whole() {
    let server = server().await;
    let redirect_uri = format!("https://app.example.com/{}", "r".repeat(2048 - 24));
    let names: Vec<_> = (100..300).map(|number| format!("s{number}")).collect();
    let all = Scope::parse(&names.join(" ")).expect("a scope");
    let policy = AppPolicy { allowed_scope: all, ..AppPolicy::default() };
    let app = server.app_at("Listing Lantern", policy, &[&redirect_uri]).await;
    let state = "s".repeat(2048);
    let mut browser = Browser::new(&server);
    let mut accepted = None;
    for count in 1.. {
        let scope = names[..count].join(" ");
        let url = authorize_url(&[
            ("client_id", app.client_id()),
            ("redirect_uri", &redirect_uri),
            ("response_type", "code"),
            ("state", &state),
            ("scope", &scope),
            ("prompt", "login"),
        ]);
        let page = browser.get(&url).await;
        if !page.landing().location.starts_with(LOGIN) {
            assert!(page.landing().location.contains("?error=invalid_request"), "{}", page.landing().location);
            break;
        }
        accepted = Some((scope, ticket(&page).1));
    }
    let (scope, asked) = accepted.expect("a shorter one");
    let kept = |browser: &Browser<'_>| -> usize {
        let parts = browser.cookies.iter().filter(|(name, _)| name.contains("pending"));
        parts.map(|(_, value)| value.len()).inspect(|length| assert!(*length <= 3800)).sum()
    };
    assert!(kept(&browser) > 6000, "{}", kept(&browser));
    assert_eq!(back(&mut browser, &assertion(&una(&server, &asked))).await.landing().location, CONTINUE);
    assert!((6000..=6 * 1024).contains(&kept(&browser)), "{}", kept(&browser));
    let consent = browser.get(CONTINUE).await;
    let landing = browser.decide(&consent, "approve").await.landing();
    assert!(landing.location.starts_with(&redirect_uri));
    assert_eq!(landing.parameter("state"), Some(state));
    let granted = server.store().grants(Default::default(), 10).await.expect("no fault");
    assert_eq!(granted[0].scope.to_string(), scope);
    assert!(!waits(&browser));
}

/// See docs/divergences.md: a cookie is the one place where it may wait, since it must come back from another site.
#[tokio::test]
async fn az_12_the_request_that_waits_in_a_cookie_is_sealed_and_in_no_url() {
    let server = server().await;
    let app = server.confidential_app("Listing Lantern").await;
    let mut browser = Browser::new(&server);
    let away = browser.get(&app.authorize_url_with(&[("response_type", "code"), ("state", "canary-state")])).await;
    let (_, asked) = ticket(&away);
    let returned = back(&mut browser, &assertion(&una(&server, &asked))).await;
    for page in [&away, &returned] {
        let cookies = page.answer.headers.get_all("set-cookie").iter().map(|cookie| cookie.to_str().expect("text"));
        let waiting: Vec<_> = cookies.filter(|cookie| cookie.starts_with("keyfob-pending-0=")).collect();
        let [cookie] = waiting[..] else { panic!("{waiting:?}") };
        assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax; Max-Age=1200"), "{cookie}");
        let sealed = cookie.split(['=', ';']).nth(1).expect("a value");
        assert!(!page.landing().location.contains(&sealed[..24]));
        let bytes = URL_SAFE_NO_PAD.decode(sealed).expect("base64");
        assert!(!bytes.windows(6).any(|part| part == b"canary"));
    }
    assert_eq!(grants(&server).await, 0, "no row is written before the decision");
    let sealed = browser.cookies["keyfob-pending-0"].clone();
    for place in [0, sealed.len() / 2, sealed.len() - 2] {
        let mut altered = sealed.clone().into_bytes();
        altered[place] = if altered[place] == b'A' { b'B' } else { b'A' };
        let altered = String::from_utf8(altered).expect("text");
        browser.cookies.insert("keyfob-pending-0".to_owned(), altered);
        assert_page(&browser.get(CONTINUE).await.answer, 400);
    }
    browser.cookies.insert("keyfob-pending-0".to_owned(), sealed);
    let consent = browser.get(CONTINUE).await;
    let landing = browser.decide(&consent, "approve").await.landing();
    assert_eq!(landing.parameter("state").as_deref(), Some("canary-state"));
}
