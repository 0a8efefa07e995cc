//! The tokens of one connection, and how long they can be used.

use aws_lc_rs::digest;
use keyfob_protocol::token_reply::ReceivedTokens;
use keyfob_protocol::{Secret, Timestamp, base62};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A token is replaced this many seconds before it expires (matrix CL-05), or at half of its life where that is shorter.
pub const REFRESH_AHEAD: i64 = 60;

/// What one token reply left in our hands.
#[derive(Clone, Debug)]
pub struct TokenSet {
    /// For the API.
    pub access_token: Secret<String>,
    /// For the next refresh. `None` only if the authority never gave one.
    pub refresh_token: Option<Secret<String>>,
    /// When the access token expires; `None` if the authority did not say, and then a 401 is what tells.
    pub expires_at: Option<Timestamp>,
    /// When the request that brought them was sent: the lifetime counts from here, so that a slow answer errs on the early side.
    pub obtained_at: Timestamp,
    /// The granted scope, where the authority says it.
    pub scope: Option<String>,
}

/// SHA-256 of a refresh token: names it in a journal without being it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TokenDigest(pub [u8; 32]);

/// As text, for the documents of stores.
impl Serialize for TokenDigest {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&base62::encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for TokenDigest {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<TokenDigest, D::Error> {
        let text = String::deserialize(from)?;
        base62::decode(text.as_bytes()).map(TokenDigest).ok_or_else(|| D::Error::custom("not a digest"))
    }
}

impl TokenSet {
    /// What names the refresh token; `None` if there is none.
    pub fn refresh_digest(&self) -> Option<TokenDigest> {
        let token = self.refresh_token.as_ref()?;
        let digest = digest::digest(&digest::SHA256, token.expose().as_bytes());
        Some(TokenDigest(digest.as_ref().try_into().expect("invariant: SHA-256 has 32 bytes")))
    }

    /// Tokens from a reply to a request that was sent at `sent_at`. What a reply to a refresh leaves out stays as it was (RFC 6749
    /// sections 5.1 and 6): `previous` is `None` for an exchange.
    pub fn from_reply(received: ReceivedTokens, previous: Option<&TokenSet>, sent_at: Timestamp) -> TokenSet {
        // A lifetime of 0 seconds is a way to say "unknown": a token that was never good would not have been issued.
        let lifetime = received.expires_in.filter(|seconds| *seconds > 0);
        TokenSet {
            access_token: received.access_token,
            refresh_token: received.refresh_token.or_else(|| previous.and_then(|set| set.refresh_token.clone())),
            expires_at: lifetime.map(|seconds| sent_at.plus(seconds)),
            obtained_at: sent_at,
            scope: received.scope.or_else(|| previous.and_then(|set| set.scope.clone())),
        }
    }

    /// Whether the access token can still be used, as far as is known.
    pub fn is_alive(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|expires_at| now < expires_at)
    }

    /// Whether it is time to refresh.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|expires_at| {
            let ahead = REFRESH_AHEAD.min(expires_at.since(self.obtained_at) / 2);
            now >= expires_at.plus(-ahead)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(refresh_token: Option<&str>, expires_in: Option<i64>) -> ReceivedTokens {
        ReceivedTokens {
            access_token: Secret::from("a"),
            refresh_token: refresh_token.map(Secret::from),
            expires_in,
            scope: None,
        }
    }

    #[test]
    fn cl_05_tokens_are_due_60_seconds_before_they_expire() {
        let tokens = TokenSet::from_reply(received(None, Some(3600)), None, Timestamp(1000));
        assert_eq!(tokens.expires_at, Some(Timestamp(4600)));
        assert_eq!((tokens.is_due(Timestamp(4539)), tokens.is_due(Timestamp(4540))), (false, true));
        assert_eq!((tokens.is_alive(Timestamp(4599)), tokens.is_alive(Timestamp(4600))), (true, false));
        let short = TokenSet::from_reply(received(None, Some(30)), None, Timestamp(1000));
        assert_eq!((short.is_due(Timestamp(1000)), short.is_due(Timestamp(1015))), (false, true));
    }

    #[test]
    fn cl_03_an_unknown_lifetime_lasts_until_a_401() {
        for unknown in [None, Some(0)] {
            let tokens = TokenSet::from_reply(received(None, unknown), None, Timestamp(1000));
            assert!(tokens.is_alive(Timestamp(i64::MAX)) && !tokens.is_due(Timestamp(i64::MAX)));
        }
        let endless = TokenSet::from_reply(received(None, Some(i64::MAX)), None, Timestamp(1000));
        assert!(endless.is_alive(Timestamp(i64::MAX - 1)));
    }

    #[test]
    fn a_reply_without_a_refresh_token_keeps_the_old_one() {
        let first = TokenSet::from_reply(received(Some("r1"), None), None, Timestamp(0));
        let kept = TokenSet::from_reply(received(None, None), Some(&first), Timestamp(1));
        assert_eq!(kept.refresh_token.as_ref().expect("kept").expose(), "r1");
        let replaced = TokenSet::from_reply(received(Some("r2"), None), Some(&kept), Timestamp(2));
        assert_eq!(replaced.refresh_token.expect("replaced").expose(), "r2");
    }
}
