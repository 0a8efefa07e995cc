//! An OpenID provider that is down, changes its keys or says things that are not so: row AZ-16 where people sign in there.

use super::asserting::{assert_page, assert_refused_to_app};
use super::logs::Captured;
use super::platform::{CONTINUE, assert_refused, count};
use super::provider::{self, Asked, PROVIDER, Provider, answered, back, says, server, signed, tokens, una};
use keyfob_protocol::Dialect;
use keyfob_testkit::{Browser, TestServer};
use serde_json::json;

const DISCOVERY: &str = "/.well-known/openid-configuration";

#[tokio::test]
async fn az_16_the_app_is_told_when_the_provider_is_down_at_the_departure() {
    let provider = Provider::new();
    provider.answers(DISCOVERY, (0, "connection refused"));
    // It starts all the same.
    let server = TestServer::start_with(provider::options(&provider, provider::settings())).await;
    assert_eq!(server.get("/readyz").await.status(), 200);
    let app = server.confidential_app("Listing Lantern").await;
    let url = app.authorize_url_with(&[("response_type", "code"), ("state", "s1")]);
    for answer in [(0, "timed out"), (500, "oops"), (200, "<html>"), (200, "{}"), (302, "")] {
        provider.answers(DISCOVERY, answer);
        let told = Browser::new(&server).get(&url).await;
        assert_refused_to_app(&told.answer, Dialect::OAuth, "temporarily_unavailable", Some("s1"));
        let page = Browser::new(&server).get("/connections").await;
        assert_page(&page.answer, 503);
        server.clock.advance(5);
    }
    assert!(count(&server, "provider_down"));
    // A failure is remembered for some seconds, so that nobody waits for each try.
    let before = provider.asked(DISCOVERY);
    for _ in 0..3 {
        Browser::new(&server).get(&url).await;
    }
    assert_eq!(provider.asked(DISCOVERY), before + 1);
    provider.heals();
    server.clock.advance(5);
    Asked::of(&Browser::new(&server).get(&url).await);
}

#[tokio::test]
async fn az_16_the_app_is_told_when_the_provider_is_down_at_the_return() {
    let (captured, _guard) = Captured::start();
    let (server, provider) = server().await;
    let app = server.confidential_app("Listing Lantern").await;
    let url = app.authorize_url_with(&[("response_type", "code"), ("state", "s1")]);
    for (endpoint, answer) in [
        ("/token", (0, "timed out")),
        ("/token", (500, "oops")),
        ("/token", (503, "{\"error\":\"server_error\"}")),
        ("/token", (200, "<html>")),
        ("/token", (400, "<html>")),
        ("/token", (302, "")),
        ("/jwks", (0, "connection refused")),
        ("/jwks", (200, "{\"keys\":7}")),
    ] {
        let mut browser = Browser::new(&server);
        let asked = Asked::of(&browser.get(&url).await);
        provider.answers(endpoint, answer);
        let told = says(&mut browser, &provider, &asked, &una(&server, &asked)).await;
        assert_refused_to_app(&told.answer, Dialect::OAuth, "temporarily_unavailable", Some("s1"));
        assert!(!browser.cookies.contains_key("keyfob-session"));
        provider.heals();
        server.clock.advance(5);
    }
    for error in ["server_error", "temporarily_unavailable"] {
        let mut browser = Browser::new(&server);
        let asked = Asked::of(&browser.get(&url).await);
        let told = back(&mut browser, &[("error", error), ("state", asked.get("state"))]).await;
        assert_refused_to_app(&told.answer, Dialect::OAuth, "temporarily_unavailable", Some("s1"));
    }
    // Without an app to tell, a page.
    let mut browser = Browser::new(&server);
    let asked = Asked::of(&browser.get("/connections").await);
    provider.answers("/token", (500, "oops"));
    let page = says(&mut browser, &provider, &asked, &una(&server, &asked)).await;
    assert_page(&page.answer, 503);
    assert!(count(&server, "provider_down") && !count(&server, "fault"));
    // To the app and to the user alike.
    for line in ["a request failed, and its app is told", "a request failed "] {
        let logged = captured.text().lines().any(|it| it.contains(line) && it.contains("reason=\"provider_down\""));
        assert!(logged, "{line}: {}", captured.text());
    }
}

#[tokio::test]
async fn km_02_a_new_key_of_the_providers_is_found_and_an_invented_one_is_no_load() {
    let (server, provider) = server().await;
    let app = server.confidential_app("Listing Lantern").await;
    let arrive = async |seed: u8| {
        let mut browser = Browser::new(&server);
        let asked = Asked::of(&browser.get(&app.authorize_url()).await);
        let token = signed(&json!({ "alg": "EdDSA", "kid": format!("k{seed}") }), &una(&server, &asked), seed);
        let page = answered(&mut browser, &provider, &asked, tokens(&token)).await;
        match page.status() {
            303 => assert_eq!(page.landing().location, CONTINUE),
            _ => assert_refused(&server, &browser, &page, (400, "unknown_key")),
        }
        page.status()
    };
    assert_eq!((arrive(1).await, provider.asked("/jwks")), (303, 1));
    provider.now(|script| script.published = vec![1, 2]);
    // Its keys were read less than a minute ago.
    assert_eq!((arrive(2).await, provider.asked("/jwks")), (400, 1));
    server.clock.advance(60);
    assert_eq!((arrive(2).await, provider.asked("/jwks")), (303, 2));
    for _ in 0..3 {
        assert_eq!(arrive(9).await, 400);
    }
    assert_eq!(provider.asked("/jwks"), 2);
    // A key that it withdraws is good for an hour at most, and for as long as its set cannot be read.
    provider.now(|script| script.published = vec![2]);
    server.clock.advance(3599);
    assert_eq!((arrive(1).await, provider.asked("/jwks")), (303, 2));
    provider.answers("/jwks", (500, "oops"));
    server.clock.advance(1);
    assert_eq!((arrive(2).await, provider.asked("/jwks")), (303, 3));
    provider.heals();
    server.clock.advance(5);
    assert_eq!((arrive(1).await, provider.asked("/jwks")), (400, 4));
}

#[tokio::test]
async fn in_04_a_discovery_document_that_leads_elsewhere_is_not_followed() {
    for (name, value) in [
        ("issuer", "https://evil.example.com".to_owned()),
        ("issuer", format!("{PROVIDER}/")),
        ("authorization_endpoint", "http://idp.example.com/authorize".to_owned()),
        ("token_endpoint", "http://idp.example.com/token".to_owned()),
        ("token_endpoint", "file:///etc/passwd".to_owned()),
        ("jwks_uri", "http://169.254.169.254/jwks".to_owned()),
    ] {
        let (server, provider) = server().await;
        provider.now(|script| script.metadata[name] = json!(value));
        assert_page(&Browser::new(&server).get("/connections").await.answer, 503);
    }
    // It may lie on another host, and have a query.
    let (server, provider) = server().await;
    let elsewhere = "https://login.example.com/authorize?tenant=1";
    provider.now(|script| script.metadata["authorization_endpoint"] = json!(elsewhere));
    let page = Browser::new(&server).get("/connections").await;
    assert!(page.landing().location.starts_with(&format!("{elsewhere}&response_type=code&")));
}
