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

/// One answer of the revocation feed, `GET /oauth/revocations?after=&wait=`.
///
/// A reader begins without `after`, inserts what comes, and asks again with the `cursor` of the last answer: at once while `complete` is false. What it
/// has inserted it keeps until it expires, also where an answer is a snapshot: a store that went back has forgotten endings, a reader has not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevocationNews {
    /// The authority, as in the `iss` of its tokens: a reader that expects another would refuse every token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Where this answer ends, to be sent as `after`. Opaque to readers; absent while the feed has no entries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Whether it begins at the beginning: no `after` was sent, or the store knows nothing of it.
    pub snapshot: bool,
    /// Whether the reader now has all that was revoked up to `synced_at`.
    pub complete: bool,
    /// When the answering node last knew that it had read all there was, by the authority's clock.
    pub synced_at: Timestamp,
    /// The authority's time of the answer.
    pub time: Timestamp,
    /// Names the published key set; another value than last time means that `/oauth/jwks` has changed.
    pub keys: String,
    /// The entries, in the order of the feed.
    pub revocations: Vec<Revocation>,
}
