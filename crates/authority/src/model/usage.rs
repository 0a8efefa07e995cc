//! How apps use the endpoints: what a platform has to know before it switches an old way off.

use super::AppId;
use keyfob_protocol::Timestamp;
use keyfob_protocol::time::DAY;

macro_rules! usages {
    ($($kind:ident => $name:literal, $says:literal;)*) => {
        /// What is counted.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum UsageKind {
            $(#[doc = $says] $kind,)*
        }

        impl UsageKind {
            /// Every kind, for stores that keep them as text, and for reports.
            pub const ALL: &[UsageKind] = &[$(UsageKind::$kind,)*];

            /// The kind's stable name.
            pub fn name(self) -> &'static str {
                match self { $(UsageKind::$kind => $name,)* }
            }

            /// What it means, and what to do about it.
            pub fn says(self) -> &'static str {
                match self { $(UsageKind::$kind => $says,)* }
            }
        }
    };
}

usages! {
    TokenRequest => "token_request", "token requests of the authenticated app, to compare with";
    LegacyGet => "legacy_get", "sent by GET, with secrets in the URL: use POST, then switch it off with `--legacy-get DATE`";
    NoPkce => "no_pkce", "a code exchanged without PKCE: send a challenge, then require it with `--policy '{\"requirePkce\":true}'`";
    AuthCodeDialect => "auth_code_dialect", "a code obtained with response_type=auth_code: fine for Follow Up Boss' flow";
    BasicNotEncoded => "basic_not_encoded", "Basic credentials that were not form-encoded first: encode id and secret (RFC 6749 section 2.3.1)";
    SecretInBody => "secret_in_body", "the secret in the body: use Basic, then refuse it with `--policy '{\"secretInBody\":false}'`";
    RetiredSecret => "retired_secret", "a secret that no longer works: some node of the app was not told of the new one";
}

/// What an app did on one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageCount {
    /// Who.
    pub app: AppId,
    /// Days since 1970, in UTC.
    pub day: i64,
    /// What.
    pub kind: UsageKind,
    /// How often.
    pub count: i64,
    /// First seen on that day.
    pub first_at: Timestamp,
    /// Last seen on that day.
    pub last_at: Timestamp,
}

/// The day of a time.
pub fn day_of(at: Timestamp) -> i64 {
    at.0.div_euclid(DAY)
}
