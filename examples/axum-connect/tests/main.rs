//! The app as a process beside a sandbox; the test is the browser.

use keyfob_authority::keys::MasterKey;
use keyfob_protocol::{Clock, Timestamp};
use keyfob_sandbox::seed::{SEEDED_UNTIL, SeededEntropy};
use keyfob_sandbox::{Parts, SandboxOptions, start};
use keyfob_server::clock_health::Believed;
use keyfob_server::follow::MemoryMark;
use keyfob_store_sqlite::SqliteStore;
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

const REDIRECT_URI: &str = "https://app.example.com/callback";
/// Of the app's file.
const KEY: &str = "q1Zk0c7mJ2sY9uVn4bXw8eRt5aLo3iPd6gHf+CjKxQM=";

/// A clock that stands.
struct Noon;

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        SEEDED_UNTIL
    }
}

/// A sandbox in this process; what it announces.
async fn sandbox() -> Value {
    let parts = Parts {
        clock: Arc::new(Noon),
        entropy: Arc::new(SeededEntropy::new(7, "axum-connect")),
        store: Arc::new(SqliteStore::ephemeral().expect("a store")),
        master: MasterKey::parse(KEY).expect("a key"),
        tick_mark: Arc::new(MemoryMark::default()),
        clock_health: Arc::new(Believed),
    };
    let options = SandboxOptions {
        seed: 1,
        listen: "127.0.0.1:0".parse().expect("an address"),
        separate_hosts: false,
        fub_status: false,
        redirect_uris: vec![REDIRECT_URI.to_owned()],
        data: None,
        scenario: None,
    };
    let sandbox = start(options, parts).await.expect("a sandbox");
    let announced = serde_json::to_value(sandbox.announcement()).expect("JSON");
    // Ends with the test's runtime.
    tokio::spawn(sandbox.run_until(std::future::pending()));
    announced
}

/// The app. Killed when dropped.
struct Running {
    process: Child,
    base: String,
}

impl Running {
    fn start(sandbox: &Value, directory: &Path) -> Running {
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let mut command = Command::new(env!("CARGO_BIN_EXE_axum-connect"));
        command.env("SANDBOX", text(&sandbox["issuer"])).env("LISTEN", "127.0.0.1:0");
        command.env("X_SYSTEM", text(&sandbox["system"]["name"])).env("X_SYSTEM_KEY", text(&sandbox["system"]["key"]));
        command.env("CLIENT_ID", text(&sandbox["apps"][1]["clientId"]));
        command.env("CLIENT_SECRET", text(&sandbox["apps"][1]["clientSecret"]));
        command.env("REDIRECT_URI", REDIRECT_URI).env("MASTER_KEY", KEY);
        command.env("CONNECTIONS", directory.join("connections.db"));
        let mut process = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("the app starts");
        let mut line = String::new();
        let read = BufReader::new(process.stdout.take().expect("a pipe")).read_line(&mut line);
        let base = line.strip_suffix("/connect\n").unwrap_or_else(|| panic!("{read:?}: {line}")).to_owned();
        Running { process, base }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A browser with one cookie.
struct Browser {
    http: reqwest::Client,
    cookie: String,
}

impl Browser {
    fn new() -> Browser {
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy();
        let http = http.timeout(Duration::from_secs(30)).build().expect("a client");
        Browser { http, cookie: String::new() }
    }

    /// Status, location and body.
    async fn get(&mut self, url: &str) -> (u16, String, String) {
        let answer = self.http.get(url).header(COOKIE, &self.cookie).send().await.expect("an answer");
        if let Some(cookie) = answer.headers().get(SET_COOKIE) {
            let cookie = cookie.to_str().expect("a text");
            self.cookie = cookie.split(';').next().expect("a pair").to_owned();
        }
        let location = answer.headers().get(LOCATION).map(|location| location.to_str().expect("a text").to_owned());
        (answer.status().as_u16(), location.unwrap_or_default(), answer.text().await.expect("a body"))
    }

    /// Connects, as the owner of the first account decides; the callback's path and query.
    async fn back_from(&mut self, sandbox: &Value, app: &Running, decision: &str) -> String {
        let (status, url, _) = self.get(&format!("{}/connect", app.base)).await;
        assert_eq!(status, 303);
        let asked = json!({ "url": url, "user": sandbox["users"][0]["email"], "decision": decision });
        let request = self.http.post(format!("{}/sandbox/authorize", sandbox["issuer"].as_str().expect("an issuer")));
        let request = request.header("content-type", "application/json").body(asked.to_string());
        let answer = request.send().await.expect("an answer").text().await.expect("a body");
        let answer: Value = serde_json::from_str(&answer).expect("JSON");
        let redirect = answer["redirect"].as_str().unwrap_or_else(|| panic!("{answer}"));
        redirect.strip_prefix("https://app.example.com").expect("the registered address").to_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_connects_calls_and_is_still_connected_after_a_restart() {
    let (sandbox, directory) = (sandbox().await, tempfile::tempdir().expect("a directory"));
    let app = Running::start(&sandbox, directory.path());
    let mut browser = Browser::new();
    assert_eq!(browser.get(&format!("{}/people", app.base)).await.0, 409, "nobody is connected yet");

    let declined = browser.back_from(&sandbox, &app, "deny").await;
    assert_eq!(browser.get(&format!("{}{declined}", app.base)).await.1, "/ended/declined");
    assert_eq!(browser.get(&format!("{}/people", app.base)).await.0, 409);

    let callback = browser.back_from(&sandbox, &app, "approve").await;
    for ends_on in ["/ended/connected", "/people"] {
        let (status, location, _) = browser.get(&format!("{}{callback}", app.base)).await;
        assert_eq!((status, location.as_str()), (303, ends_on));
    }
    let (status, _, people) = browser.get(&format!("{}/people", app.base)).await;
    assert!(status == 200 && people.contains("\"people\":["), "{status} {people}");

    drop(app);
    let app = Running::start(&sandbox, directory.path());
    assert_eq!(browser.get(&format!("{}/people", app.base)).await.0, 200, "kept, sealed, across the restart");
}

#[tokio::test(flavor = "multi_thread")]
async fn cl_01_a_callback_counts_in_the_browser_that_was_sent_away() {
    let (sandbox, directory) = (sandbox().await, tempfile::tempdir().expect("a directory"));
    let app = Running::start(&sandbox, directory.path());
    let callback = Browser::new().back_from(&sandbox, &app, "approve").await;
    let mut victim = Browser::new();
    victim.back_from(&sandbox, &app, "deny").await;
    assert_eq!(victim.get(&format!("{}{callback}", app.base)).await.1, "/ended/failed");
    assert_eq!(victim.get(&format!("{}/people", app.base)).await.0, 409);
}
