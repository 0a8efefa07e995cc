//! Rows AZ-01 to AZ-05 and AZ-07: who asks, where the answer goes, and what is required.

use super::asserting::{assert_page, assert_refused_to_app, authorize_url, grants, send};
use keyfob_authority::model::AppPolicy;
use keyfob_protocol::Dialect;
use keyfob_testkit::{Browser, REDIRECT_URI, TestServer};

const SIGN_IN: &str = "/oauth/authorize/sign-in";

#[tokio::test]
async fn az_01_response_type_selects_the_dialect_and_is_matched_exactly() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    for (response_type, landing) in [("auth_code", "?response=approved&code="), ("code", "?code=")] {
        let url = app.authorize_url_with(&[("response_type", response_type), ("state", "s")]);
        let location = Browser::new(&server).connect(&url).await.location;
        assert!(location.starts_with(&format!("{REDIRECT_URI}{landing}")), "{location}");
    }
    let id = app.client_id();
    let missing = authorize_url(&[("client_id", id), ("redirect_uri", REDIRECT_URI), ("state", "s")]);
    let empty = app.authorize_url_with(&[("response_type", ""), ("state", "s")]);
    for url in [missing, empty] {
        assert_refused_to_app(&server.get(&url).await, Dialect::OAuth, "invalid_request", Some("s"));
    }
    for other in [
        "token",
        "id_token",
        "code token",
        "code id_token",
        "Code",
        "CODE",
        "Auth_Code",
        "auth-code",
        "authcode",
        "auth_code ",
        " code",
        "code\t",
        "none",
        "auth_code,code",
    ] {
        let url = app.authorize_url_with(&[("response_type", other), ("state", "s")]);
        let answer = server.get(&url).await;
        assert_refused_to_app(&answer, Dialect::OAuth, "unsupported_response_type", Some("s"));
    }
}

#[tokio::test]
async fn az_02_without_a_known_enabled_client_there_is_only_a_page() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let disabled = server.confidential_app("Switched off").await;
    server.authority().set_app_enabled(disabled.app.id, false, server.clock_now()).await.expect("no fault");
    let (id, off) = (app.client_id(), disabled.client_id());
    let long = "k".repeat(4096);
    let case = id.to_uppercase();
    let spaced = format!("{id} ");
    let hostile = "\"><script>alert(1)</script>";
    let rest = [("redirect_uri", REDIRECT_URI), ("response_type", "auth_code"), ("state", "s")];
    for ids in [
        &[][..],
        &[""],
        &["nobody"],
        &[off],
        &[id, id],
        &[id, "nobody"],
        &["", id],
        &[&long],
        &[&case],
        &[&spaced],
        &[hostile],
        &["' OR 1=1 --"],
    ] {
        let pairs: Vec<_> = ids.iter().map(|id| ("client_id", *id)).chain(rest).collect();
        let answer = server.get(&authorize_url(&pairs)).await;
        assert_page(&answer, 400);
        assert!(!answer.text().contains("<script>"), "{}", answer.text());
        assert!(answer.header("set-cookie").is_none(), "a page that says no starts nothing");
    }
    // Before anything else: every other parameter is wrong as well.
    let all_wrong = [("client_id", "nobody"), ("response_type", "x"), ("state", "a"), ("state", "b")];
    let answer = server.get(&authorize_url(&all_wrong)).await;
    assert_page(&answer, 400);
    assert!(answer.text().contains("client_id") || answer.text().contains("redirect_uri"));
    assert_eq!(grants(&server).await, 0);
}

#[tokio::test]
async fn az_03_redirect_uri_is_compared_byte_for_byte() {
    let server = TestServer::start().await;
    let registered =
        ["https://app.example.com/a/callback", "https://app.example.com/q?x=1&y=%20", "https://second.example"];
    let app = server.app_at("Listing Lantern", AppPolicy::default(), &registered).await;
    let rest = [("client_id", app.client_id()), ("response_type", "auth_code"), ("state", "s")];
    for good in registered {
        let pairs: Vec<_> = rest.into_iter().chain([("redirect_uri", good)]).collect();
        let page = Browser::new(&server).get(&authorize_url(&pairs)).await;
        assert!(page.has_form(SIGN_IN), "{good}: {}", page.text());
    }
    for bad in [
        "https://app.example.com.evil.example/a/callback",
        "https://app.example.comevil.example/a/callback",
        "https://evil.example/https://app.example.com/a/callback",
        "https://app.example.com/a/callback/more",
        "https://app.example.com/a/callbac",
        "https://app.example.com/a/",
        "https://app.example.com/a/../a/callback",
        "https://app.example.com/a/%2e%2e/a/callback",
        "https://app.example.com/a/callback/..",
        "https://app.example.com/a%2Fcallback",
        "https%3A%2F%2Fapp.example.com%2Fa%2Fcallback",
        "https://app.example.com/a/call%62ack",
        "https://APP.example.com/a/callback",
        "https://app.example.com/a/Callback",
        "HTTPS://app.example.com/a/callback",
        "https://app.example.com:443/a/callback",
        "https://app.example.com./a/callback",
        "https://app.example.com/a/callback/",
        "https://app.example.com//a/callback",
        "https://app.example.com/a/callback?",
        "https://app.example.com/a/callback?x=1",
        "https://app.example.com/a/callback#",
        "https://app.example.com/a/callback#frag",
        "https://user@app.example.com/a/callback",
        "https://app.example.com@evil.example/a/callback",
        "https://app.example.com\\@evil.example/a/callback",
        "https://app.example.com\\a\\callback",
        "https://app.example.com/a/callback\t",
        "\thttps://app.example.com/a/callback",
        " https://app.example.com/a/callback",
        "https://app.example.com/a/callback\n",
        "https://app.example.com/a/callback\r\nX: y",
        "https://app.example.com/a/callback;x",
        "https://app.example.com/a;x/callback",
        "http://app.example.com/a/callback",
        "//app.example.com/a/callback",
        "/a/callback",
        "https://app.example.com/q?x=1",
        "https://app.example.com/q?y=%20&x=1",
        "https://app.example.com/q?x=1&y= ",
        "https://app.example.com/q?x=1&y=+",
        "https://second.example/",
        "https://sécond.example",
        "javascript:alert(1)",
        "*",
    ] {
        let pairs: Vec<_> = rest.into_iter().chain([("redirect_uri", bad)]).collect();
        let answer = server.get(&authorize_url(&pairs)).await;
        assert_page(&answer, 400);
        // Even where the error would otherwise be the app's.
        let pairs: Vec<_> = pairs.into_iter().chain([("state", "again"), ("prompt", "none")]).collect();
        assert_page(&server.get(&authorize_url(&pairs)).await, 400);
    }
    // NUL and bytes that are no UTF-8 make no form at all.
    let id = app.client_id();
    for raw in ["https://app.example.com/a/callback%00", "https://app.example.com/a/callback%ff", "%zz"] {
        let url = format!("/oauth/authorize?client_id={id}&response_type=code&state=s&redirect_uri={raw}");
        assert_page(&server.get(&url).await, 400);
    }
}

#[tokio::test]
async fn az_03_the_page_tells_the_developer_the_first_byte_that_differs() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let sent = "https://app.example.com/Callback<b>";
    let pairs = [("client_id", app.client_id()), ("response_type", "code"), ("redirect_uri", sent)];
    let text = server.get(&authorize_url(&pairs)).await.text();
    assert!(text.contains("byte 24, counted from 0"), "{text}");
    assert!(!text.contains("<b>"), "{text}");
}

#[tokio::test]
async fn az_05_known_parameters_appear_once_and_unknown_ones_do_not_matter() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let good = [("response_type", "auth_code"), ("state", "s")];
    for harmless in [
        &[("scope", "")][..],
        &[("foo", "1"), ("foo", "2")],
        &[("prompt", ""), ("code_challenge", ""), ("request_uri", "")],
        &[("STATE", "other")],
        &[("audience", "x"), ("access_type", "offline"), ("response", "approved"), ("code", "x")],
    ] {
        let pairs: Vec<_> = good.into_iter().chain(harmless.iter().copied()).collect();
        let landing = Browser::new(&server).connect(&app.authorize_url_with(&pairs)).await;
        let golden = format!("{REDIRECT_URI}?response=approved&code={}&state=s", landing.code());
        assert_eq!(landing.location, golden, "{harmless:?}");
    }
    for repeat in [&[("client_id", app.client_id())][..], &[("redirect_uri", REDIRECT_URI)], &[("redirect_uri", "")]] {
        let pairs: Vec<_> = good.into_iter().chain(repeat.iter().copied()).collect();
        assert_page(&server.get(&app.authorize_url_with(&pairs)).await, 400);
    }
    for states in [["a", "b"], ["a", "a"], ["a", ""]] {
        let pairs = [("response_type", "auth_code"), ("state", states[0]), ("state", states[1])];
        let answer = server.get(&app.authorize_url_with(&pairs)).await;
        assert_refused_to_app(&answer, Dialect::FollowUpBoss, "invalid_request", None);
    }
    for name in [
        "scope",
        "prompt",
        "code_challenge",
        "code_challenge_method",
        "response_mode",
        "request",
        "request_uri",
        "registration",
        "nonce",
        "max_age",
        "login_hint",
        "display",
    ] {
        let pairs: Vec<_> = good.into_iter().chain([(name, ""), (name, "")]).collect();
        let answer = server.get(&app.authorize_url_with(&pairs)).await;
        assert_refused_to_app(&answer, Dialect::FollowUpBoss, "invalid_request", Some("s"));
    }
    // Two response types select no dialect: the answer is in S shape.
    for second in ["auth_code", "code"] {
        let pairs: Vec<_> = good.into_iter().chain([("response_type", second)]).collect();
        let answer = server.get(&app.authorize_url_with(&pairs)).await;
        assert_refused_to_app(&answer, Dialect::OAuth, "invalid_request", Some("s"));
    }
}

#[tokio::test]
async fn az_07_followupboss_needs_a_state_or_pkce_and_oauth_needs_neither() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    for bare in [&[("response_type", "auth_code")][..], &[("response_type", "auth_code"), ("state", "")]] {
        let answer = server.get(&app.authorize_url_with(bare)).await;
        assert_refused_to_app(&answer, Dialect::FollowUpBoss, "invalid_request", None);
    }
    let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    let pkce = [("code_challenge", challenge), ("code_challenge_method", "S256"), ("response_type", "auth_code")];
    let landing = Browser::new(&server).connect(&app.authorize_url_with(&pkce)).await;
    assert_eq!(landing.location, format!("{REDIRECT_URI}?response=approved&code={}", landing.code()));
    let landing = Browser::new(&server).connect(&app.authorize_url_with(&[("response_type", "code")])).await;
    let iss = "iss=https%3A%2F%2Fauth.example.com";
    assert_eq!(landing.location, format!("{REDIRECT_URI}?code={}&{iss}", landing.code()));
}

#[tokio::test]
async fn az_02_a_client_id_in_another_table_names_nobody() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let number = app.app.id.to_string();
    for id in [number.as_str(), "Partner One", "owner@example.com"] {
        let pairs = [("client_id", id), ("redirect_uri", REDIRECT_URI), ("response_type", "code")];
        assert_page(&send(&server, "GET", &authorize_url(&pairs), &[]).await, 400);
    }
}
