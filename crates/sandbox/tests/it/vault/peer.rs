//! What else listens on this machine: an API or a receiver that answers as it is told to, and remembers what came.

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// More than anything takes on a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// What came.
#[derive(Clone)]
pub(super) struct Received {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

/// What it says: a status, headers, a body.
#[derive(Clone)]
pub(super) struct Says(pub(super) u16, pub(super) Vec<(&'static str, &'static str)>, pub(super) &'static str);

#[derive(Default)]
struct State {
    received: Vec<Received>,
    next: VecDeque<Says>,
}

/// A listener that ends with it.
pub(super) struct Peer {
    pub(super) base: String,
    state: Arc<Mutex<State>>,
    serving: JoinHandle<()>,
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Peer {
    pub(super) async fn start() -> Peer {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("bound"));
        let state = Arc::new(Mutex::new(State::default()));
        let shared = state.clone();
        let router = Router::new().fallback(move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
            let answered = answer(&shared, &method, &uri, headers, &body);
            async move { answered }
        });
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.expect("it serves") });
        Peer { base, state, serving }
    }

    /// What it says next, one answer after the other; then 200 and `{}`.
    pub(super) fn will_say(&self, answers: impl IntoIterator<Item = Says>) {
        self.state.lock().expect("no panic").next.extend(answers);
    }

    /// The same, and nothing of what it was told before.
    pub(super) fn will_only_say(&self, answers: impl IntoIterator<Item = Says>) {
        self.state.lock().expect("no panic").next = answers.into_iter().collect();
    }

    pub(super) fn received(&self) -> Vec<Received> {
        self.state.lock().expect("no panic").received.clone()
    }

    /// Waits until this many requests have come.
    pub(super) async fn has_received(&self, count: usize) -> Vec<Received> {
        let came = async {
            loop {
                let received = self.received();
                if received.len() >= count {
                    return received;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, came).await.expect("they come")
    }
}

fn answer(state: &Mutex<State>, method: &Method, uri: &Uri, headers: HeaderMap, body: &Bytes) -> Response {
    let mut state = state.lock().expect("no panic");
    let target = uri.to_string();
    // Whose account it is, is asked on every connection; that is not what scripts are about.
    if target.ends_with("/identity") {
        let me = r#"{"account":{"id":1,"name":"A"},"user":{"id":1,"name":"U"}}"#;
        return ([("content-type", "application/json")], me).into_response();
    }
    let body = String::from_utf8_lossy(body).into_owned();
    state.received.push(Received { method: method.to_string(), target, headers, body });
    let Says(status, headers, body) = state.next.pop_front().unwrap_or(Says(200, Vec::new(), "{}"));
    let mut response = body.into_response();
    *response.status_mut() = StatusCode::from_u16(status).expect("a status");
    for (name, value) in headers {
        response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}

/// Bytes as they are, to a loopback socket: all that comes back.
pub(super) async fn raw(base: &str, request: &str) -> String {
    let exchange = async {
        let mut stream = TcpStream::connect(base.trim_start_matches("http://")).await.expect("it listens");
        stream.write_all(request.as_bytes()).await.expect("it takes bytes");
        let mut answer = Vec::new();
        // A reset after the answer is no news.
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    };
    tokio::time::timeout(PATIENCE, exchange).await.expect("an answer")
}
