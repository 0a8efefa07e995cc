//! A `keyfob vault` process, the browser that opens its links, whoever takes its webhooks, and a script that uses it.

use super::super::connections::sandbox::{REDIRECT_URI, Sandbox};
use super::super::place::{bare_command, told};
use super::super::serving::Serving;
use super::super::visitor::{http_client, send};
use axum::Router;
use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::routing::post;
use reqwest::header::{COOKIE, SET_COOKIE};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStdout};
use tokio::sync::mpsc;

pub(super) const WEBHOOK_SECRET: &str = "a webhook secret of the tests";

/// More than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// As in production, public behind a name that is not where it listens; the browser is led there.
pub(super) struct Vault {
    serving: Serving,
    pub(super) key: String,
    _directory: TempDir,
}

impl Vault {
    /// With one app, `fub`, which is this one of the sandbox's, and one caller.
    pub(super) fn start(sandbox: &Sandbox, app: usize, webhooks: &Webhooks) -> Vault {
        let directory = tempfile::tempdir().expect("a directory");
        let secret = |name: &str, text: &str| {
            let path = directory.path().join(name);
            std::fs::write(&path, text).expect("written");
            std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).expect("changed");
        };
        secret("fub.secret", sandbox.app(app, "clientSecret"));
        secret("fub.system-key", sandbox.system("key"));
        secret("webhook.secret", WEBHOOK_SECRET);
        let made = told(bare_command(&["vault", "key", "--json"]), "");
        let made: Value = serde_json::from_str(&made.stdout).unwrap_or_else(|error| panic!("{error}: {made:?}"));
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let configuration = format!(
            r#"public_url = "{public_url}"
listen = "127.0.0.1:0"
log = "json"

[apps.fub]
authority = "followupboss"
sandbox = "{issuer}"
client_id = "{client_id}"
client_secret_file = "fub.secret"
system = "{system}"
system_key_file = "fub.system-key"

[callers.backend]
key_sha256 = "{digest}"
rights = ["connect", "read", "manage"]
proxy = ["GET /v1/people", "GET /v1/people/*"]

[webhooks.backend]
url = "{webhooks}"
secret_file = "webhook.secret"
"#,
            public_url = public_url(),
            issuer = sandbox.issuer(),
            client_id = sandbox.app(app, "clientId"),
            system = sandbox.system("name"),
            digest = text(&made["keySha256"]),
            webhooks = webhooks.url,
        );
        std::fs::write(directory.path().join("vault.toml"), configuration).expect("written");
        let mut command = bare_command(&["vault"]);
        command.current_dir(directory.path());
        Vault { serving: Serving::start(command), key: text(&made["key"]), _directory: directory }
    }

    pub(super) fn base(&self) -> String {
        self.serving.base()
    }

    /// The user opens the link, decides, and comes back; the page on which that ends.
    pub(super) async fn opens(&self, sandbox: &Sandbox, link: &str, decision: &str) -> String {
        let http = http_client();
        let here =
            |url: &str| format!("{}{}", self.base(), url.strip_prefix(public_url()).expect("the public address"));
        let away = send(http.get(here(link))).await.expect("an answer");
        assert_eq!(away.status, 303, "{}", away.body);
        let cookie = away.header(SET_COOKIE.as_str()).split(';').next().expect("a pair").to_owned();
        let back = sandbox.decides(sandbox.user(1, "Owner"), away.header("location"), decision).await;
        let back = send(http.get(here(&back)).header(COOKIE, cookie)).await.expect("an answer");
        assert_eq!(back.status, 303, "{}", back.body);
        back.header("location").to_owned()
    }

    /// A user is connected by a link.
    pub(super) async fn connects(&self, sandbox: &Sandbox, user: &str) {
        let asked = json!({ "app": "fub", "id": user }).to_string();
        let request = http_client().post(format!("{}/connections/start", self.base()));
        let started = send(request.bearer_auth(&self.key).body(asked)).await.expect("an answer");
        let link = started.field("url").unwrap_or_else(|| panic!("no link: {}", started.body));
        assert_eq!(self.opens(sandbox, &link, "approve").await, "/end/connected");
    }

    /// The connection of this user is given back.
    pub(super) async fn gives_back(&self, user: &str) {
        let request = http_client().delete(format!("{}/connections/fub/{user}", self.base()));
        let removed = send(request.bearer_auth(&self.key)).await.expect("an answer");
        assert_eq!(removed.status, 200, "{}", removed.body);
    }
}

fn public_url() -> &'static str {
    REDIRECT_URI.strip_suffix("/callback").expect("the vault's path")
}

/// A receiver that takes everything.
pub(super) struct Webhooks {
    pub(super) url: String,
    taken: mpsc::UnboundedReceiver<(String, Bytes)>,
}

impl Webhooks {
    pub(super) async fn listen() -> Webhooks {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/webhooks/keyfob", listener.local_addr().expect("an address"));
        let (take, taken) = mpsc::unbounded_channel();
        let take = async move |headers: HeaderMap, body: Bytes| {
            let signature = headers["keyfob-signature"].to_str().expect("a text").to_owned();
            // The test may be over.
            let _ = take.send((signature, body));
        };
        let router = Router::new().route("/webhooks/keyfob", post(take));
        // Ends with the test's runtime.
        tokio::spawn(async move { axum::serve(listener, router).await });
        Webhooks { url, taken }
    }

    /// Signature and body of the next event.
    pub(super) async fn next(&mut self) -> (String, Bytes) {
        tokio::time::timeout(PATIENCE, self.taken.recv()).await.expect("an event comes").expect("it listens")
    }
}

/// A running script. Killed when dropped.
pub(super) struct Script {
    process: Child,
    stdout: BufReader<ChildStdout>,
}

impl Script {
    pub(super) fn start(command: Command) -> Script {
        let mut command = tokio::process::Command::from(command);
        let mut process = command.stdout(Stdio::piped()).kill_on_drop(true).spawn().expect("it is installed");
        let stdout = BufReader::new(process.stdout.take().expect("a pipe"));
        Script { process, stdout }
    }

    /// The next line that it prints.
    pub(super) async fn line(&mut self) -> String {
        let mut line = String::new();
        let read = tokio::time::timeout(PATIENCE, self.stdout.read_line(&mut line)).await.expect("it prints");
        read.expect("a text");
        line.trim_end().to_owned()
    }

    /// Everything that it still prints, once it has succeeded.
    pub(super) async fn ended(self) -> String {
        let (code, said, complained) = self.end().await;
        assert_eq!(code, Some(0), "{said}\n{complained}");
        said
    }

    /// Its exit code and what it complained about.
    pub(super) async fn failed(self) -> (Option<i32>, String) {
        let (code, _, complained) = self.end().await;
        (code, complained)
    }

    async fn end(mut self) -> (Option<i32>, String, String) {
        let end = async {
            let mut said = String::new();
            self.stdout.read_to_string(&mut said).await.expect("a text");
            let output = self.process.wait_with_output().await.expect("it ends");
            (output.status.code(), said, String::from_utf8_lossy(&output.stderr).into_owned())
        };
        tokio::time::timeout(PATIENCE, end).await.expect("it ends in time")
    }
}
