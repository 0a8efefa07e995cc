//! The wire between the clients and the server: passes everything on and notes it in the story of its client. Its address is the issuer,
//! so that the server may listen on any free port.

use super::super::visitor::http_client;
use super::story::{Request, Step, Story};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{Response, request::Parts};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};

/// A listener that passes everything on.
pub(super) struct Wire {
    pub(super) issuer: String,
    notes: Arc<Notes>,
    task: tokio::task::JoinHandle<()>,
}

/// What passed, by client.
#[derive(Default)]
pub(super) struct Notes {
    server: OnceLock<String>,
    http: OnceLock<reqwest::Client>,
    stories: Mutex<BTreeMap<String, Story>>,
}

impl Notes {
    /// Adds to the story of a client.
    pub(super) fn note(&self, client_id: &str, step: Step) {
        let mut stories = self.stories.lock().expect("no panic");
        stories.entry(client_id.to_owned()).or_default().steps.push(step);
    }

    /// What is known of a client.
    pub(super) fn story(&self, client_id: &str) -> Story {
        self.stories.lock().expect("no panic").get(client_id).cloned().unwrap_or_default()
    }
}

impl Wire {
    /// Listens; leads nowhere yet.
    pub(super) async fn start() -> Wire {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let issuer = format!("http://{}", listener.local_addr().expect("an address"));
        let notes = Arc::<Notes>::default();
        let router = Router::new().fallback(pass).with_state(notes.clone());
        let task = tokio::spawn(async move { axum::serve(listener, router).await.expect("it serves") });
        Wire { issuer, notes, task }
    }

    /// From now on it leads to the server at this base URL.
    pub(super) fn leads_to(&self, server: String) {
        self.notes.server.set(server).expect("led somewhere already");
    }

    pub(super) fn notes(&self) -> Arc<Notes> {
        self.notes.clone()
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass(State(notes): State<Arc<Notes>>, parts: Parts, body: Bytes) -> Response<Body> {
    let server = notes.server.get().expect("it leads somewhere before it is used");
    let target = parts.uri.path_and_query().map(|target| target.as_str()).unwrap_or_default();
    let http = notes.http.get_or_init(http_client);
    let mut request = http.request(parts.method.clone(), format!("{server}{target}"));
    for (name, value) in parts.headers.iter().filter(|(name, _)| *name != "content-length") {
        request = request.header(name, value);
    }
    let answer = request.body(body.clone()).send().await.expect("the server answers");
    let mut response = Response::builder().status(answer.status());
    for (name, value) in answer.headers().iter().filter(|(name, _)| *name != "transfer-encoding") {
        response = response.header(name, value);
    }
    let status = answer.status().as_u16();
    let answer = answer.bytes().await.expect("a whole answer");
    let seen = Request { parts: &parts, body: &body, status, answer: &answer };
    if let Some((client_id, step)) = seen.step() {
        notes.note(&client_id, step);
    }
    response.body(Body::from(answer)).expect("a response")
}
