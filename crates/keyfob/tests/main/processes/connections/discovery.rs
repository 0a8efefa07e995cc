//! An authority that is known by its issuer alone.

use super::desk::Desk;
use super::sandbox::{FIXED, REDIRECT_URI, Sandbox};
use axum::Router;
use axum::extract::State;
use axum::http::request::Parts;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// An authority that publishes a document, says yes to every token request, and has an API beside it.
struct Authority {
    issuer: String,
    asked: Arc<Mutex<Vec<String>>>,
    task: tokio::task::JoinHandle<()>,
}

type Seen = (Arc<Mutex<Vec<String>>>, String);

/// Notes target, authorization and body of a request.
async fn answer(State((asked, document)): State<Seen>, parts: Parts, body: String) -> String {
    let authorization = parts.headers.get("authorization").map(|value| value.to_str().expect("ASCII").to_owned());
    let told = [Some(parts.uri.to_string()), authorization, Some(body).filter(|body| !body.is_empty())];
    asked.lock().expect("no panic").push(told.into_iter().flatten().collect::<Vec<_>>().join(" "));
    match parts.uri.path() {
        "/token" => r#"{"access_token":"a1","token_type":"Bearer","expires_in":3600,"refresh_token":"r1"}"#.to_owned(),
        "/revoke" => String::new(),
        "/api/page" => "<!doctype html><p>Sign in".to_owned(),
        "/api/things" => r#"{"things":[]}"#.to_owned(),
        _ => document,
    }
}

impl Authority {
    /// `document` is made from where it listens.
    async fn publishing(document: impl FnOnce(&str) -> Value) -> Authority {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let issuer = format!("http://{}", listener.local_addr().expect("an address"));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let state: Seen = (asked.clone(), document(&issuer).to_string());
        let router = Router::new().fallback(answer).with_state(state);
        let task = tokio::spawn(async move { axum::serve(listener, router).await.expect("it serves") });
        Authority { issuer, asked, task }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no panic").clone()
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn document(issuer: &str) -> Value {
    json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "response_types_supported": ["code"],
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn cl_08_a_document_that_lies_about_its_issuer_is_refused_and_nothing_is_sent() {
    let sandbox = Sandbox::start();
    let desk = Desk::of(&sandbox, FIXED);
    type Lie = (fn(&str) -> Value, &'static str);
    let lies: [Lie; 5] = [
        (|_| document("https://evil.example"), "is of the issuer \"https://evil.example\""),
        (|issuer| document(&format!("{issuer}/")), "exactly as the authority writes it"),
        (|issuer| json!({ "issuer": issuer }), "cannot be read"),
        (
            |issuer| {
                let mut document = document(issuer);
                document["token_endpoint"] = "http://id.example.com/token".into();
                document
            },
            "token_endpoint in the metadata cannot be used",
        ),
        (
            |issuer| {
                let mut document = document(issuer);
                document["token_endpoint_auth_methods_supported"] = json!(["private_key_jwt"]);
                document
            },
            "client_secret_basic",
        ),
    ];
    for (lie, words) in lies {
        let authority = Authority::publishing(lie).await;
        let arguments = ["connect", &authority.issuer, "--api", sandbox.issuer(), "--redirect-uri", REDIRECT_URI];
        let told = desk.run(&arguments);
        assert_eq!((told.code, told.stdout.as_str()), (Some(3), ""), "{told:?}");
        assert!(told.stderr.contains(words), "{words}: {told:?}");
        assert!(!told.stderr.contains("open this address"), "{told:?}");
        assert_eq!(authority.asked(), ["/.well-known/oauth-authorization-server"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cl_09_what_the_document_lists_is_used_and_nothing_else() {
    let sandbox = Sandbox::start();
    let desk = Desk::of(&sandbox, FIXED);
    // A Keyfob by its metadata: S256 is listed and iss announced.
    let api = format!("{}/v1", sandbox.issuer());
    let arguments = [sandbox.issuer(), "--api", &api, "--redirect-uri", REDIRECT_URI, "--as", "listed"];
    let connecting = desk.begin(&arguments);
    assert!(connecting.url.contains("response_type=code&") && connecting.url.contains("code_challenge_method=S256"));
    let callback = sandbox.approved(&connecting.url).await;
    let told = connecting.pastes(&[&callback]);
    assert_eq!(told.code, Some(0), "{told:?}");
    desk.does(&["call", "GET", "people?limit=1"]);
    sandbox.advance("61m").await;
    desk.does(&["call", "GET", "/v1/people?limit=1"]);
    assert_eq!(desk.kept("listed")["identity"], Value::Null, "an unknown API is not asked who it is");
    // A revocation endpoint is announced as well.
    desk.does(&["connections", "revoke", "listed"]);
    assert_eq!(desk.run(&["call", "GET", "/v1/people"]).code, Some(7));

    // The switch per server.
    let connecting = desk.begin(&[&arguments[..], &["--no-pkce"]].concat());
    assert!(!connecting.url.contains("code_challenge"), "{}", connecting.url);
    let callback = sandbox.approved(&connecting.url).await;
    assert_eq!(connecting.pastes(&[&callback]).code, Some(0));

    // One that lists no PKCE gets none.
    let plain = Authority::publishing(document).await;
    let connecting = desk.begin(&[&plain.issuer, "--api", &api, "--redirect-uri", REDIRECT_URI, "--as", "plain"]);
    assert!(connecting.url.starts_with(&format!("{}/authorize?response_type=code&", plain.issuer)));
    assert!(!connecting.url.contains("code_challenge"), "{}", connecting.url);
    assert_eq!(connecting.pastes(&[]).code, Some(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_that_is_neither_gets_what_it_announced_and_takes_its_tokens_back() {
    let sandbox = Sandbox::start();
    let desk = Desk::of(&sandbox, FIXED);
    let authority = Authority::publishing(|issuer| {
        let mut document = document(issuer);
        document["token_endpoint_auth_methods_supported"] = json!(["client_secret_post"]);
        document["code_challenge_methods_supported"] = json!(["S256"]);
        document["revocation_endpoint"] = format!("{issuer}/revoke").into();
        document
    })
    .await;
    let api = format!("{}/api", authority.issuer);
    let arguments = [&authority.issuer, "--api", &api, "--redirect-uri", REDIRECT_URI, "--as", "a"];
    let connecting = desk.begin(&arguments);
    let state =
        connecting.url.split("state=").nth(1).and_then(|rest| rest.split('&').next()).expect("a state").to_owned();
    let told = connecting.pastes(&[&format!("{REDIRECT_URI}?code=c1&state={state}")]);
    assert_eq!(told.code, Some(0), "{told:?}");
    assert_eq!(desk.does(&["call", "GET", "things?x=1"]).stdout, "{\"things\":[]}\n");
    let page = desk.does(&["call", "GET", "page"]);
    assert!(page.stderr.contains("this is a page (HTML) and no JSON"), "{page:?}");
    let elsewhere = desk.run(&["call", "GET", &format!("{}/v1/people", sandbox.issuer())]);
    assert_eq!(elsewhere.code, Some(3), "{elsewhere:?}");
    desk.does(&["connections", "revoke", "a"]);
    assert_eq!(desk.run(&["call", "GET", "things"]).code, Some(7));

    let mut asked = authority.asked();
    asked.retain(|line| !line.starts_with("/api/page"));
    let credentials =
        format!("client_id={}&client_secret={}", sandbox.app(FIXED, "clientId"), sandbox.app(FIXED, "clientSecret"));
    assert_eq!(asked.len(), 4, "document, exchange, call, revocation: {asked:?}");
    assert!(asked[1].starts_with("/token grant_type=authorization_code&code=c1&"), "{}", asked[1]);
    assert!(asked[1].contains("&code_verifier=") && asked[1].ends_with(&credentials), "{}", asked[1]);
    assert_eq!(asked[2], "/api/things?x=1 Bearer a1");
    assert_eq!(asked[3], format!("/revoke token=r1&token_type_hint=refresh_token&{credentials}"));
}
