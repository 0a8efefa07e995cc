//! Row AZ-14 and the sizes of row T-02, at the limit and one beyond. Nothing is cut.

use super::asserting::{assert_page, assert_reveals_nothing, authorize_url};
use http::Request;
use keyfob_authority::model::AppPolicy;
use keyfob_protocol::form;
use keyfob_testkit::{Answer, Browser, TestServer};

/// `url` with a parameter nobody knows, so that it has exactly `length` bytes.
fn padded(url: &str, length: usize) -> String {
    let url = format!("{url}&padding=");
    format!("{url}{}", "p".repeat(length - url.len()))
}

#[tokio::test]
async fn az_14_a_target_of_8_kib_is_read_whole_and_one_byte_more_is_414() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let state = "%".repeat(2048);
    let url = app.authorize_url_with(&[("response_type", "auth_code"), ("state", &state)]);
    let landing = Browser::new(&server).connect(&padded(&url, 8192)).await;
    assert_eq!(landing.parameter("state"), Some(state));
    assert_page(&server.get(&padded(&url, 8193)).await, 414);
    // Each parameter may be the one that is too long; none of them is dropped to make the rest fit.
    for name in ["client_id", "redirect_uri", "state", "scope", "prompt", "code_challenge", "nonce", "x"] {
        let huge = "v".repeat(8192);
        let answer = server.get(&authorize_url(&[("client_id", app.client_id()), (name, &huge)])).await;
        assert_page(&answer, 414);
    }
}

/// A request whose header names and values have `bytes` bytes together.
fn with_headers(uri: &str, bytes: usize) -> Request<String> {
    let names = ["x-a", "x-b", "x-c"];
    let values = bytes - names.iter().map(|name| name.len()).sum::<usize>();
    let each = values / 3;
    let request = Request::get(uri).header(names[0], "a".repeat(each)).header(names[1], "b".repeat(each));
    request.header(names[2], "c".repeat(values - 2 * each)).body(String::new()).expect("a request")
}

#[tokio::test]
async fn az_14_headers_of_16_kib_are_read_and_one_byte_more_is_431() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let url = app.authorize_url();
    assert_eq!(server.send(with_headers(&url, 16 * 1024)).await.status(), 200);
    assert_page(&server.send(with_headers(&url, 16 * 1024 + 1)).await, 431);
    let api = server.send(with_headers("/v1/oauthApps", 16 * 1024 + 1)).await;
    assert_eq!((api.status(), api.json()["errorMessage"].is_string()), (431, true));
    let token = server.send(with_headers("/oauth/token", 16 * 1024 + 1)).await;
    assert_eq!((token.status(), token.header("content-type")), (431, Some("application/json")));
    assert_reveals_nothing(&token);
}

async fn post(server: &TestServer, uri: &str, body: String) -> Answer {
    let request = Request::post(uri).header("content-type", "application/x-www-form-urlencoded");
    server.send(request.body(body).expect("a request")).await
}

#[tokio::test]
async fn az_14_a_body_of_64_kib_is_read_and_one_byte_more_is_413() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let form = |length: usize| {
        let url = app.authorize_url();
        let body = format!("{}&padding=", url.split_once('?').expect("a query").1);
        format!("{body}{}", "p".repeat(length - body.len()))
    };
    assert_eq!(post(&server, "/oauth/authorize", form(64 * 1024)).await.status(), 200);
    for uri in [
        "/oauth/authorize",
        "/oauth/authorize/sign-in",
        "/oauth/authorize/decision",
        "/sign-in",
        "/sign-out",
        "/connections/revoke",
    ] {
        assert_page(&post(&server, uri, form(64 * 1024 + 1)).await, 413);
        assert_ne!(post(&server, uri, form(64 * 1024)).await.status(), 413, "{uri}");
    }
}

#[tokio::test]
async fn az_12_the_largest_request_fits_a_sealed_interaction_of_6_kib() {
    let server = TestServer::start().await;
    let redirect_uri = format!("https://app.example.com/{}", "r".repeat(2048 - 24));
    let app = server.app_at("Listing Lantern", AppPolicy::default(), &[&redirect_uri]).await;
    let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    let pairs = [
        ("client_id", app.client_id()),
        ("redirect_uri", &redirect_uri),
        ("response_type", "auth_code"),
        ("state", &"s".repeat(2048)),
        ("code_challenge", challenge),
        ("code_challenge_method", "S256"),
        ("prompt", "login"),
    ];
    let mut browser = Browser::new(&server);
    let consent = browser.consent(&authorize_url(&pairs)).await;
    let sealed = consent.hidden("/oauth/authorize/decision")["interaction"].clone();
    assert!((5000..=6 * 1024).contains(&sealed.len()), "{}", sealed.len());
    let landing = browser.decide(&consent, "approve").await.landing();
    assert_eq!(landing.parameter("state").map(|state| state.len()), Some(2048));
}

#[tokio::test]
async fn az_12_a_request_too_large_to_seal_is_refused_to_the_app() {
    let server = TestServer::start().await;
    let redirect_uri = format!("https://app.example.com/{}", "r".repeat(2048 - 24));
    let names: Vec<_> = (0..200).map(|n| format!("scope-{n}")).collect();
    let scope = keyfob_protocol::scope::Scope::parse(&names.join(" ")).expect("a scope");
    let policy = AppPolicy { allowed_scope: scope.clone(), default_scope: scope, ..AppPolicy::default() };
    let app = server.app_at("Listing Lantern", policy, &[&redirect_uri]).await;
    let state = "s".repeat(2048);
    let fields = [("client_id", app.client_id()), ("redirect_uri", &redirect_uri), ("response_type", "code")];
    let answer = server.get(&authorize_url(&[&fields[..], &[("state", &state)]].concat())).await;
    let location = answer.header("location").expect("a redirect");
    assert!(location.contains("?error=invalid_request&error_description="), "{location}");
    assert!(location.contains(&form::encode([("state", state.as_str())])), "{location}");
}
