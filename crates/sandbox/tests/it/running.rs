//! A whole sandbox on real sockets, and requests to it.

#![expect(clippy::unwrap_used, reason = "test support: a panic is the report")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use keyfob_authority::keys::MasterKey;
use keyfob_authority::store::Store;
use keyfob_client::{
    Driver, Header, HeaderValue, HttpRequest, HttpResponse, Method, SendFailure, Surroundings, Transport,
};
use keyfob_protocol::{Clock, Secret, Timestamp};
use keyfob_sandbox::seed::{SEEDED_UNTIL, SeededEntropy};
use keyfob_sandbox::{Announcement, Parts, SandboxError, SandboxOptions, start};
use keyfob_server::clock_health::Believed;
use keyfob_server::follow::MemoryMark;
use keyfob_store_sqlite::{Options, SqliteStore};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Of every sandbox of these tests, so that kept data opens again.
const MASTER_KEY: &str = "q1Zk0c7mJ2sY9uVn4bXw8eRt5aLo3iPd6gHf+CjKxQM=";

/// A clock that stands; the sandbox moves it by itself.
struct Noon;

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        SEEDED_UNTIL
    }
}

/// A sandbox that runs until it is stopped or dropped.
pub(crate) struct Running {
    pub(crate) announcement: Announcement,
    pub(crate) welcome: String,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<()>,
}

pub(crate) fn options() -> SandboxOptions {
    SandboxOptions {
        seed: 1,
        listen: "127.0.0.1:0".parse().unwrap(),
        separate_hosts: false,
        fub_status: false,
        redirect_uris: Vec::new(),
        data: None,
        scenario: None,
    }
}

/// With data in a directory, the database beside it as the binary keeps it.
pub(crate) fn kept_in(directory: &Path) -> SandboxOptions {
    SandboxOptions { data: Some(directory.to_owned()), ..options() }
}

impl Running {
    pub(crate) async fn start() -> Running {
        Running::start_with(options()).await
    }

    pub(crate) async fn start_with(options: SandboxOptions) -> Running {
        Running::try_start(options).await.unwrap()
    }

    pub(crate) async fn try_start(options: SandboxOptions) -> Result<Running, SandboxError> {
        let sandbox = start(options.clone(), parts(options.data)).await?;
        let announcement = sandbox.announcement().clone();
        let welcome = sandbox.welcome().to_owned();
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(sandbox.run_until(async { drop(stopped.await) }));
        Ok(Running { announcement, welcome, stop: Some(stop), serving })
    }

    /// Lets it end as the binary does.
    pub(crate) async fn stop(mut self) {
        drop(self.stop.take());
        self.serving.await.unwrap();
    }

    /// Where the authority answers.
    pub(crate) fn origin(&self) -> &str {
        &self.announcement.issuer
    }

    /// `POST /sandbox/…` with JSON.
    pub(crate) async fn control(&self, route: &str, body: Value) -> Got {
        let headers = [("Content-Type", "application/json")];
        send(Method::Post, &format!("{}/sandbox/{route}", self.origin()), &headers, &body.to_string()).await
    }

    /// The redirect of a decision of the first user, who is an owner.
    pub(crate) async fn decide(&self, url: &str, decision: &str) -> String {
        let user = &self.announcement.users[0].email;
        let got = self.control("authorize", json!({ "url": url, "user": user, "decision": decision })).await;
        assert_eq!(got.status, 200, "{}", got.text);
        got.json()["redirect"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn advance(&self, by: &str) {
        let got = self.control("clock", json!({ "advance": by })).await;
        assert_eq!(got.status, 200, "{}", got.text);
    }
}

pub(crate) fn parts(data: Option<PathBuf>) -> Parts {
    static STARTED: AtomicU64 = AtomicU64::new(0);
    let store: Arc<dyn Store> = match data {
        None => Arc::new(SqliteStore::ephemeral().unwrap()),
        Some(directory) => Arc::new(SqliteStore::open(directory.join("keyfob.db"), &Options::default()).unwrap()),
    };
    Parts {
        clock: Arc::new(Noon),
        entropy: Arc::new(SeededEntropy::new(STARTED.fetch_add(1, Ordering::SeqCst), "tests")),
        store,
        master: MasterKey::parse(MASTER_KEY).unwrap(),
        tick_mark: Arc::new(MemoryMark::default()),
        clock_health: Arc::new(Believed),
    }
}

/// What the client library takes from outside: real HTTP, and a clock that runs with the sandbox's only where a test moves both.
pub(crate) fn surroundings(clock: Arc<dyn Clock>) -> Surroundings {
    Surroundings {
        transport: Arc::new(Driver::loopback_only().unwrap()),
        clock,
        entropy: Arc::new(SeededEntropy::new(7, "client")),
        pause: Arc::new(keyfob_client::TokioPause),
    }
}

/// An answer.
pub(crate) struct Got {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) text: String,
}

impl Got {
    fn of(response: &HttpResponse) -> Got {
        let headers = response.headers.iter();
        Got {
            status: response.status,
            headers: headers.map(|header| (header.name.clone(), header.value.expose().to_owned())).collect(),
            text: String::from_utf8(response.body.expose().clone()).unwrap(),
        }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("{} is not JSON: {}", self.status, self.text))
    }

    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(n, _)| n == name).map(|(_, value)| value.as_str()).collect()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.all(name).first().copied()
    }

    /// The `errorMessage` of a refusal.
    pub(crate) fn message(&self) -> String {
        self.json()["errorMessage"].as_str().unwrap_or_else(|| panic!("no errorMessage: {}", self.text)).to_owned()
    }
}

/// One request over a socket; redirects are not followed.
pub(crate) async fn send(method: Method, url: &str, headers: &[(&str, &str)], body: &str) -> Got {
    try_send(method, url, headers, body).await.unwrap()
}

/// The same, where there may be no answer.
pub(crate) async fn try_send(
    method: Method,
    url: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Result<Got, SendFailure> {
    let headers = headers
        .iter()
        .map(|(name, value)| Header { name: (*name).to_owned(), value: HeaderValue::Plain((*value).to_owned()) });
    let request = HttpRequest {
        method,
        url: Secret::from(url),
        headers: headers.collect(),
        body: Secret::new(body.as_bytes().to_vec()),
    };
    Ok(Got::of(&Driver::loopback_only().unwrap().send(&request).await?))
}

pub(crate) async fn get(url: &str, headers: &[(&str, &str)]) -> Got {
    send(Method::Get, url, headers, "").await
}
