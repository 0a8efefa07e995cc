//! One call to the API, and the one that asks whose token it is.

use crate::connection::ApiRequest;
use crate::connections::Shared;
use crate::http::{Header, HttpRequest, HttpResponse};
use crate::stored::Identity;
use crate::tokens::TokenSet;
use crate::transport::SendFailure;
use keyfob_protocol::Secret;
use url::Url;

/// Tries to find out who has connected.
const TRIES: u32 = 3;

/// What the API says about the bearer of a token.
pub(crate) enum Identified {
    /// This account and user.
    As(Identity),
    /// This status, without an identity.
    Refused(u16),
    /// No usable answer.
    Unknown,
    /// The provider has no such endpoint.
    NotOffered,
}

impl Shared {
    /// Asks whose tokens these are.
    pub(crate) async fn identify(&self, tokens: &TokenSet) -> Identified {
        let Some(path) = self.provider.identity() else { return Identified::NotOffered };
        let Ok(url) = self.provider.api_base().join(path) else { return Identified::NotOffered };
        for tried in 1..=TRIES {
            match self.call(&ApiRequest::get(path), &url, tokens).await {
                Ok(response) if response.is_success() => {
                    return read(response.body.expose()).map_or(Identified::Unknown, Identified::As);
                }
                Ok(response) if response.status < 500 && response.status != 429 => {
                    return Identified::Refused(response.status);
                }
                _ if tried < TRIES => self.outside.pause.pause(std::time::Duration::from_secs(1)).await,
                _ => {}
            }
        }
        Identified::Unknown
    }

    /// Sends one call with these tokens and the system's headers.
    pub(crate) async fn call(
        &self,
        call: &ApiRequest,
        url: &Url,
        tokens: &TokenSet,
    ) -> Result<HttpResponse, SendFailure> {
        let bearer = Secret::new(format!("Bearer {}", tokens.access_token.expose()));
        let mut headers = vec![Header::plain("Accept", "application/json"), Header::secret("Authorization", bearer)];
        if let Some(system) = self.provider.system() {
            headers.push(Header::plain("X-System", system.name()));
            headers.push(Header::secret("X-System-Key", system.key().clone()));
        }
        if call.json.is_some() {
            headers.push(Header::plain("Content-Type", "application/json"));
        }
        let request = HttpRequest {
            method: call.method,
            url: Secret::from(url.as_str()),
            headers,
            body: Secret::new(call.json.clone().unwrap_or_default().into_bytes()),
        };
        self.outside.transport.send(&request).await
    }
}

/// `{"account":{"id":1,…},"user":{"id":2,…}}`; ids are numbers or strings.
fn read(body: &[u8]) -> Option<Identity> {
    let json: serde_json::Value = serde_json::from_slice(body).ok()?;
    let id = |of: &str| match json.get(of)?.get("id")? {
        serde_json::Value::String(text) if !text.is_empty() => Some(text.clone()),
        serde_json::Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    Some(Identity { account: id("account")?, user: id("user")? })
}
