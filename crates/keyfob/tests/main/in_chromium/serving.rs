//! `keyfob serve` with an account, two users, a system and two apps, all added by the command line.

use super::app::App;
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;
use url::Url;

/// The port is a free one, so the issuer cannot be made from it.
pub(super) const ISSUER: &str = "http://127.0.0.1";
pub(super) const PASSWORD: &str = "correct horse battery staple";
pub(super) const OWNER: &str = "olive@example.com";
pub(super) const AGENT: &str = "adam@example.com";
/// What the consent page must show as text.
pub(super) const SYSTEM: &str = "<b>Partner</b> & Söhne";

/// RFC 7636 appendix B.
pub(super) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// A running authority. Killed when dropped.
pub(super) struct Serving {
    pub(super) origin: String,
    pub(super) confidential: Client,
    pub(super) public: Client,
    child: Child,
    _place: TempDir,
}

/// A registered app.
pub(super) struct Client {
    pub(super) id: String,
    pub(super) secret: Option<String>,
    redirect_uri: String,
    authorize: String,
}

impl Serving {
    pub(super) fn start(app: &App) -> Serving {
        let place = tempfile::tempdir().expect("a directory");
        let run = |arguments: &[&str], input: &str| command_line(&place, arguments, input);
        run(&["account", "add", "--name", "Maple Street Realty", "--domain", "maple"], "");
        for (email, name, role) in [(OWNER, "Olive Owner", "owner"), (AGENT, "Adam Agent", "agent")] {
            let add = ["user", "add", "--account", "1", "--email", email, "--name", name, "--role", role];
            run(&add, PASSWORD);
        }
        run(&["system", "add", "--name", SYSTEM], "");
        let redirect_uri = app.redirect_uri();
        let add = |name| ["app", "add", "--system", SYSTEM, "--name", name, "--redirect-uri", &redirect_uri];
        let confidential = run(&add("Listing Lantern"), "");
        let public = run(&[&add("Doorbell")[..], &["--public"]].concat(), "");

        let mut command = keyfob(&place, &["serve"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the binary starts");
        let mut log = BufReader::new(child.stderr.take().expect("a pipe")).lines().map_while(Result::ok);
        let ready = log.find_map(|line| {
            let line: Value = serde_json::from_str(&line).ok()?;
            let ready = line["fields"]["message"] == "ready";
            ready.then(|| line["fields"]["address"].as_str().expect("an address").to_owned())
        });
        std::thread::spawn(move || log.for_each(drop));
        let origin = format!("http://{}", ready.expect("it becomes ready"));
        let client = |app: &Value| Client {
            id: app["client_id"].as_str().or(app["clientId"].as_str()).expect("a client id").to_owned(),
            secret: app["clientSecret"].as_str().map(str::to_owned),
            redirect_uri: redirect_uri.clone(),
            authorize: format!("{origin}/oauth/authorize"),
        };
        let (confidential, public) = (client(&confidential), client(&public));
        Serving { origin, confidential, public, child, _place: place }
    }

    /// What the confidential app gets for a code.
    pub(super) async fn redeem(&self, code: &str) -> Value {
        let client = &self.confidential;
        let exchange = [("grant_type", "auth_code"), ("code", code), ("redirect_uri", &client.redirect_uri)];
        let (status, tokens) = self.token(client, &exchange).await;
        assert_eq!((status, tokens["token_type"].as_str()), (200, Some("Bearer")), "{tokens}");
        tokens
    }

    /// Posts to the token endpoint, as the app's server would.
    pub(super) async fn token(&self, client: &Client, parameters: &[(&str, &str)]) -> (u16, Value) {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(parameters);
        let request = reqwest::Client::new().post(format!("{}/oauth/token", self.origin));
        let request = match &client.secret {
            Some(secret) => request.basic_auth(&client.id, Some(secret)),
            None => {
                form.append_pair("client_id", &client.id);
                request
            }
        };
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(form.finish());
        let answer = request.send().await.expect("an answer");
        let status = answer.status().as_u16();
        (status, serde_json::from_str(&answer.text().await.expect("a body")).expect("JSON"))
    }
}

impl Client {
    /// Where the app sends the browser, in Follow Up Boss's spelling, with more parameters.
    pub(super) fn follow_up_boss(&self, state: &str, more: &[(&str, &str)]) -> String {
        self.url(&[&[("response_type", "auth_code"), ("state", state)], more].concat())
    }

    /// The same in the standard's, with PKCE.
    pub(super) fn standard(&self, state: &str) -> String {
        let challenge = [("code_challenge", CHALLENGE), ("code_challenge_method", "S256")];
        self.url(&[&[("response_type", "code"), ("state", state)], &challenge[..]].concat())
    }

    /// With the parameters that the tests of error pages change.
    pub(super) fn with(&self, client_id: &str, redirect_uri: &str) -> String {
        let parameters = [("response_type", "auth_code"), ("state", "s1")];
        let all = [("client_id", client_id), ("redirect_uri", redirect_uri)].into_iter().chain(parameters);
        Url::parse_with_params(&self.authorize, all).expect("a URL").into()
    }

    fn url(&self, parameters: &[(&str, &str)]) -> String {
        let own = [("client_id", self.id.as_str()), ("redirect_uri", self.redirect_uri.as_str())];
        Url::parse_with_params(&self.authorize, own.into_iter().chain(parameters.iter().copied()))
            .expect("a URL")
            .into()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The binary, and nothing of ours from the environment of the test.
pub(super) fn bare(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keyfob"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("KEYFOB_") || name == "RUST_LOG") {
        command.env_remove(name);
    }
    command.args(arguments).stdin(Stdio::null());
    command
}

fn keyfob(place: &TempDir, arguments: &[&str]) -> Command {
    let mut command = bare(arguments);
    command.current_dir(place.path());
    command.env("KEYFOB_ISSUER", ISSUER).env("KEYFOB_LISTEN", "127.0.0.1:0").env("KEYFOB_LOG", "json");
    command
}

/// A command that must succeed; its JSON.
fn command_line(place: &TempDir, arguments: &[&str], input: &str) -> Value {
    let mut command = keyfob(place, &[arguments, &["--json"]].concat());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary starts");
    // A command that does not read its input closes it.
    let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
    let output = child.wait_with_output().expect("the binary ends");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{arguments:?}: {error}"))
}
