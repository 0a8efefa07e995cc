//! `keyfob sandbox` on a free port, with the credentials that it printed.

use super::app::App;
use super::serving::bare;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use url::Url;

/// A running sandbox. Killed when dropped.
pub(super) struct Sandbox {
    pub(super) origin: String,
    pub(super) demo: String,
    credentials: Value,
    child: Child,
}

impl Sandbox {
    /// `app`: registered with every client, besides the demo.
    pub(super) fn start(app: &App) -> Sandbox {
        let mut command =
            bare(&["sandbox", "--json", "--listen", "127.0.0.1:0", "--redirect-uri", &app.redirect_uri()]);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the binary starts");
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        stdout.read_line(&mut line).expect("it prints its credentials");
        let credentials: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let text = |name: &str| credentials[name].as_str().expect("an address").to_owned();
        Sandbox { origin: text("issuer"), demo: text("demo"), credentials, child }
    }

    /// E-mail and password of the first user.
    pub(super) fn user(&self) -> (&str, &str) {
        let user = &self.credentials["users"][0];
        (user["email"].as_str().expect("an address"), user["password"].as_str().expect("a password"))
    }

    /// Client id and secret of the first app.
    pub(super) fn app(&self) -> (&str, &str) {
        let text = |name: &str| self.credentials["apps"][0][name].as_str().expect("a credential");
        (text("clientId"), text("clientSecret"))
    }

    /// Where the first app sends the browser.
    pub(super) fn authorize(&self, app: &App) -> String {
        let client_id = self.credentials["apps"][0]["clientId"].as_str().expect("a client id");
        let redirect_uri = app.redirect_uri();
        let parameters = [
            ("response_type", "auth_code"),
            ("client_id", client_id),
            ("redirect_uri", &redirect_uri),
            ("state", "s1"),
        ];
        Url::parse_with_params(&format!("{}/oauth/authorize", self.origin), parameters).expect("a URL").into()
    }

    /// Lets time pass: `16m`.
    pub(super) async fn advance(&self, time: &str) {
        let body = json!({ "advance": time }).to_string();
        let request = reqwest::Client::new().post(format!("{}/sandbox/clock", self.origin));
        let answer = request.header("content-type", "application/json").body(body).send().await.expect("an answer");
        assert_eq!(answer.status(), 200);
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
