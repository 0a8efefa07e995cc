//! Rows SE-01, SE-02 and SE-05: cookies, headers of every page, and no target taken from anyone.

use super::asserting::{assert_page, authorize_url, send};
use http::Request;
use keyfob_authority::model::AppPolicy;
use keyfob_protocol::redirect_uri::{RedirectUriRules, RegisteredRedirectUri};
use keyfob_server::Options;
use keyfob_testkit::{Answer, Browser, TestServer, TestServerOptions};

const HOUR: i64 = 3600;

async fn secure_server() -> TestServer {
    let doorway = Options::default();
    TestServer::start_with(TestServerOptions { doorway, ..TestServerOptions::default() }).await
}

fn cookies_set(answer: &Answer) -> Vec<String> {
    let values = answer.headers.get_all("set-cookie").iter();
    values.map(|value| value.to_str().expect("a text").to_owned()).collect()
}

/// Name, value length, and everything behind the value.
fn parts(cookie: &str) -> (String, usize, String) {
    let (name, rest) = cookie.split_once('=').expect("a pair");
    let (value, attributes) = rest.split_once(';').expect("attributes");
    assert!(value.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)), "{cookie}");
    (name.to_owned(), value.len(), attributes.to_owned())
}

#[tokio::test]
async fn se_01_cookies_have_every_attribute_in_both_modes() {
    for (server, prefix, secure) in
        [(secure_server().await, "__Host-", "; Secure"), (TestServer::start().await, "", "")]
    {
        let app = server.confidential_app("Listing Lantern").await;
        let mut browser = Browser::new(&server);
        let page = browser.get(&app.authorize_url()).await;
        let consent = browser.sign_in(&page, &server.owner).await;
        let list = browser.get("/connections").await;
        let out = browser.submit(&list, "/sign-out", &[]).await;
        let attributes = format!(" Path=/; HttpOnly; SameSite=Lax{secure}");
        let half_a_year = format!("{attributes}; Max-Age=15552000");
        for (answer, expected) in [
            (&page.answer, &[("keyfob-flow", &attributes)][..]),
            (&consent.answer, &[("keyfob-session", &attributes), ("keyfob-known", &half_a_year)]),
        ] {
            let set = cookies_set(answer);
            assert_eq!(set.len(), expected.len(), "{set:?}");
            for (cookie, (name, attributes)) in set.iter().zip(expected) {
                let (found, length, found_attributes) = parts(cookie);
                assert_eq!((found, &found_attributes), (format!("{prefix}{name}"), *attributes));
                // 256 bits in base 62 or 64.
                assert!(length >= 43, "{set:?}");
            }
        }
        let forget = format!("{prefix}keyfob-session=;{attributes}; Max-Age=0");
        assert_eq!(cookies_set(&out.answer), [forget]);
        assert!(cookies_set(&list.answer).is_empty());
    }
}

#[tokio::test]
async fn se_01_without_the_prefix_a_cookie_counts_only_on_a_plain_loopback_listener() {
    let server = secure_server().await;
    let mut browser = Browser::new(&server);
    let page = browser.get("/connections").await;
    browser.sign_in(&page, &server.owner).await;
    assert!(browser.get("/connections").await.has_form("/sign-out"));
    let value = browser.cookies.remove("__Host-keyfob-session").expect("signed in");
    browser.cookies.insert("keyfob-session".to_owned(), value);
    assert!(browser.get("/connections").await.has_form("/sign-in"));
}

async fn list_with_cookies(server: &TestServer, headers: &[&[u8]]) -> Answer {
    let request = headers.iter().fold(Request::get("/connections"), |request, value| request.header("cookie", *value));
    server.send(request.body(String::new()).expect("a request")).await
}

#[tokio::test]
async fn se_01_a_planted_second_cookie_is_nobodys_and_other_cookies_do_not_matter() {
    let server = TestServer::start().await;
    let mut browser = Browser::new(&server);
    let page = browser.get("/connections").await;
    browser.sign_in(&page, &server.owner).await;
    let session = browser.cookies["keyfob-session"].clone();
    let own = format!("keyfob-session={session}");
    let signed_in = |answer: Answer| answer.text().contains("owner@example.com");
    assert!(signed_in(list_with_cookies(&server, &[own.as_bytes()]).await));
    for mixed in [format!("a=b; {own}; c=d"), format!("a=b;{own}"), format!("x; =; {own};")] {
        assert!(signed_in(list_with_cookies(&server, &[mixed.as_bytes()]).await), "{mixed}");
    }
    // A neighbour's cookie in whatever bytes must not sign anybody out.
    let neighbour = [b"name=Jos\xc3\xa9; ".as_slice(), own.as_bytes(), b"; x=\xff"].concat();
    assert!(signed_in(list_with_cookies(&server, &[&neighbour]).await));
    assert!(signed_in(list_with_cookies(&server, &[b"name=\xc3\xa9", own.as_bytes()]).await));
    for planted in [
        format!("{own}; keyfob-session=AAAA"),
        format!("keyfob-session=AAAA; {own}"),
        format!("{own}; {own}"),
        format!("keyfob-session={session}x"),
        format!("keyfob-session=\"{session}\""),
        format!("KEYFOB-SESSION={session}"),
        "keyfob-session=".to_owned(),
        format!("keyfob-session={}", "A".repeat(5000)),
    ] {
        assert!(!signed_in(list_with_cookies(&server, &[planted.as_bytes()]).await), "{planted}");
    }
    assert!(!signed_in(list_with_cookies(&server, &[own.as_bytes(), b"keyfob-session=AAAA"]).await));
}

#[tokio::test]
async fn se_01_idle_and_absolute_limits_are_the_servers() {
    let server = TestServer::start().await;
    let mut browser = Browser::new(&server);
    let page = browser.get("/connections").await;
    browser.sign_in(&page, &server.owner).await;
    let other = browser.cookies.clone();
    server.clock.advance(12 * HOUR - 1);
    assert!(browser.get("/connections").await.has_form("/sign-out"));
    server.clock.advance(12 * HOUR);
    assert!(browser.get("/connections").await.has_form("/sign-in"), "unseen for 12 hours");
    // Seen every eleven hours, it still ends after seven days.
    let page = browser.get("/connections").await;
    browser.sign_in(&page, &server.owner).await;
    let mut age = 0;
    while age + 11 * HOUR < 7 * 24 * HOUR {
        server.clock.advance(11 * HOUR);
        age += 11 * HOUR;
        assert!(browser.get("/connections").await.has_form("/sign-out"), "{age}");
    }
    server.clock.advance(7 * 24 * HOUR - age);
    assert!(browser.get("/connections").await.has_form("/sign-in"));
    let mut earlier = Browser::new(&server);
    earlier.cookies = other;
    assert!(earlier.get("/connections").await.has_form("/sign-in"));
}

/// Every kind of page, with the origin that its forms may lead to.
async fn every_page(server: &TestServer) -> Vec<(&'static str, Answer, Option<&'static str>)> {
    let app = server.confidential_app("Listing Lantern").await;
    let mut browser = Browser::new(server);
    let (url, id) = (app.authorize_url(), app.client_id());
    let sign_in = browser.get(&url).await;
    let wrong = browser.sign_in_as(&sign_in, "owner@example.com", "wrong").await;
    let consent = browser.sign_in(&sign_in, &server.owner).await;
    let list = browser.get("/connections").await;
    let switch = browser.decide(&consent, "switch").await;
    let forged = browser.post("/oauth/authorize/decision", &[("decision", "approve")]).await;
    let odd = browser.post("/oauth/authorize/decision", &[("decision", "odd")]).await;
    let out = browser.submit(&list, "/sign-out", &[]).await;
    let foreign = browser.submit(&list, "/sign-out", &[]).await;
    let other_redirect = authorize_url(&[("client_id", id), ("redirect_uri", "https://evil.example")]);
    let long = format!("{url}&x={}", "x".repeat(9000));
    vec![
        ("sign-in", sign_in.answer, None),
        ("wrong password", wrong.answer, None),
        ("consent", consent.answer, Some("https://app.example.com")),
        ("connections", list.answer, None),
        ("switch", switch.answer, None),
        ("invalid interaction", forged.answer, None),
        ("malformed", odd.answer, None),
        ("signed out", out.answer, None),
        ("foreign form", foreign.answer, None),
        ("unknown client", server.get("/oauth/authorize?client_id=x").await, None),
        ("unregistered redirect", server.get(&other_redirect).await, None),
        ("not a form", send(server, "POST", "/sign-in", &[]).await, None),
        ("not found", server.get("/nothing").await, None),
        ("too long", server.get(&long).await, None),
        ("bad encoding", server.get("/oauth/authorize?client_id=%zz").await, None),
    ]
}

#[tokio::test]
async fn se_02_every_page_carries_every_header() {
    for (server, hsts) in [(secure_server().await, Some("max-age=31536000")), (TestServer::start().await, None)] {
        for (name, answer, target) in every_page(&server).await {
            assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"), "{name}");
            let target = target.map(|origin| format!(" {origin}")).unwrap_or_default();
            let csp = format!(
                "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'{target}; frame-ancestors 'none'; base-uri 'none'"
            );
            assert_eq!(answer.header("content-security-policy"), Some(csp.as_str()), "{name}");
            for (header, value) in [
                ("x-frame-options", Some("DENY")),
                ("x-content-type-options", Some("nosniff")),
                ("referrer-policy", Some("no-referrer")),
                ("cache-control", Some("no-store")),
                ("strict-transport-security", hsts),
                ("location", None),
            ] {
                assert_eq!(answer.header(header), value, "{name}: {header}");
            }
            assert!(answer.header("x-request-id").is_some_and(|id| id.len() >= 8), "{name}");
            let text = answer.text();
            assert!(!text.contains("<script") && !text.contains("style=") && !text.contains("<style"), "{name}");
            for (attribute, _) in [("src=\"", 0), ("href=\"", 0), ("action=\"", 0)] {
                for value in text.split(attribute).skip(1) {
                    let own = (value.starts_with('/') && !value.starts_with("//")) || value.starts_with("data:");
                    assert!(own, "{name}: {attribute}{}", &value[..value.len().min(40)]);
                }
            }
        }
    }
}

#[tokio::test]
async fn se_02_form_action_names_the_redirect_target_as_browsers_read_it() {
    let server = TestServer::start().await;
    // A policy's host cannot be an IPv6 address, and browsers match no IPv4 address but 127.0.0.1: there the scheme has to do.
    for (redirect_uri, source) in [
        ("https://app.example.com/callback", "https://app.example.com"),
        ("https://app.example.com:8443/cb?x=1", "https://app.example.com:8443"),
        ("https://app.example.com:443/cb", "https://app.example.com"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
        ("http://127.0.0.1:3000/cb", "http://127.0.0.1:3000"),
        ("http://[::1]:3000/cb", "http:"),
        ("https://192.0.2.7/cb", "https:"),
        ("https://[2001:db8::1]/cb", "https:"),
    ] {
        let app = server.app_at("Listing Lantern", AppPolicy::default(), &[redirect_uri]).await;
        let consent = Browser::new(&server).consent(&app.authorize_url()).await;
        let csp = consent.answer.header("content-security-policy").expect("a policy").to_owned();
        let directive = csp.split("; ").find(|part| part.starts_with("form-action")).expect("form-action");
        assert_eq!(directive, format!("form-action 'self' {source}"), "{redirect_uri}");
    }
    let native = RegisteredRedirectUri::register("com.example.app:/cb", RedirectUriRules::Native).expect("native");
    assert_eq!(native.origin(), "com.example.app:");
}

#[tokio::test]
async fn se_05_no_target_is_taken_from_anyone() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    for target in
        ["//evil.example", "/\\evil.example", "https://evil.example", "%2F%2Fevil.example", "/%09/evil.example"]
    {
        for name in ["next", "redirect", "return_to", "continue", "target", "url", "action"] {
            let mut browser = Browser::new(&server);
            let query = format!("?{name}={target}");
            let page = browser.get(&format!("/connections{query}")).await;
            assert!(!page.text().contains("evil.example"), "{}", page.text());
            let csrf = page.hidden("/sign-in")["csrf"].clone();
            let (email, password) = ("owner@example.com", server.owner.password.as_str());
            let fields = [("csrf", csrf.as_str()), ("email", email), ("password", password), (name, target)];
            let signed_in = browser.post(&format!("/sign-in{query}"), &fields).await;
            assert_eq!(signed_in.landing().location, "/connections");
            if name != "next" {
                break;
            }
            let list = browser.get("/connections").await;
            let out = browser.submit(&list, "/sign-out", &[(name, target)]).await;
            assert_eq!((out.status(), out.answer.header("location")), (200, None));
            assert!(!out.text().contains("evil.example"));
        }
    }
    // In place of an interaction id they are none.
    let mut browser = Browser::new(&server);
    browser.get(&app.authorize_url()).await;
    for target in ["//evil.example", "/\\evil.example", "https://evil.example"] {
        let fields = [("interaction", target), ("email", "owner@example.com"), ("password", "x")];
        assert_page(&browser.post("/oauth/authorize/sign-in", &fields).await.answer, 400);
    }
}
