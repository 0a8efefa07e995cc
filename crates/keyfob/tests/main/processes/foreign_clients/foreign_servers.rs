//! Our own client, `keyfob connect ISSUER` and what follows it, against authorization servers of others.

use super::super::connections::desk::{Connecting, Desk};
use super::super::place::{REDIRECT_URI, clear_environment};
use super::super::visitor::{Visitor, http_client, send};
use super::authority::IMPORTED_SECRET;
use super::installed::Installed;
use super::table::{INTEROPERABILITY, Table};
use keyfob_protocol::form;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use tempfile::TempDir;
use url::Url;

pub(super) const CLIENT_ID: &str = "keyfob-at-a-desk";
const NAME: &str = "foreign";
/// More redirects and pages than any of them has.
const STEPS: usize = 20;

/// A server of `clients/`. Killed when dropped.
pub(super) struct Server {
    child: Child,
    /// Its issuer, its version, its API and perhaps a scope.
    announced: Value,
    _room: TempDir,
}

impl Server {
    fn start(installed: &Installed, script: &str) -> Server {
        Server::start_for(installed, script, REDIRECT_URI)
    }

    /// With a client that is sent back there.
    pub(super) fn start_for(installed: &Installed, script: &str, redirect_uri: &str) -> Server {
        let room = tempfile::tempdir().expect("a directory");
        let mut command = installed.command(script, room.path());
        clear_environment(&mut command);
        command.env("CLIENT_ID", CLIENT_ID).env("CLIENT_SECRET", IMPORTED_SECRET).env("REDIRECT_URI", redirect_uri);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = command.spawn().expect("the interpreter starts");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let line = lines.next().expect("a line").expect("UTF-8");
        // It may say more, and would end if nobody listened.
        std::thread::spawn(move || lines.for_each(drop));
        let announced = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{script}: {error}: {line}"));
        Server { child, announced, _room: room }
    }

    pub(super) fn told(&self, name: &str) -> &str {
        self.announced[name].as_str().unwrap_or_else(|| panic!("no {name}: {}", self.announced))
    }

    /// What the browser does: follows redirects, and decides on every page. The callback that it ends on.
    async fn callback_of(&self, authorize_url: &str, decision: &str) -> String {
        self.sent_back_to(REDIRECT_URI, authorize_url, decision).await
    }

    /// The same where the client has this redirect URI.
    pub(super) async fn sent_back_to(&self, redirect_uri: &str, authorize_url: &str, decision: &str) -> String {
        let mut visitor = Visitor::new(&http_client());
        let mut url = Url::parse(authorize_url).expect("a URL");
        for _ in 0..STEPS {
            let answer = visitor.get(url.as_str()).await.expect("an answer");
            match answer.status {
                200 => {
                    url.query_pairs_mut().append_pair("decision", decision);
                }
                302 | 303 => url = url.join(answer.header("location")).expect("a URL"),
                status => panic!("{status} at {url}: {}", answer.body),
            }
            if url.as_str().starts_with(redirect_uri) {
                return url.to_string();
            }
        }
        panic!("it never came back from {url}");
    }

    /// Begins to connect.
    fn connecting(&self, desk: &Desk) -> Connecting {
        let mut arguments =
            vec![self.told("issuer"), "--api", self.told("api"), "--redirect-uri", REDIRECT_URI, "--as", NAME];
        if let Some(scope) = self.announced["scope"].as_str() {
            arguments.extend(["--scope", scope]);
        }
        desk.begin(&arguments)
    }

    /// What a server says to a refresh token, presented by hand: the error code.
    async fn refuses(&self, refresh_token: &str) -> String {
        let metadata = format!("{}/.well-known/oauth-authorization-server", self.told("issuer"));
        let metadata = send(http_client().get(metadata)).await.expect("an answer");
        let metadata: Value = serde_json::from_str(&metadata.body).expect("JSON");
        let mut fields = vec![("grant_type", "refresh_token"), ("refresh_token", refresh_token)];
        let basic = metadata["token_endpoint_auth_methods_supported"].as_array().expect("methods");
        let mut request = http_client().post(metadata["token_endpoint"].as_str().expect("a URL"));
        if basic.contains(&"client_secret_basic".into()) {
            let secret = keyfob_protocol::Secret::from(IMPORTED_SECRET);
            request =
                request.header("authorization", keyfob_protocol::basic::header(CLIENT_ID, &secret).expose().as_str());
        } else {
            fields.extend([("client_id", CLIENT_ID), ("client_secret", IMPORTED_SECRET)]);
        }
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(form::encode(fields));
        let answer = send(request).await.expect("an answer");
        assert_ne!(answer.status, 200, "{}", answer.body);
        answer.field("error").unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn refresh_token(desk: &Desk) -> String {
    desk.kept(NAME)["standing"]["refreshToken"].as_str().expect("a refresh token").to_owned()
}

/// The whole life of a connection to it; its row.
async fn life(installed: &Installed, name: &str, script: &str) -> Vec<String> {
    let server = Server::start(installed, script);
    let desk = Desk::with(vec![
        ("KEYFOB_CLIENT_ID", CLIENT_ID.to_owned()),
        ("KEYFOB_CLIENT_SECRET", IMPORTED_SECRET.to_owned()),
    ]);
    let connecting = server.connecting(&desk);
    let declined = server.callback_of(&connecting.url, "deny").await;
    let told = connecting.pastes(&[&declined]);
    assert_eq!(told.code, Some(8), "{name}: {told:?}");

    let connecting = server.connecting(&desk);
    assert!(connecting.url.contains("code_challenge_method=S256"), "{}", connecting.url);
    let callback = server.callback_of(&connecting.url, "approve").await;
    let told = connecting.pastes(&[&callback]);
    assert_eq!(told.code, Some(0), "{name}: {told:?}");
    let mut seen = vec![refresh_token(&desk)];
    for _ in 0..2 {
        let called = desk.does(&["call", "GET", server.told("api")]);
        let called: Value = serde_json::from_str(&called.stdout).expect("JSON");
        assert_eq!(called["sub"], "42", "{name}: {called}");
        desk.does(&["connections", "refresh", NAME]);
        assert!(!seen.contains(&refresh_token(&desk)), "{name}: it rotates");
        seen.push(refresh_token(&desk));
    }
    desk.does(&["call", "GET", server.told("api")]);
    desk.does(&["connections", "revoke", NAME]);
    assert_eq!(server.refuses(seen.last().expect("one")).await, "invalid_grant", "{name}: given back");

    let result =
        "`error=access_denied` understood, connected with PKCE, called, refreshed and rotated twice, called, revoked";
    vec![name.to_owned(), server.told("version").to_owned(), result.to_owned()]
}

#[tokio::test(flavor = "multi_thread")]
async fn cl_08_the_client_connects_refreshes_and_gives_back_at_foreign_servers() {
    let installed = Installed::find();
    let (one, other) = tokio::join!(
        life(&installed, "oidc-provider (npm), secret by Basic", "oidc-provider-server.mjs"),
        life(&installed, "Authlib (PyPI) with Flask, secret in the body", "authlib_server.py"),
    );
    let head = &["authorization server", "version", "result"];
    Table { document: INTEROPERABILITY, name: "authorization servers", head, rows: vec![one, other] }
        .must_stand_in_the_document();
}
