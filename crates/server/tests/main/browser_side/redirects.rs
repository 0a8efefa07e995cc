//! Rows RD-01 to RD-07: golden redirects.

use super::asserting::{assert_page, authorize_url, grants};
use keyfob_authority::model::AppPolicy;
use keyfob_protocol::redirect_uri::RedirectUriRules;
use keyfob_testkit::{Browser, REDIRECT_URI, TestServer};
use url::Url;

const FUB: [(&str, &str); 2] = [("response_type", "auth_code"), ("state", "st-1")];
const OAUTH: [(&str, &str); 2] = [("response_type", "code"), ("state", "st-1")];
const ISS: &str = "iss=https%3A%2F%2Fauth.example.com";

#[tokio::test]
async fn rd_01_a_followupboss_approval_is_response_code_state_and_nothing_else() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let landing = Browser::new(&server).connect(&app.authorize_url_with(&FUB)).await;
    let code = landing.code();
    assert!(code.len() <= 200 && code.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'), "{code}");
    assert_eq!(landing.location, format!("{REDIRECT_URI}?response=approved&code={code}&state=st-1"));
}

#[tokio::test]
async fn rd_02_a_followupboss_denial_is_response_and_state_and_ends_the_interaction() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let mut browser = Browser::new(&server);
    let consent = browser.consent(&app.authorize_url_with(&FUB)).await;
    let denied = browser.decide(&consent, "deny").await;
    assert_eq!(denied.landing().location, format!("{REDIRECT_URI}?response=denied&state=st-1"));
    // Reuse of the interaction: another decision is refused, now and later.
    assert_page(&browser.decide(&consent, "approve").await.answer, 400);
    server.clock.advance(16 * 60);
    assert_page(&browser.decide(&consent, "deny").await.answer, 400);
    assert_eq!(grants(&server).await, 1, "the denial itself");

    let refused = [&FUB[..], &[("prompt", "none")]].concat();
    let location = browser.get(&app.authorize_url_with(&refused)).await.landing().location;
    assert_eq!(location, format!("{REDIRECT_URI}?response=denied&error=invalid_request&state=st-1"));
}

#[tokio::test]
async fn az_04_a_native_app_may_be_at_any_port_of_its_loopback_address() {
    let server = TestServer::start().await;
    let native = AppPolicy { public: true, redirect_uris: RedirectUriRules::Native, ..AppPolicy::default() };
    let registered = ["http://127.0.0.1/callback?app=1", "http://[::1]:7000", "com.example.app:/back"];
    let app = server.app_at("Pocket Lantern", native.clone(), &registered).await;
    let at = |uri: &str| {
        let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        let fields = [("code_challenge", challenge), ("code_challenge_method", "S256"), ("client_id", app.client_id())];
        authorize_url(&[&OAUTH[..], &fields, &[("redirect_uri", uri)]].concat())
    };
    for good in [
        "http://127.0.0.1/callback?app=1",
        "http://127.0.0.1:1/callback?app=1",
        "http://127.0.0.1:51234/callback?app=1",
        "http://127.0.0.1:65535/callback?app=1",
        "http://[::1]",
        "http://[::1]:40000",
        "com.example.app:/back",
    ] {
        let landing = Browser::new(&server).connect(&at(good)).await;
        assert!(landing.location.starts_with(good), "{}", landing.location);
        let code = landing.code();
        let fields = |uri| {
            let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
            [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", uri), ("code_verifier", verifier)]
        };
        // At the exchange it is the very one of the request (matrix TK-08).
        if good.contains("51234") {
            let other_port = app.post(&server, &fields("http://127.0.0.1:51235/callback?app=1")).await;
            assert_eq!(other_port.status(), 400, "{}", other_port.text());
        } else {
            assert_eq!(app.post(&server, &fields(good)).await.status(), 200);
        }
    }
    for bad in [
        "http://127.0.0.1:0/callback?app=1",
        "http://127.0.0.1:080/callback?app=1",
        "http://127.0.0.1:65536/callback?app=1",
        "http://127.0.0.1:/callback?app=1",
        "http://127.0.0.1:+80/callback?app=1",
        "http://127.0.0.1:80x/callback?app=1",
        "http://127.0.0.1:80@evil.example/callback?app=1",
        "http://127.0.0.1.evil.example/callback?app=1",
        "http://127.0.0.12/callback?app=1",
        "http://127.0.0.2:80/callback?app=1",
        "http://localhost:80/callback?app=1",
        "https://127.0.0.1:80/callback?app=1",
        "http://127.0.0.1:80/callback?app=2",
        "http://127.0.0.1:80/callback",
        "http://127.0.0.1:80/Callback?app=1",
        "http://[::1]:40000/",
        "http://[::2]:40000",
        "com.example.app:8000/back",
    ] {
        assert_page(&Browser::new(&server).get(&at(bad)).await.answer, 400);
    }
    for policy in
        [AppPolicy { public: false, ..native.clone() }, AppPolicy { redirect_uris: RedirectUriRules::Web, ..native }]
    {
        let app = server.app_at("Other", policy, &["http://127.0.0.1/callback"]).await;
        let moved = app.authorize_url_with(&OAUTH).replace("127.0.0.1", "127.0.0.1%3A5000");
        assert_page(&Browser::new(&server).get(&moved).await.answer, 400);
    }
}

/// A client that takes a parameter named `response` for a JARM reply, as strict libraries do, and checks `iss` (RFC 9207).
fn strict_client(location: &str) -> Result<String, &'static str> {
    let url = Url::parse(location).expect("a URL");
    let values =
        |name: &str| url.query_pairs().filter(|(n, _)| n == name).map(|(_, v)| v.into_owned()).collect::<Vec<_>>();
    if !values("response").is_empty() {
        return Err("a JARM reply");
    }
    if values("iss") != ["https://auth.example.com"] {
        return Err("another issuer");
    }
    if values("state") != ["st-1"] {
        return Err("another state");
    }
    match values("code").as_slice() {
        [code] if values("error").is_empty() => Ok(code.clone()),
        _ => Err("no code"),
    }
}

#[tokio::test]
async fn rd_03_a_strict_client_completes_the_standard_flow() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let landing = Browser::new(&server).connect(&app.authorize_url_with(&OAUTH)).await;
    let code = strict_client(&landing.location).expect("a standard answer");
    assert_eq!(landing.location, format!("{REDIRECT_URI}?code={code}&state=st-1&{ISS}"));
    assert_eq!(app.exchange(&server, &code).await.status(), 200);
    assert_eq!(strict_client(&landing.location.replace(ISS, "")), Err("another issuer"));
    assert_eq!(strict_client(&landing.location.replace("auth.example", "evil.example")), Err("another issuer"));
}

#[tokio::test]
async fn rd_04_a_standard_denial_is_access_denied_with_the_state() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let mut browser = Browser::new(&server);
    let consent = browser.consent(&app.authorize_url_with(&OAUTH)).await;
    let location = browser.decide(&consent, "deny").await.landing().location;
    assert_eq!(location, format!("{REDIRECT_URI}?error=access_denied&state=st-1&{ISS}"));
    let consent = browser.consent(&app.authorize_url_with(&OAUTH[..1])).await;
    let location = browser.decide(&consent, "deny").await.landing().location;
    assert_eq!(location, format!("{REDIRECT_URI}?error=access_denied&{ISS}"));
}

#[tokio::test]
async fn rd_05_every_redirect_is_303_and_carries_no_body() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let mut browser = Browser::new(&server);
    let refused = browser.get(&app.authorize_url_with(&[("response_type", "x")])).await;
    let posted = [("client_id", app.client_id()), ("redirect_uri", REDIRECT_URI), ("response_type", "x")];
    let refused_post = browser.post("/oauth/authorize", &posted).await;
    let sign_in = browser.get("/connections").await;
    let signed_in = browser.sign_in(&sign_in, &server.owner).await;
    let consent = browser.get(&app.authorize_url()).await;
    let approved = browser.decide(&consent, "approve").await;
    let consent = browser.get(&app.authorize_url()).await;
    let denied = browser.decide(&consent, "deny").await;
    for page in [&refused, &refused_post, &signed_in, &approved, &denied] {
        assert_eq!((page.status(), page.answer.body.len()), (303, 0));
        assert_eq!(page.answer.header("cache-control"), Some("no-store"));
        assert_eq!(page.answer.header("referrer-policy"), Some("no-referrer"));
    }
    // The sign-in on the way to consent is answered by the page itself: the password goes nowhere else.
    let page = Browser::new(&server).get(&app.authorize_url()).await;
    assert_eq!((page.status(), page.answer.header("location")), (200, None));
}

#[tokio::test]
async fn rd_06_the_registered_query_is_kept_and_no_value_breaks_out() {
    let server = TestServer::start().await;
    let registered = ["https://c.example/cb?x=1", "https://c.example/cb?x=a%26b&y", "https://c.example/cb?"];
    let app = server.app_at("Listing Lantern", AppPolicy::default(), &registered).await;
    let mut browser = Browser::new(&server);
    let hostile = "%0d%0aSet-Cookie:a=b&code=mine&response=approved#<\"'>\\ ;é";
    let encoded = "%250d%250aSet-Cookie%3Aa%3Db%26code%3Dmine%26response%3Dapproved%23%3C%22%27%3E%5C%20%3B%C3%A9";
    for redirect_uri in registered {
        let pairs = [
            ("client_id", app.client_id()),
            ("redirect_uri", redirect_uri),
            ("response_type", "auth_code"),
            ("state", hostile),
        ];
        let landing = browser.connect(&authorize_url(&pairs)).await;
        let separator = if redirect_uri.ends_with('?') { "" } else { "&" };
        // Registered parameters come first; the code is the only one.
        let (before, after) = landing.location.split_once("code=").expect("a code");
        assert_eq!(before, format!("{redirect_uri}{separator}response=approved&"));
        let code = after.split('&').next().expect("a code");
        assert_eq!(after, format!("{code}&state={encoded}"));
        assert_eq!(landing.parameter("state").as_deref(), Some(hostile));
    }
    // Real line breaks never get as far as a header.
    for raw in ["%0d%0aSet-Cookie:%20a=b", "%0a", "%0d", "%E2%80%A8"] {
        let redirect_uri = "https%3A%2F%2Fc.example%2Fcb%3Fx%3D1";
        let id = app.client_id();
        let uri = format!(
            "/oauth/authorize?client_id={id}&redirect_uri={redirect_uri}&response_type=zzz%0d%0aX:1&state={raw}"
        );
        let answer = server.get(&uri).await;
        let location = answer.header("location").expect("a redirect").to_owned();
        assert!(location.bytes().all(|b| b.is_ascii_graphic()), "{location}");
        assert!(answer.headers.get("set-cookie").is_none() && answer.headers.get("x").is_none());
    }
}

#[tokio::test]
async fn rd_07_iss_is_in_every_standard_answer_and_in_followupboss_only_if_switched_on() {
    let server = TestServer::start().await;
    let plain = server.confidential_app("Plain").await;
    let with_iss = server.app("With iss", AppPolicy { iss_in_followupboss: true, ..AppPolicy::default() }).await;
    let mut browser = Browser::new(&server);
    for (app, fub_has_it) in [(&plain, false), (&with_iss, true)] {
        for (parameters, has_it) in [(FUB, fub_has_it), (OAUTH, true)] {
            let refused = [&parameters[..], &[("prompt", "none")]].concat();
            let approved = browser.connect(&app.authorize_url_with(&parameters)).await;
            let consent = browser.get(&app.authorize_url_with(&parameters)).await;
            let denied = browser.decide(&consent, "deny").await.landing();
            let refused = browser.get(&app.authorize_url_with(&refused)).await.landing();
            for landing in [approved, denied, refused] {
                assert_eq!(landing.location.ends_with(&format!("&{ISS}")), has_it, "{}", landing.location);
                assert_eq!(landing.parameter("iss").is_some(), has_it);
            }
        }
    }
    let metadata = server.get("/.well-known/oauth-authorization-server").await.json();
    assert_eq!(metadata["authorization_response_iss_parameter_supported"], true);
    assert_eq!(metadata["issuer"], "https://auth.example.com");
}
