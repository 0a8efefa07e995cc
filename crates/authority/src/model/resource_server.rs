//! Who may know what has been revoked.

use super::ResourceServerId;
use keyfob_protocol::Timestamp;
use serde::{Deserialize, Serialize};

/// A resource server (RFC 6749 section 1.1): an API, or the gate in front of it. It may follow the revocation feed, and ask about
/// the tokens that are meant for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceServer {
    /// Its number.
    pub id: ResourceServerId,
    /// What it authenticates as; unique.
    pub name: String,
    /// SHA-256 of its secret.
    #[serde(skip)]
    pub secret_digest: [u8; 32],
    /// Whether it is answered.
    pub enabled: bool,
    /// The resource that it serves (RFC 8707): the `aud` of its tokens. `None`: the authority's own API (decision D17).
    pub resource: Option<String>,
    /// When it was added.
    pub created_at: Timestamp,
}
