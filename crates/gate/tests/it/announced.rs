//! MD-05: clients without a token learn where to get one, at each front of the gate.

use crate::issuer::{AUDIENCE, ISSUER, World};
use crate::scripted::listen;
use axum::Router;
use axum::body::Body;
use axum::response::Response;
use http::{HeaderMap, Request, header};
use http_body_util::BodyExt;
use keyfob_gate::front::proxy::{ScopedPaths, Upstream};
use keyfob_gate::front::{Checkpoint, ForwardAuth, Proxy, ProxyConfig};
use keyfob_gate::{Gate, GateLayer, ProtectedResource};
use serde_json::{Value, json};
use std::sync::Arc;
use tower::{Layer, ServiceExt};

const DOCUMENT: &str = "/.well-known/oauth-protected-resource";

/// A gate of the API at [`AUDIENCE`] and this path, which announces it with these scopes.
fn gate(path: &str, scopes: &[&str]) -> Arc<Gate> {
    let scopes: Vec<String> = scopes.iter().map(|scope| (*scope).to_owned()).collect();
    let announced = ProtectedResource::new(ISSUER, &format!("{AUDIENCE}{path}"), &scopes);
    World::with_config(|config| config.announced = announced).gate
}

fn checkpoint(gate: &Arc<Gate>) -> Arc<Checkpoint> {
    Arc::new(Checkpoint::new(gate.clone(), Arc::default()))
}

/// The gate as a tower layer in front of an API that answers everything.
fn layered(gate: &Arc<Gate>) -> Router {
    let api = Router::new().fallback(async || "the API");
    Router::new().fallback_service(GateLayer::new(gate.clone()).layer(api.into_service::<Body>()))
}

fn forward_auth(gate: &Arc<Gate>) -> Router {
    ForwardAuth::new(checkpoint(gate), http::StatusCode::NO_CONTENT).router()
}

/// In front of an upstream that nothing here may reach.
fn proxy(gate: &Arc<Gate>) -> Router {
    let config = ProxyConfig {
        upstream: Upstream::new("http://127.0.0.1:1").unwrap(),
        forward_token: false,
        trusted_proxies: Vec::new(),
        scoped_paths: ScopedPaths::default(),
        tls: false,
    };
    Proxy::new(checkpoint(gate), config).router()
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: String,
}

async fn ask(front: &Router, method: &str, target: &str) -> Answer {
    let request = Request::builder().method(method).uri(target).header(header::HOST, "api.example.com");
    let response: Response = front.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (head, body) = response.into_parts();
    let body = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
    Answer { status: head.status.as_u16(), headers: head.headers, body }
}

fn challenge(answer: &Answer) -> &str {
    answer.headers[header::WWW_AUTHENTICATE].to_str().unwrap()
}

#[tokio::test]
async fn md_05_each_front_serves_the_document_and_names_it_in_the_challenge() {
    for front in [layered, forward_auth, proxy] {
        for (path, document) in [("", DOCUMENT.to_owned()), ("/crm", format!("{DOCUMENT}/crm"))] {
            let front = front(&gate(path, &["notes", "people"]));
            let told = ask(&front, "GET", &document).await;
            assert_eq!((told.status, &told.headers[header::CONTENT_TYPE]), (200, &"application/json".parse().unwrap()));
            assert_eq!(told.headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], "*");
            let expected = json!({
                "resource": format!("{AUDIENCE}{path}"), "authorization_servers": [ISSUER],
                "bearer_methods_supported": ["header"], "scopes_supported": ["notes", "people"],
            });
            assert_eq!(serde_json::from_str::<Value>(&told.body).unwrap(), expected);
            let head = ask(&front, "HEAD", &document).await;
            assert_eq!((head.status, head.body.as_str()), (200, ""));
            let posted = ask(&front, "POST", &document).await;
            assert_eq!((posted.status, &posted.headers[header::ALLOW]), (405, &"GET, HEAD, OPTIONS".parse().unwrap()));
            let preflight = ask(&front, "OPTIONS", &document).await;
            assert_eq!(
                (preflight.status, &preflight.headers[header::ACCESS_CONTROL_ALLOW_ORIGIN]),
                (204, &"*".parse().unwrap())
            );

            let refused = ask(&front, "GET", "/check").await;
            let expected = format!("Bearer realm=\"api\", resource_metadata=\"{AUDIENCE}{document}\"");
            assert_eq!((refused.status, challenge(&refused)), (401, expected.as_str()));
        }
    }
}

#[tokio::test]
async fn md_05_another_resource_is_not_answered_for() {
    for front in [layered, forward_auth, proxy] {
        let rooted = front(&gate("", &[]));
        let beneath = front(&gate("/crm", &[]));
        for (front, path) in [
            (&rooted, format!("{DOCUMENT}/crm")),
            (&rooted, format!("{DOCUMENT}/")),
            (&rooted, "/.well-known/OAuth-Protected-Resource".to_owned()),
            (&beneath, DOCUMENT.to_owned()),
            (&beneath, format!("{DOCUMENT}/crm/notes")),
        ] {
            let answer = ask(front, "GET", &path).await;
            // Whatever else the API has is behind the gate; forward-auth has nothing else.
            assert!(matches!(answer.status, 401 | 404), "{path}: {}", answer.status);
            assert!(!answer.body.contains("authorization_servers"), "{path}");
        }
    }
}

#[tokio::test]
async fn md_05_a_gate_that_announces_nothing_says_nothing() {
    let world = World::new();
    for front in [layered, forward_auth, proxy] {
        let front = front(&world.gate);
        assert!(matches!(ask(&front, "GET", DOCUMENT).await.status, 401 | 404));
        assert_eq!(challenge(&ask(&front, "GET", "/check").await), "Bearer realm=\"api\"");
    }
}

#[tokio::test]
async fn md_05_the_document_is_there_while_the_gate_cannot_decide() {
    let announced = ProtectedResource::new(ISSUER, AUDIENCE, &[]);
    let world = World::unfed(|config| config.announced = announced);
    let (address, server) = listen(proxy(&world.gate)).await;
    let told = reqwest::get(format!("http://{address}{DOCUMENT}")).await.unwrap();
    assert_eq!(told.status(), 200);
    let told: Value = serde_json::from_str(&told.text().await.unwrap()).unwrap();
    assert_eq!(told["resource"], AUDIENCE);
    assert!(told.get("scopes_supported").is_none());
    server.abort();
}
