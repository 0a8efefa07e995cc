//! One call to the API with given tokens, and the one that asks whose they are.

use crate::api_request::ApiRequest;
use crate::connection::ConnectionError;
use crate::connections::{ConnectError, Shared};
use crate::http::{Header, HttpRequest, HttpResponse};
use crate::identity::Identity;
use crate::provider::ApiShape;
use crate::tokens::TokenSet;
use keyfob_protocol::Secret;
use url::Url;

/// Where the API says whose token it is, below its base.
pub(crate) const IDENTITY: &str = "identity";
/// Headers that a call does not choose.
const OURS: [&str; 4] = ["authorization", "x-system", "x-system-key", "content-type"];
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

impl Identified {
    /// Whose a connection is that belonged to `was` and has been consented to again.
    pub(crate) fn pinned_to(&self, was: Option<&Identity>) -> Result<Option<Identity>, ConnectError> {
        match (self, was) {
            (Identified::As(is), Some(was)) if !is.is_same(was) => {
                Err(ConnectError::OtherIdentity { was: Box::new(was.clone()), is: Box::new(is.clone()) })
            }
            (Identified::As(is), _) => Ok(Some(is.clone())),
            (Identified::Refused(status), Some(_)) => Err(ConnectError::IdentityUnknown { status: Some(*status) }),
            (Identified::Unknown, Some(_)) => Err(ConnectError::IdentityUnknown { status: None }),
            (_, was) => Ok(was.cloned()),
        }
    }

    /// What this answer to the question says.
    pub(crate) fn by(response: &HttpResponse) -> Identified {
        match response.is_success() {
            true => response.json().map_or(Identified::Unknown, Identified::As),
            false => Identified::Refused(response.status),
        }
    }
}

impl Shared {
    /// Asks whose tokens these are.
    pub(crate) async fn identify(&self, id: &str, tokens: &TokenSet) -> Identified {
        let Some(url) = self.identity_url() else { return Identified::NotOffered };
        for tried in 1..=TRIES {
            match self.call(id, &ApiRequest::get(IDENTITY), &url, tokens).await {
                Ok(response) if response.status < 500 && response.status != 429 => return Identified::by(&response),
                _ if tried < TRIES => self.outside.pause.pause(std::time::Duration::from_secs(1)).await,
                _ => {}
            }
        }
        Identified::Unknown
    }

    /// Where it is asked; `None` where the API is not known to say it.
    pub(crate) fn identity_url(&self) -> Option<Url> {
        match self.provider.api_shape() {
            ApiShape::FollowUpBoss => self.provider.api_base().join(IDENTITY).ok(),
            ApiShape::Unknown => None,
        }
    }

    /// Sends one call of connection `id` with these tokens and the system's headers, when the API's rate limit allows it.
    pub(crate) async fn call(
        &self,
        id: &str,
        call: &ApiRequest,
        url: &Url,
        tokens: &TokenSet,
    ) -> Result<HttpResponse, ConnectionError> {
        let bearer = Secret::new(format!("Bearer {}", tokens.access_token.expose()));
        let mut headers = Vec::new();
        if !call.headers.iter().any(|header| header.name.eq_ignore_ascii_case("accept")) {
            headers.push(Header::plain("Accept", "application/json"));
        }
        headers.push(Header::secret("Authorization", bearer));
        let ours = |name: &str| OURS.iter().any(|ours| name.eq_ignore_ascii_case(ours));
        headers.extend(call.headers.iter().filter(|header| !ours(&header.name)).cloned());
        if let Some(system) = self.provider.system() {
            headers.push(Header::plain("X-System", system.name()));
            headers.push(Header::secret("X-System-Key", system.key().clone()));
        }
        if let Some(body) = &call.body {
            headers.push(Header::plain("Content-Type", body.content_type.as_str()));
        }
        let request = HttpRequest {
            method: call.method,
            url: Secret::from(url.as_str()),
            headers,
            body: Secret::new(call.body.as_ref().map(|body| body.bytes.clone()).unwrap_or_default()),
        };
        self.governing.send(&self.outside, &self.provider, id, &request).await
    }
}
