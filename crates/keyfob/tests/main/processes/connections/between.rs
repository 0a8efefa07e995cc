//! Somebody on the wire between the command line and the sandbox: counts token requests and can hold their answers back.

use super::super::visitor::http_client;
use super::sandbox::Sandbox;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{Response, request::Parts};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;

/// A listener that passes everything on.
pub(super) struct Between {
    pub(super) base: String,
    wire: Arc<Wire>,
    task: tokio::task::JoinHandle<()>,
}

struct Wire {
    to: String,
    http: reqwest::Client,
    /// Requests to the token endpoint that the sandbox has answered.
    answered: AtomicUsize,
    /// A permit for each such answer that may go on.
    passes: Semaphore,
}

impl Between {
    /// Lets this many answers of the token endpoint pass; the others wait.
    pub(super) async fn passing(sandbox: &Sandbox, answers: usize) -> Between {
        let wire = Arc::new(Wire {
            to: sandbox.issuer().to_owned(),
            http: http_client(),
            answered: AtomicUsize::new(0),
            passes: Semaphore::new(answers),
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let router = Router::new().fallback(pass).with_state(wire.clone());
        let task = tokio::spawn(async move { axum::serve(listener, router).await.expect("it serves") });
        Between { base, wire, task }
    }

    /// Lets more answers pass.
    pub(super) fn pass(&self, answers: usize) {
        self.wire.passes.add_permits(answers);
    }

    /// How many token requests the sandbox has answered.
    pub(super) fn answered(&self) -> usize {
        self.wire.answered.load(Ordering::SeqCst)
    }

    /// Waits until it has answered this many.
    pub(super) async fn until_answered(&self, count: usize) {
        let answered = async {
            while self.answered() < count {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), answered).await.expect("the token request never came");
    }
}

impl Drop for Between {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass(State(wire): State<Arc<Wire>>, parts: Parts, body: Bytes) -> Response<Body> {
    let target = parts.uri.path_and_query().map(|target| target.as_str()).unwrap_or_default();
    let mut request = wire.http.request(parts.method.clone(), format!("{}{target}", wire.to));
    for (name, value) in parts.headers.iter().filter(|(name, _)| *name != "host" && *name != "content-length") {
        request = request.header(name, value);
    }
    let answer = request.body(body).send().await.expect("the sandbox answers");
    let mut response = Response::builder().status(answer.status());
    for (name, value) in answer.headers().iter().filter(|(name, _)| *name != "transfer-encoding") {
        response = response.header(name, value);
    }
    let body = answer.bytes().await.expect("a whole answer");
    if parts.uri.path() == "/oauth/token" {
        wire.answered.fetch_add(1, Ordering::SeqCst);
        wire.passes.acquire().await.expect("never closed").forget();
    }
    response.body(Body::from(body)).expect("a response")
}
