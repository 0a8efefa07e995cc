//! An app as its developer sees it: what it sends to the token endpoint and to the API.

use super::place::{People, REDIRECT_URI};
use super::visitor::{Answer, Lost, send};
use keyfob_protocol::form;
use reqwest::header::CONTENT_TYPE;
use serde_json::Value;

/// How a token request travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// The legacy GET.
    Get,
    /// RFC 6749.
    Post,
}

/// Client id and secret.
#[derive(Clone)]
pub(super) struct Partner {
    pub(super) client_id: String,
    pub(super) client_secret: String,
}

impl Partner {
    /// From what `keyfob app add --json` prints.
    pub(super) fn of(json: &Value) -> Partner {
        let text = |name: &str| json[name].as_str().unwrap_or_else(|| panic!("no {name}: {json}")).to_owned();
        Partner { client_id: text("clientId"), client_secret: text("clientSecret") }
    }

    /// The authorize request of the followupboss dialect.
    pub(super) fn authorize(&self, state: &str) -> String {
        let parameters = [
            ("response_type", "auth_code"),
            ("client_id", self.client_id.as_str()),
            ("redirect_uri", REDIRECT_URI),
            ("state", state),
        ];
        format!("/oauth/authorize?{}", form::encode(parameters))
    }

    /// Redeems a code, with the state, so that the same request again is known for what it is.
    pub(super) async fn redeem(
        &self,
        http: &reqwest::Client,
        base: &str,
        shape: Shape,
        code: &str,
        state: &str,
    ) -> Result<Answer, Lost> {
        let grant_type = if shape == Shape::Get { "auth_code" } else { "authorization_code" };
        let fields = [("grant_type", grant_type), ("code", code), ("redirect_uri", REDIRECT_URI), ("state", state)];
        self.token(http, base, shape, &fields).await
    }

    pub(super) async fn refresh(
        &self,
        http: &reqwest::Client,
        base: &str,
        shape: Shape,
        refresh_token: &str,
    ) -> Result<Answer, Lost> {
        let fields = [("grant_type", "refresh_token"), ("refresh_token", refresh_token)];
        self.token(http, base, shape, &fields).await
    }

    async fn token(
        &self,
        http: &reqwest::Client,
        base: &str,
        shape: Shape,
        fields: &[(&str, &str)],
    ) -> Result<Answer, Lost> {
        let form = form::encode(fields.iter().copied());
        let request = match shape {
            Shape::Get => http.get(format!("{base}/oauth/token?{form}")),
            Shape::Post => http
                .post(format!("{base}/oauth/token"))
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(form),
        };
        send(request.basic_auth(&self.client_id, Some(&self.client_secret))).await
    }
}

/// `GET /v1/identity` with a Bearer token; the status.
pub(super) async fn call(http: &reqwest::Client, base: &str, access_token: &str) -> Result<u16, Lost> {
    Ok(send(http.get(format!("{base}/v1/identity")).bearer_auth(access_token)).await?.status)
}

/// `DELETE /v1/oauthApps/revokeAccess`: the system gives a connection back.
pub(super) async fn revoke(
    http: &reqwest::Client,
    base: &str,
    people: &People,
    access_token: &str,
) -> Result<Answer, Lost> {
    let request = http.delete(format!("{base}/v1/oauthApps/revokeAccess")).bearer_auth(access_token);
    send(request.header("x-system", &people.system).header("x-system-key", &people.system_key)).await
}

/// Access and refresh token of an answer that must have granted them.
pub(super) fn tokens(answer: &Answer) -> (String, String) {
    let token = |name| answer.field(name).unwrap_or_else(|| panic!("no {name}: {} {}", answer.status, answer.body));
    assert_eq!(answer.status, 200, "{}", answer.body);
    (token("access_token"), token("refresh_token"))
}
