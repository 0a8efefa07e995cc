//! Paths and requests that two servers could read differently, byte for byte.

use super::desk::{Desk, Wanted, caller, key_of};
use super::peer::{Peer, Says, raw};
use serde_json::Value;

async fn with_rules(rules: &[&str]) -> (Desk, Peer) {
    let api = Peer::start().await;
    let narrow = caller("narrow", &[], Some(&["fub"]), rules);
    let desk = Desk::with(Wanted { api: Some(api.base.clone()), callers: vec![narrow], ..Wanted::default() }).await;
    desk.connect("u1").await;
    (desk, api)
}

fn request(method: &str, target: &str, more: &str) -> String {
    let authorization = format!("Authorization: Bearer {}", key_of("narrow"));
    format!("{method} {target} HTTP/1.1\r\nHost: vault\r\n{authorization}\r\nConnection: close\r\n{more}\r\n")
}

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}

#[tokio::test]
async fn no_spelling_of_a_path_gets_around_a_rule() {
    let (desk, api) = with_rules(&["GET /v1/people*"]).await;
    for path in [
        "/v1/people/../me",
        "/v1/people/%2e%2e/me",
        "/v1/people/%2E%2e/me",
        "/v1/people/.%2e/me",
        "/v1/people/./1",
        "/v1/people//1",
        "//v1/people",
        "/v1//people",
        "/v1/people%2f..%2fme",
        "/v1/people%2F1",
        "/v1/people%5c..%5cme",
        "/v1/people\\..\\me",
        "/v1/people%252e%252e",
        "/v1/people;/../me",
        "/v1/people%00",
        "/v1/people%0d%0aX-Y:1",
        "/v1/people/%ff",
        "/v1/people/%",
        "/v1/people/%zz",
        "/v1/%70eople",
        "/v1/me",
        "/V1/people",
        "/",
        "",
    ] {
        let answer = raw(&desk.base, &request("GET", &format!("/proxy/fub/u1{path}"), "")).await;
        assert!((400..=404).contains(&status(&answer)) && status(&answer) != 401, "{path}: {answer}");
        assert!(answer.contains("keyfob-vault-error: "), "{path}: {answer}");
        let json: Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap_or_default())
            .unwrap_or_else(|_| panic!("{path} is not answered in JSON: {answer}"));
        assert!(json["error"].is_string() && json["message"].is_string(), "{path}: {json}");
    }
    assert!(api.received().is_empty(), "{:?}", api.received().iter().map(|came| &came.target).collect::<Vec<_>>());
    for (method, path) in [("POST", "/v1/people"), ("HEAD", "/v1/me"), ("TRACE", "/v1/people"), ("X", "/v1/people")] {
        let answer = raw(&desk.base, &request(method, &format!("/proxy/fub/u1{path}"), "")).await;
        assert!([400, 403, 405].contains(&status(&answer)), "{method}: {answer}");
        let says_what_is_allowed = answer.to_ascii_lowercase().contains("\r\nallow: get, ");
        assert_eq!(status(&answer) == 405, says_what_is_allowed, "{method}: {answer}");
    }
    assert!(api.received().is_empty());
    // As its GET, without the body.
    let answer = raw(&desk.base, &request("HEAD", "/proxy/fub/u1/v1/people", "")).await;
    assert!(status(&answer) == 200 && answer.ends_with("\r\n\r\n"), "{answer}");
    for path in ["/v1/people", "/v1/people/1?a=../../me&b=%2e%2e%2f", "/v1/people/a%20b"] {
        let answer = raw(&desk.base, &request("GET", &format!("/proxy/fub/u1{path}"), "")).await;
        assert_eq!(status(&answer), 200, "{path}: {answer}");
        assert_eq!(api.received().pop().expect("a request").target, path);
    }
}

#[tokio::test]
async fn the_host_and_the_form_of_a_target_change_nothing() {
    let (desk, api) = with_rules(&["* /v1/people*"]).await;
    let absolute = request("GET", "http://elsewhere.example.com/proxy/fub/u1/v1/people", "");
    assert_eq!(status(&raw(&desk.base, &absolute).await), 200);
    assert_eq!(api.received().len(), 1);
    let in_path = request("GET", "/proxy/fub/u1/http://elsewhere.example.com/v1/people", "");
    assert_eq!(status(&raw(&desk.base, &in_path).await), 400);
    for target in
        ["/proxy/fub/u1@elsewhere.example.com/v1/people", "/proxy/fub%2fu1/x/v1/people", "/proxy/fub/u1%2f../v1/people"]
    {
        let answer = raw(&desk.base, &request("GET", target, "")).await;
        assert_eq!(status(&answer), 404, "{target}: {answer}");
    }
    assert_eq!(api.received().len(), 1);
}

#[tokio::test]
async fn a_request_inside_a_request_is_not_one() {
    let (desk, api) = with_rules(&["* /v1/people*"]).await;
    let inner = "GET /proxy/fub/u1/v1/people?smuggled HTTP/1.1\r\nHost: vault\r\n\r\n";
    let both = format!("Content-Length: {}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{inner}", inner.len() + 5);
    raw(&desk.base, &request("POST", "/proxy/fub/u1/v1/people", &both)).await;
    let two = format!("Content-Length: 0\r\nContent-Length: {}\r\n\r\n{inner}", inner.len());
    assert_eq!(status(&raw(&desk.base, &request("POST", "/proxy/fub/u1/v1/people", &two)).await), 400);
    assert!(api.received().iter().all(|came| !came.target.contains("smuggled")));
    // Two authorizations are none.
    let twice = request("GET", "/proxy/fub/u1/v1/people", "Authorization: Bearer x\r\n");
    assert_eq!(status(&raw(&desk.base, &twice).await), 401);
}

#[tokio::test]
async fn a_redirect_of_the_api_is_passed_on_and_not_followed() {
    let (desk, api) = with_rules(&["GET /v1/people"]).await;
    let elsewhere = Peer::start().await;
    let to: &'static str = format!("{}/v1/people", elsewhere.base).leak();
    api.will_say([Says(302, vec![("location", to)], "")]);
    let answer = raw(&desk.base, &request("GET", "/proxy/fub/u1/v1/people", "")).await;
    assert_eq!(status(&answer), 302, "{answer}");
    assert!(elsewhere.received().is_empty(), "the token went elsewhere");
}
