//! Schemathesis against what our OpenAPI documents promise: of the authority and its API, of the sandbox's control, and of the vault.
//!
//! It has processes of its own, because it sets faults, moves the clock and resets. The seed is fixed, so a finding can be had again.

use super::installed::Installed;
use crate::processes::visitor::{http_client, send};
use crate::readme::Running;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keyfob_protocol::form;
use serde_json::{Value, json};

const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,\
                      response_headers_conformance,unsupported_method";

/// What is asked of one document.
#[derive(Default)]
struct Asked<'a> {
    document: String,
    /// Which of its paths.
    paths: &'a str,
    /// But none of these.
    without: Option<&'a str>,
    headers: Vec<String>,
    /// Values that lead somewhere, where the document says text: name and value.
    real: Vec<(&'a str, String)>,
}

/// Sees to it that what is asked for is there: a user who consented, at the sandbox and at the vault.
struct World {
    http: reqwest::Client,
    sandbox: Value,
}

impl World {
    fn of(sandbox: &Value) -> World {
        World { http: http_client(), sandbox: sandbox.clone() }
    }

    fn issuer(&self) -> &str {
        text(&self.sandbox, "/issuer")
    }

    /// The owner says yes: where their browser is sent.
    async fn approved(&self, url: &str) -> String {
        let asked = json!({ "url": url, "user": text(&self.sandbox, "/users/0/email"), "decision": "approve" });
        let request = self.http.post(format!("{}/sandbox/authorize", self.issuer()));
        let answer = send(request.header("content-type", "application/json").body(asked.to_string())).await;
        answer.expect("an answer").field("redirect").expect("a redirect")
    }

    /// An access token of the first app.
    async fn access_token(&self) -> String {
        let (client_id, secret) =
            (text(&self.sandbox, "/apps/0/clientId"), text(&self.sandbox, "/apps/0/clientSecret"));
        let redirect_uri = text(&self.sandbox, "/apps/0/redirectUris/0");
        let encoded = [("client_id", client_id), ("redirect_uri", redirect_uri), ("state", "x")];
        let query = form::encode(encoded);
        let url = format!("{}/oauth/authorize?response_type=auth_code&{query}", self.issuer());
        let back = self.approved(&url).await;
        let code = back.split(['?', '&']).find_map(|pair| pair.strip_prefix("code=")).expect("a code").to_owned();
        let form = form::encode([
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", redirect_uri),
            ("state", "x"),
        ]);
        let request = self.http.post(format!("{}/oauth/token", self.issuer())).basic_auth(client_id, Some(secret));
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(form);
        let answer = send(request).await.expect("an answer");
        answer.field("access_token").unwrap_or_else(|| panic!("no token: {}", answer.body))
    }

    /// A connection `real` of the vault on trial.
    async fn connected(&self, vault: &Value) {
        let start = self.http.post(format!("{}/connections/start", text(vault, "/url")));
        let start = start.bearer_auth(text(vault, "/callerKey")).body(r#"{"app":"sandbox","id":"real"}"#);
        let link = send(start).await.expect("an answer").field("url").expect("a link");
        let opened = send(self.http.get(link)).await.expect("an answer");
        let cookie = opened.header("set-cookie").split(';').next().expect("a cookie").to_owned();
        let back = self.approved(opened.header("location")).await;
        let ended = send(self.http.get(back).header("cookie", cookie)).await.expect("an answer");
        assert_eq!(ended.header("location"), "/end/connected");
    }
}

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("no {pointer}: {value}"))
}

/// Runs it on one document.
///
/// # Panics
/// With all it said, if it found something or tested nothing.
fn holds(installed: &Installed, asked: &Asked<'_>) {
    let room = tempfile::tempdir().expect("a directory");
    let real = asked.real.iter().map(|(name, value)| format!("{name:?} = {value:?}\n"));
    let settings = format!("[parameters]\n{}", real.collect::<String>());
    std::fs::write(room.path().join("schemathesis.toml"), settings).expect("written");
    let mut command = installed.schemathesis();
    command.args(["run", &asked.document, "--seed", "1", "--max-examples", "15", "--phases", "coverage,fuzzing"]);
    command.args(["--checks", CHECKS, "--continue-on-failure", "--no-color", "--warnings", "off"]);
    command.args(["--include-path-regex", asked.paths]).current_dir(room.path());
    asked.without.iter().for_each(|without| {
        command.args(["--exclude-path-regex", without]);
    });
    asked.headers.iter().for_each(|header| {
        command.args(["--header", header]);
    });
    let output = command.output().expect("schemathesis starts");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("generated, "),
        "{}: {said}\n{}",
        asked.document,
        String::from_utf8_lossy(&output.stderr)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_openapi_documents_promise_holds_for_whatever_is_sent() {
    let installed = Installed::find();
    let sandbox = || Running::announced(&["sandbox", "--listen", "127.0.0.1:0"]);
    let (_authority, authority) = sandbox();
    let (_driven, driven) = sandbox();
    let (_behind, behind) = sandbox();
    let trial = ["vault", "--sandbox", text(&behind, "/issuer"), "--listen", "127.0.0.1:0"];
    let (_vault, vault) = Running::announced(&trial);
    let world = World::of(&authority);
    let (held, end) = (world.access_token().await, world.access_token().await);
    World::of(&behind).connected(&vault).await;
    let document = format!("{}/openapi.json", text(&authority, "/issuer"));
    let (client_id, secret) = (text(&authority, "/apps/1/clientId"), text(&authority, "/apps/1/clientSecret"));
    let basic = STANDARD.encode(format!("{client_id}:{secret}"));
    let system = [
        format!("X-System: {}", text(&authority, "/system/name")),
        format!("X-System-Key: {}", text(&authority, "/system/key")),
    ];
    let as_caller = vec![format!("Authorization: Bearer {}", text(&vault, "/callerKey"))];
    let vault = format!("{}/openapi.json", text(&vault, "/url"));
    let as_user = |token: &str| [vec![format!("Authorization: Bearer {token}")], system.to_vec()].concat();
    let asked = [
        Asked {
            document: document.clone(),
            paths: "^/(oauth|[.]well-known|openapi|healthz|readyz)",
            headers: vec![format!("Authorization: Basic {basic}")],
            ..Asked::default()
        },
        Asked { document: document.clone(), paths: "^/v1", headers: system.to_vec(), ..Asked::default() },
        // Signed in as a user, and at an app that is there; a token that is given back is another one.
        Asked {
            document: document.clone(),
            paths: "^/v1",
            without: Some("revokeAccess"),
            headers: as_user(&held),
            real: vec![("path.id", "1".to_owned())],
        },
        Asked { document, paths: "revokeAccess", headers: as_user(&end), ..Asked::default() },
        Asked {
            document: format!("{}/sandbox/openapi.json", text(&driven, "/issuer")),
            paths: "^/sandbox",
            ..Asked::default()
        },
        Asked { document: vault.clone(), paths: "^/", headers: as_caller.clone(), ..Asked::default() },
        // A connection that is there.
        Asked {
            document: vault,
            paths: "{id}",
            headers: as_caller,
            real: vec![
                ("path.app", "sandbox".to_owned()),
                ("path.id", "real".to_owned()),
                ("path.path", "v1/identity".to_owned()),
            ],
            ..Asked::default()
        },
    ];
    tokio::task::block_in_place(|| {
        std::thread::scope(|scope| {
            for asked in &asked {
                scope.spawn(|| holds(&installed, asked));
            }
        });
    });
}
