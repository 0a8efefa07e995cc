//! An app as its developer sees it: client id, secret, and what it sends.

use crate::answer::Answer;
use crate::server::{REDIRECT_URI, TestServer};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{Method, Request};
use keyfob_authority::model::App;
use keyfob_protocol::{Secret, form};

/// A registered app with its secret.
#[derive(Clone, Debug)]
pub struct TestApp {
    /// As stored.
    pub app: App,
    /// `None` for a public app.
    pub secret: Option<Secret<String>>,
}

/// The state that [`TestApp::authorize_url`] sends.
const STATE: &str = "st-4711";

impl TestApp {
    /// Its client id.
    pub fn client_id(&self) -> &str {
        &self.app.client_id
    }

    /// The seed's authorize URL: `auth_code`, its first redirect URI, a state.
    pub fn authorize_url(&self) -> String {
        self.authorize_url_with(&[("response_type", "auth_code"), ("state", STATE)])
    }

    /// An authorize URL with `client_id`, its first redirect URI and these parameters.
    pub fn authorize_url_with(&self, more: &[(&str, &str)]) -> String {
        let redirect_uri = self.app.redirect_uris[0].as_str();
        let own = [("client_id", self.client_id()), ("redirect_uri", redirect_uri)];
        format!("/oauth/authorize?{}", form::encode(own.into_iter().chain(more.iter().copied())))
    }

    /// The value of its `Authorization` header.
    pub fn basic(&self) -> String {
        let secret = self.secret.as_ref().map(|secret| secret.expose().as_str()).unwrap_or_default();
        format!("Basic {}", STANDARD.encode(format!("{}:{secret}", self.client_id())))
    }

    /// `POST /oauth/token` with Basic and these fields.
    pub async fn post(&self, server: &TestServer, fields: &[(&str, &str)]) -> Answer {
        let mut request = Request::post("/oauth/token").header("content-type", "application/x-www-form-urlencoded");
        let mut fields = fields.to_vec();
        match &self.secret {
            Some(_) => request = request.header("authorization", self.basic()),
            None => fields.push(("client_id", self.client_id())),
        }
        server.send(request.body(form::encode(fields)).expect("a request")).await
    }

    /// `GET /oauth/token` with Basic and these parameters.
    pub async fn get(&self, server: &TestServer, parameters: &[(&str, &str)]) -> Answer {
        let request = Request::builder()
            .method(Method::GET)
            .uri(format!("/oauth/token?{}", form::encode(parameters.iter().copied())));
        server.send(request.header("authorization", self.basic()).body(String::new()).expect("a request")).await
    }

    /// Exchanges a code by POST, with the redirect URI and state of [`TestApp::authorize_url`].
    pub async fn exchange(&self, server: &TestServer, code: &str) -> Answer {
        let redirect_uri = self.app.redirect_uris[0].as_str().to_owned();
        let grant = ("grant_type", "authorization_code");
        self.post(server, &[grant, ("code", code), ("redirect_uri", &redirect_uri), ("state", STATE)]).await
    }

    /// Exchanges a code by the legacy GET.
    pub async fn exchange_by_get(&self, server: &TestServer, code: &str) -> Answer {
        let parameters =
            [("grant_type", "auth_code"), ("code", code), ("redirect_uri", REDIRECT_URI), ("state", STATE)];
        self.get(server, &parameters).await
    }

    /// Refreshes by POST.
    pub async fn refresh(&self, server: &TestServer, refresh_token: &str) -> Answer {
        self.post(server, &[("grant_type", "refresh_token"), ("refresh_token", refresh_token)]).await
    }

    /// Refreshes by the legacy GET.
    pub async fn refresh_by_get(&self, server: &TestServer, refresh_token: &str) -> Answer {
        self.get(server, &[("grant_type", "refresh_token"), ("refresh_token", refresh_token)]).await
    }
}
