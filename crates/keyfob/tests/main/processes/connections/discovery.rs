//! An authority that is known by its issuer alone.

use super::desk::Desk;
use super::sandbox::{FIXED, REDIRECT_URI, Sandbox};
use axum::Router;
use axum::extract::State;
use axum::http::Uri;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// An authority of which only the document is real.
struct Authority {
    issuer: String,
    asked: Arc<Mutex<Vec<String>>>,
    task: tokio::task::JoinHandle<()>,
}

type Seen = (Arc<Mutex<Vec<String>>>, String);

impl Authority {
    /// `document` is made from where it listens.
    async fn publishing(document: impl FnOnce(&str) -> Value) -> Authority {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let issuer = format!("http://{}", listener.local_addr().expect("an address"));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let state: Seen = (asked.clone(), document(&issuer).to_string());
        let router = Router::new().fallback(async |State((asked, document)): State<Seen>, uri: Uri| {
            asked.lock().expect("no panic").push(uri.to_string());
            document
        });
        let router = router.with_state(state);
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
    let no_way = desk.run(&["connections", "revoke", "listed"]);
    assert_eq!(no_way.code, Some(3), "no revocation endpoint is announced: {no_way:?}");

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
