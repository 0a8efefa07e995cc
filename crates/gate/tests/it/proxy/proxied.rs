//! A proxy in front of an upstream that answers with what it saw.

use crate::issuer::{World, claims, with};
use crate::scripted::listen;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use http_body_util::BodyExt;
use keyfob_gate::front::proxy::{ScopedPaths, Upstream};
use keyfob_gate::front::{Checkpoint, Proxy, ProxyConfig};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

pub(super) struct Proxied {
    pub(super) world: World,
    pub(super) address: SocketAddr,
    /// Requests that the upstream saw.
    pub(super) seen: Arc<AtomicUsize>,
    servers: Vec<JoinHandle<()>>,
}

impl Proxied {
    /// In front of an upstream that tells what it saw.
    pub(super) async fn new(change: impl FnOnce(&mut ProxyConfig)) -> Proxied {
        let seen = Arc::new(AtomicUsize::new(0));
        let (upstream, server) = listen(Router::new().fallback(tell).with_state(seen.clone())).await;
        let mut proxied = Proxied::before(upstream, change).await;
        proxied.seen = seen;
        proxied.servers.push(server);
        proxied
    }

    /// In front of this upstream.
    pub(super) async fn before(upstream: SocketAddr, change: impl FnOnce(&mut ProxyConfig)) -> Proxied {
        let world = World::new();
        let mut config = ProxyConfig {
            upstream: Upstream::new(&format!("http://{upstream}")).unwrap(),
            forward_token: false,
            trusted_proxies: Vec::new(),
            scoped_paths: ScopedPaths::default(),
            tls: false,
        };
        change(&mut config);
        let checkpoint = Arc::new(Checkpoint::new(world.gate.clone(), Arc::default()));
        let (address, server) = listen(Proxy::new(checkpoint, config).router()).await;
        Proxied { world, address, seen: Arc::default(), servers: vec![server] }
    }

    pub(super) fn bearer(&self) -> String {
        format!("Bearer {}", self.world.token(&claims()))
    }

    pub(super) fn bearer_of(&self, scope: &str) -> String {
        format!("Bearer {}", self.world.token(&with(claims(), "scope", json!(scope))))
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(super) fn seen(&self) -> usize {
        self.seen.load(Ordering::SeqCst)
    }

    /// Sends bytes and reads until the proxy closes, or has said nothing for a while.
    pub(super) async fn raw(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let mut piece = [0; 4096];
        while let Ok(Ok(read)) = tokio::time::timeout(Duration::from_millis(500), stream.read(&mut piece)).await {
            if read == 0 {
                break;
            }
            answer.extend_from_slice(&piece[..read]);
        }
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// What the upstream saw of a raw request with these header lines and a good token.
    pub(super) async fn told(&self, lines: &[&str]) -> Value {
        let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
        let head = format!("GET /v1/me HTTP/1.1\r\nHost: api.example.com\r\nAuthorization: {}\r\n", self.bearer());
        let answer = self.raw(&format!("{head}{lines}\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap()
    }
}

impl Drop for Proxied {
    fn drop(&mut self) {
        for server in &self.servers {
            server.abort();
        }
    }
}

/// The values of a header that the upstream saw.
pub(super) fn values<'t>(told: &'t Value, name: &str) -> Vec<&'t str> {
    let pairs = told["headers"].as_array().unwrap().iter();
    pairs.filter(|pair| pair[0] == name).map(|pair| pair[1].as_str().unwrap()).collect()
}

async fn tell(State(seen): State<Arc<AtomicUsize>>, request: Request) -> Response {
    seen.fetch_add(1, Ordering::SeqCst);
    let (head, body) = request.into_parts();
    let headers: Vec<_> =
        head.headers.iter().map(|(name, value)| json!([name.as_str(), value.to_str().unwrap()])).collect();
    let collected = body.collect().await.unwrap();
    let trailers = collected.trailers().is_some();
    let body = String::from_utf8_lossy(&collected.to_bytes()).into_owned();
    let told = json!({
        "method": head.method.as_str(), "target": head.uri.to_string(), "headers": headers, "body": body, "trailers": trailers,
    });
    Response::builder()
        .header("connection", "x-for-one-hop")
        .header("x-for-one-hop", "1")
        .header("keep-alive", "timeout=5")
        .header("x-answer", "1")
        .header("content-type", "application/json")
        .body(Body::from(told.to_string()))
        .unwrap()
}
