//! An app that speaks raw HTTP, and the faults that a test sets for it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use keyfob_client::{Method, SendFailure};
use keyfob_protocol::form;
use keyfob_sandbox::AnnouncedApp;
use serde_json::{Value, json};
use url::Url;

use super::running::{Got, Running, get, send, try_send};

/// An app that speaks raw HTTP.
pub(crate) struct Raw<'r> {
    pub(crate) running: &'r Running,
    pub(crate) app: &'r AnnouncedApp,
}

impl Raw<'_> {
    pub(crate) async fn redirect(&self, response_type: &str) -> String {
        let pairs = [
            ("response_type", response_type),
            ("client_id", &self.app.client_id),
            ("redirect_uri", &self.app.redirect_uris[0]),
            ("state", "s1"),
        ];
        let url = format!("{}/oauth/authorize?{}", self.running.origin(), form::encode(pairs));
        self.running.decide(&url, "approve").await
    }

    pub(crate) async fn code(&self) -> String {
        parameter(&self.redirect("auth_code").await, "code").expect("a code")
    }

    pub(crate) async fn try_token(&self, method: Method, pairs: &[(&str, &str)]) -> Result<Got, SendFailure> {
        let secret = self.app.client_secret.as_deref().expect("confidential");
        let basic = format!("Basic {}", STANDARD.encode(format!("{}:{secret}", self.app.client_id)));
        let (url, form) = (format!("{}/oauth/token", self.running.origin()), form::encode(pairs.iter().copied()));
        if method == Method::Get {
            return try_send(method, &format!("{url}?{form}"), &[("Authorization", &basic)], "").await;
        }
        let headers = [("Authorization", basic.as_str()), ("Content-Type", "application/x-www-form-urlencoded")];
        try_send(method, &url, &headers, &form).await
    }

    pub(crate) async fn exchange(&self, code: &str) -> Result<Got, SendFailure> {
        let redirect_uri = self.app.redirect_uris[0].as_str();
        let pairs =
            [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", redirect_uri), ("state", "s1")];
        self.try_token(Method::Post, &pairs).await
    }

    /// Tokens of a new connection.
    pub(crate) async fn connected(&self) -> Value {
        let got = self.exchange(&self.code().await).await.expect("an answer");
        assert_eq!(got.status, 200, "{}", got.text);
        got.json()
    }

    pub(crate) async fn refresh(&self, tokens: &Value) -> Result<Got, SendFailure> {
        let refresh_token = tokens["refresh_token"].as_str().expect("one");
        self.try_token(Method::Post, &[("grant_type", "refresh_token"), ("refresh_token", refresh_token)]).await
    }

    pub(crate) async fn refreshed(&self, tokens: &Value) -> Got {
        self.refresh(tokens).await.expect("an answer")
    }

    pub(crate) async fn identity(&self, tokens: &Value) -> Got {
        let bearer = format!("Bearer {}", tokens["access_token"].as_str().expect("one"));
        get(&format!("{}/v1/identity", self.running.origin()), &[("Authorization", &bearer)]).await
    }
}

pub(crate) fn raw(running: &Running, app: usize) -> Raw<'_> {
    Raw { running, app: &running.announcement.apps[app] }
}

pub(crate) fn parameter(redirect: &str, name: &str) -> Option<String> {
    Url::parse(redirect).expect("a URL").query_pairs().find(|(n, _)| n == name).map(|(_, value)| value.into_owned())
}

pub(crate) async fn set(running: &Running, fault: Value) {
    let got = running.control("faults", json!({ "faults": [fault] })).await;
    assert_eq!(got.status, 200, "{}", got.text);
}

/// How often the first fault fired, and how often it still will.
pub(crate) async fn fired(running: &Running) -> (u64, Value) {
    let listed = get(&format!("{}/sandbox/faults", running.origin()), &[]).await.json();
    (listed["faults"][0]["fired"].as_u64().expect("a number"), listed["faults"][0]["left"].clone())
}

pub(crate) async fn clear(running: &Running) {
    let got = send(Method::Delete, &format!("{}/sandbox/faults", running.origin()), &[], "").await;
    assert_eq!(got.status, 200, "{}", got.text);
}
