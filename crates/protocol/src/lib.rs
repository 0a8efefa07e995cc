//! The languages of delegated access: bytes to meaning and meaning to bytes.
//!
//! Two dialects of one flow live here, for both ends of the wire: the one Follow Up Boss documents and standard OAuth.
//! Pure: no I/O, no clock, no randomness, no HTTP framework. Nothing here decides what may happen; that is the
//! authority's law. Input is hostile until a type says otherwise.

pub mod access_token;
pub mod authorize;
pub mod base62;
pub mod basic;
pub mod bearer;
pub mod callback;
pub mod entropy;
pub mod form;
pub mod jwt;
pub mod key_text;
pub mod origin;
pub mod pkce;
pub mod reason;
pub mod redirect_uri;
pub mod resource;
pub mod revocation;
pub mod scope;
pub mod secret;
pub mod time;
pub mod token_name;
pub mod token_refusal;
pub mod token_reply;
pub mod token_request;

pub use entropy::{Entropy, EntropyFailed};
pub use secret::Secret;
pub use time::{Clock, Timestamp};

/// A way to spell the flow on the wire. It never changes what may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// What Follow Up Boss documents: `response_type=auth_code`, `response=approved`, the legacy GET envelope.
    FollowUpBoss,
    /// RFC 6749 and its successors.
    OAuth,
}

impl Dialect {
    /// The `response_type` that selects this dialect at the authorize endpoint.
    pub fn response_type(self) -> &'static str {
        match self {
            Dialect::FollowUpBoss => "auth_code",
            Dialect::OAuth => "code",
        }
    }

    /// The name used in configuration and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Dialect::FollowUpBoss => "followupboss",
            Dialect::OAuth => "oauth",
        }
    }
}
