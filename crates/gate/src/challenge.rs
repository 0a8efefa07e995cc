//! What a refused caller is told: status, `WWW-Authenticate` (RFC 6750 section 3) and a JSON body with Follow Up Boss's codes.
//!
//! One exhaustive table. The reason within an invalid token stays with the resource server.

use crate::protected_resource::ProtectedResource;
use crate::verify::{InvalidReason, TokenProblem};
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use keyfob_protocol::scope::Scope;
use serde::Serialize;

/// The realm of every challenge.
pub const REALM: &str = "api";

/// Seconds after which a caller whom the gate could not judge may come back.
pub const RETRY_AFTER_SECONDS: u32 = 1;

/// Why a request does not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// No Bearer credentials (BR-02): no error code.
    NoCredentials,
    /// More than one (BR-04). Also for a handler that finds a token in a form beside the header; the gate reads no bodies.
    SeveralCredentials,
    /// Malformed, unknown, revoked or another's token (BR-03).
    InvalidToken {
        /// For the log only.
        reason: InvalidReason,
        /// Answer 400, as Follow Up Boss lists it, instead of 401.
        fub_status: bool,
    },
    /// A once valid token past its end (BR-03).
    ExpiredToken,
    /// The grant or the user's role does not reach this far (BR-06).
    InsufficientScope {
        /// What the route needs; empty where no scope would help.
        required: Scope,
    },
    /// The gate has no keys, no first sync or no news, and does not guess (BR-11).
    CannotDecide,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    error_message: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<&'static str>,
}

impl Challenge {
    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        match self {
            Challenge::NoCredentials | Challenge::ExpiredToken => StatusCode::UNAUTHORIZED,
            Challenge::InvalidToken { fub_status: false, .. } => StatusCode::UNAUTHORIZED,
            Challenge::InvalidToken { fub_status: true, .. } => StatusCode::BAD_REQUEST,
            Challenge::SeveralCredentials => StatusCode::BAD_REQUEST,
            Challenge::InsufficientScope { .. } => StatusCode::FORBIDDEN,
            Challenge::CannotDecide => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Why, for the log of the resource server: more than the caller is told (BR-03).
    pub fn why(&self) -> String {
        match self {
            Challenge::NoCredentials => "no Bearer token".to_owned(),
            Challenge::SeveralCredentials => "more than one Bearer token".to_owned(),
            Challenge::InvalidToken { reason, .. } => reason.to_string(),
            Challenge::ExpiredToken => TokenProblem::Expired.to_string(),
            Challenge::InsufficientScope { required } => format!("it does not reach as far as \"{required}\""),
            Challenge::CannotDecide => "the gate has no keys or no news".to_owned(),
        }
    }

    /// The `WWW-Authenticate` value, with where the resource is announced, if it is; none where other credentials would not help.
    pub fn www_authenticate(&self, resource: Option<&ProtectedResource>) -> Option<String> {
        let error = match self {
            Challenge::NoCredentials => None,
            Challenge::CannotDecide => return None,
            Challenge::SeveralCredentials => Some("invalid_request"),
            Challenge::InvalidToken { .. } | Challenge::ExpiredToken => Some("invalid_token"),
            Challenge::InsufficientScope { .. } => Some("insufficient_scope"),
        };
        let mut value = format!("Bearer realm=\"{REALM}\"");
        if let Some(error) = error {
            value.push_str(&format!(", error=\"{error}\""));
        }
        if let Challenge::InsufficientScope { required } = self
            && !required.is_empty()
        {
            // A scope holds neither quotes nor backslashes, so it needs no escaping.
            value.push_str(&format!(", scope=\"{required}\""));
        }
        if let Some(resource) = resource {
            value.push_str(&format!(", resource_metadata=\"{}\"", resource.url()));
        }
        Some(value)
    }

    /// The `errorCode` of the body.
    pub fn error_code(&self) -> Option<&'static str> {
        match self {
            Challenge::NoCredentials | Challenge::CannotDecide => None,
            Challenge::SeveralCredentials => Some("invalid-authorization-header"),
            Challenge::InvalidToken { .. } => Some("invalid-access-token"),
            Challenge::ExpiredToken => Some("expired-access-token"),
            Challenge::InsufficientScope { .. } => Some("resource-restricted"),
        }
    }

    /// The `errorMessage` of the body.
    pub fn error_message(&self) -> &'static str {
        match self {
            Challenge::NoCredentials => "Send an access token: Authorization: Bearer <token>.",
            Challenge::SeveralCredentials => "Send exactly one access token, in one Authorization header.",
            Challenge::InvalidToken { .. } => {
                "The access token is not valid. Use the refresh token to get a new one; if that is refused, the user has to connect again."
            }
            Challenge::ExpiredToken => "The access token has expired. Use the refresh token to get a new one.",
            Challenge::InsufficientScope { .. } => "The access token does not permit this.",
            Challenge::CannotDecide => "Access tokens cannot be checked at the moment. Try again shortly.",
        }
    }

    /// The JSON body.
    pub fn body(&self) -> String {
        serde_json::to_string(&Body { error_message: self.error_message(), error_code: self.error_code() })
            .expect("invariant: two plain strings")
    }

    /// Seconds for `Retry-After`, where coming back unchanged makes sense.
    pub fn retry_after(&self) -> Option<u32> {
        matches!(self, Challenge::CannotDecide).then_some(RETRY_AFTER_SECONDS)
    }

    /// The whole answer, of a gate that announces this resource, if any: see [`crate::Gate::refuse`].
    pub fn response<B: From<String>>(&self, resource: Option<&ProtectedResource>) -> Response<B> {
        let mut response = Response::new(B::from(self.body()));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(value) = self.www_authenticate(resource) {
            let value = HeaderValue::try_from(value)
                .expect("invariant: realm, codes, scopes and the resource are printable ASCII");
            headers.insert(WWW_AUTHENTICATE, value);
        }
        if let Some(seconds) = self.retry_after() {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
