//! What the authority tells gates so that tokens that need no query can still be taken back.

use crate::Timestamp;
use serde::{Deserialize, Serialize};

/// What a revocation names. Wider kinds (`App`, `User`, `Account`) refuse every token issued up to `not_before`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RevokedKind {
    /// One grant: `id` is the claim `gid`.
    Grant,
    /// One access token: `id` is its `jti`.
    Token,
    /// Every token of an app: `id` is the claim `app`, in decimal.
    App,
    /// Every token of a user: `id` is the claim `sub`.
    User,
    /// Every token of an account: `id` is the claim `acc`, in decimal.
    Account,
}

/// One entry of the revocation feed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    /// Position in the feed; grows by the store's order.
    pub number: i64,
    /// What is named.
    pub kind: RevokedKind,
    /// Which one.
    pub id: String,
    /// Tokens with `iat` up to and including this second are refused, unless they say that they were issued after this revocation
    /// ([`crate::access_token::IssuedAfter`]). Ignored for `Grant` and `Token`, which name dead things.
    pub not_before: Timestamp,
    /// When the last token that this entry concerns has expired and the entry may be forgotten.
    pub until: Timestamp,
}
