//! The token endpoint and the gate, row by row, as an app and an attacker see them.

mod about_token;
mod at_rest;
mod client_authentication;
mod client_credentials;
mod cross_feed;
mod enabling;
mod faults;
mod feed;
mod gate;
mod ledger;
mod lifetimes;
mod limits;
mod pkce;
mod reasons;
mod redemption;
mod refresh;
mod refresh_rotating;
mod registration;
mod resources;
mod restarts;
mod rotation;
mod scope;
mod second_use;
mod sweeping;
mod table_t;
mod table_t_grants;
mod usage;
pub(crate) mod watched_store;

use http::Request;
use keyfob_authority::model::{AppPolicy, RefreshPolicy};
use keyfob_protocol::form;
use keyfob_store_sqlite::{Options, SqliteStore};
use keyfob_testkit::{Answer, Browser, ManualClock, TestApp, TestServer, TestServerOptions};
use std::path::Path;
use std::sync::Arc;

/// The verifier and challenge of RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
/// The state that the testkit's authorize URL sends.
const STATE: &str = "st-4711";
/// An access token's lifetime in seconds.
const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

/// A code by the seed's authorize URL.
async fn code(server: &TestServer, app: &TestApp) -> String {
    Browser::new(server).connect(&app.authorize_url()).await.code()
}

/// A code by `response_type=code` and these parameters.
async fn standard_code(server: &TestServer, app: &TestApp, more: &[(&str, &str)]) -> String {
    let parameters: Vec<_> = [("response_type", "code")].into_iter().chain(more.iter().copied()).collect();
    Browser::new(server).connect(&app.authorize_url_with(&parameters)).await.code()
}

/// A code with the PKCE commitment [`CHALLENGE`].
async fn pkce_code(server: &TestServer, app: &TestApp) -> String {
    standard_code(server, app, &[("code_challenge", CHALLENGE), ("code_challenge_method", "S256"), ("state", STATE)])
        .await
}

/// The fields of an exchange, and more.
fn exchange_fields<'a>(app: &'a TestApp, code: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let own =
        [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", app.app.redirect_uris[0].as_str())];
    own.into_iter().chain(more.iter().copied()).collect()
}

/// Refresh tokens rotate.
fn rotating() -> AppPolicy {
    AppPolicy { refresh: RefreshPolicy::Rotating, ..AppPolicy::default() }
}

/// A whole connection.
struct Connected {
    access_token: String,
    refresh_token: String,
}

/// Connects a confidential app.
async fn connect(server: &TestServer, app: &TestApp) -> Connected {
    connected(&app.exchange(server, &code(server, app).await).await)
}

/// Connects a public app.
async fn connect_public(server: &TestServer, app: &TestApp) -> Connected {
    let code = pkce_code(server, app).await;
    connected(&app.post(server, &exchange_fields(app, &code, &[("code_verifier", VERIFIER)])).await)
}

/// The tokens of a POST answer.
fn connected(answer: &Answer) -> Connected {
    assert_eq!(answer.status(), 200, "{}", answer.text());
    Connected { access_token: answer.at("access_token"), refresh_token: answer.at("refresh_token") }
}

/// A request of the test's own making.
async fn send(server: &TestServer, method: &str, uri: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    server.send(request.body(body.to_owned()).expect("a request")).await
}

/// A `POST` of a form with these headers beside `Content-Type`.
async fn post_form(server: &TestServer, headers: &[(&str, &str)], fields: &[(&str, &str)]) -> Answer {
    let mut headers = headers.to_vec();
    headers.push(("content-type", "application/x-www-form-urlencoded"));
    send(server, "POST", "/oauth/token", &headers, &form::encode(fields.iter().copied())).await
}

/// A `GET` of the token endpoint with these headers.
async fn get_form(server: &TestServer, headers: &[(&str, &str)], fields: &[(&str, &str)]) -> Answer {
    let uri = format!("/oauth/token?{}", form::encode(fields.iter().copied()));
    send(server, "GET", &uri, headers, "").await
}

/// What the gate says to a token: the status of `GET /v1/identity`.
async fn identity(server: &TestServer, access_token: &str) -> u16 {
    server.call("/v1/identity", access_token).await.status()
}

/// Refused in the RFC shape, with status 400.
fn assert_refused(answer: &Answer, error: &str) {
    assert_eq!((answer.status(), answer.at("error").as_str()), (400, error), "{}", answer.text());
}

/// One node of several on one SQLite file.
async fn node(file: &Path, clock: &Arc<ManualClock>, entropy_seed: u64) -> TestServer {
    let store = Arc::new(SqliteStore::open(file, &Options::default()).expect("a store"));
    let options = TestServerOptions {
        store: Some(store),
        clock: Some(clock.clone()),
        entropy_seed,
        ..TestServerOptions::default()
    };
    TestServer::start_with(options).await
}
