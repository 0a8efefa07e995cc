//! A gate process, an API behind it, and calls.

use super::authority::{Authority, ISSUER, SECRET};
use crate::processes::place::bare_command;
use crate::processes::serving::Serving;
use crate::processes::visitor::{Answer, http_client, send};
use axum::extract::Request;
use axum::{Json, Router};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// An API that answers with the headers that it saw.
pub(in crate::processes) struct Api {
    pub(in crate::processes) address: SocketAddr,
    server: JoinHandle<()>,
}

impl Api {
    pub(in crate::processes) async fn start() -> Api {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let router = Router::new().fallback(tell);
        let serving = keyfob_server::listen::serve(listener, router, Default::default(), std::future::pending());
        Api { address, server: tokio::spawn(serving) }
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn tell(request: Request) -> Json<Value> {
    let headers = request.headers().iter();
    let headers: Vec<_> = headers.map(|(name, value)| json!([name.as_str(), value.to_str().expect("text")])).collect();
    Json(json!({ "path": request.uri().path(), "headers": headers }))
}

/// The values of a header that the API saw.
pub(in crate::processes) fn saw(answer: &Answer, name: &str) -> Vec<String> {
    let told: Value = serde_json::from_str(&answer.body).unwrap_or_else(|error| panic!("{error}: {answer:?}"));
    let headers = told["headers"].as_array().expect("headers").iter();
    headers.filter(|pair| pair[0] == name).map(|pair| pair[1].as_str().expect("text").to_owned()).collect()
}

/// The command with all that it needs, in a directory of its own.
pub(super) fn command(directory: &TempDir, authority: &Authority, more: &[&str]) -> Command {
    let base = authority.base();
    let least =
        ["gate", "--authority", &base, "--issuer", ISSUER, "--name", "api", "--listen", "127.0.0.1:0", "--log", "json"];
    let mut command = bare_command(&[&least, more].concat());
    command.current_dir(directory.path()).env("KEYFOB_GATE_SECRET", SECRET);
    command
}

/// Starts a gate and waits until it listens.
pub(super) fn start(command: Command) -> Serving {
    let mut gate = Serving::start_unready(command);
    gate.address = gate.listens("listening");
    gate
}

/// GET with a token and header lines.
pub(in crate::processes) async fn call(
    base: &str,
    path: &str,
    token: Option<&str>,
    headers: &[(&str, &str)],
) -> Answer {
    let mut request = http_client().get(format!("{base}{path}"));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(request).await.expect("an answer")
}

/// Calls until the answer has this status; for `patience` at most.
pub(in crate::processes) async fn until(
    base: &str,
    path: &str,
    token: &str,
    status: u16,
    patience: Duration,
) -> Answer {
    let since = Instant::now();
    loop {
        let answer = call(base, path, Some(token), &[]).await;
        if answer.status == status {
            return answer;
        }
        assert!(since.elapsed() < patience, "not {status} within {patience:?} but {answer:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
