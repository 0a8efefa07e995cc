//! Systems, their apps, and each app's policy: what may happen. How it is spelled is the dialect's business.

use super::{AppId, SystemId};
use keyfob_protocol::Timestamp;
use keyfob_protocol::redirect_uri::{RedirectUriRules, RegisteredRedirectUri};
use keyfob_protocol::scope::Scope;
use serde::{Deserialize, Serialize};

/// A registered partner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct System {
    /// Its number.
    pub id: SystemId,
    /// The value of `X-System`; unique.
    pub name: String,
    /// SHA-256 of the value of `X-System-Key`.
    #[serde(skip)]
    pub key_digest: [u8; 32],
    /// Whether it may manage its apps.
    pub enabled: bool,
    /// When it was added.
    pub created_at: Timestamp,
}

/// An OAuth client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct App {
    /// Its number.
    pub id: AppId,
    /// The system that owns it.
    pub system: SystemId,
    /// That system's name, for pages and tables.
    pub system_name: String,
    /// What the consent page calls it.
    pub name: String,
    /// Its public identifier.
    pub client_id: String,
    /// A disabled app cannot start, redeem or refresh.
    pub enabled: bool,
    /// Where answers may go.
    pub redirect_uris: Vec<RegisteredRedirectUri>,
    /// What may happen.
    pub policy: AppPolicy,
    /// The live and the retired secrets.
    pub secrets: Vec<AppSecret>,
    /// `not_before` of its last revocation; 0: none. Access tokens of that second say that they came after it.
    pub tokens_after: Timestamp,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl App {
    /// The registered redirect URI that is, byte for byte, the presented one (RFC 9700 section 4.1.3). A native app, which keeps no secret, may
    /// be at any port of a loopback address that it has registered (RFC 8252 section 7.3).
    pub fn redirect_uri(&self, presented: &str) -> Option<RegisteredRedirectUri> {
        let exact = self.redirect_uris.iter().find(|uri| uri.as_str() == presented).cloned();
        let is_native = self.policy.public && self.policy.redirect_uris == RedirectUriRules::Native;
        exact.or_else(|| {
            let mut registered = self.redirect_uris.iter().filter(|_| is_native);
            registered.find_map(|uri| uri.at_its_port(presented))
        })
    }
}

/// One client secret. Only its digest is kept: it has 256 random bits, so a fast hash is enough.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AppSecret {
    /// Its number.
    pub id: i64,
    /// What its owner calls it.
    pub name: String,
    /// SHA-256 of the secret.
    #[serde(skip)]
    pub digest: [u8; 32],
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it no longer works; `None`: never.
    pub expires_at: Option<Timestamp>,
    /// When it last worked; written in steps of an hour.
    pub last_used_at: Option<Timestamp>,
}

impl AppSecret {
    /// Whether it works at `now`.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|expires_at| now < expires_at)
    }
}

/// What may happen with an app. Every field has a default; unknown fields are refused.
///
/// A field that came later is not written while it has its default: nodes of the version before, which refuse it, go on beside us until
/// somebody uses it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct AppPolicy {
    /// A public client keeps no secret (RFC 6749 section 2.1): PKCE is required, GET refused, refresh tokens rotate.
    pub public: bool,
    /// Whether a refresh gives the same refresh token or a successor. Ignored for public clients, which rotate.
    pub refresh: RefreshPolicy,
    /// Seconds after a rotation in which the parent gets the same successor again: 0 to 600.
    pub replay_window: i64,
    /// What reuse of an old refresh token does to a confidential client.
    pub reuse: ReusePolicy,
    /// Whether the token endpoint wants the state of the authorize request (decision D3).
    pub state_at_token: StateAtToken,
    /// Whether a second use of a code ends the grant (decision D16).
    pub code_reuse: CodeReuse,
    /// Whether the legacy GET works for this app (decision D11).
    pub legacy_get: LegacyGet,
    /// Whether the secret may stand in the POST body (decision D7).
    pub secret_in_body: bool,
    /// Whether PKCE is required; public clients always need it.
    pub require_pkce: bool,
    /// OAuth 2.1: PKCE is required, and with it `redirect_uri` may be left out at the token endpoint.
    pub redirect_uri_optional: bool,
    /// Whether followupboss answers carry `iss` (decision D4).
    pub iss_in_followupboss: bool,
    /// Whether a new consent ends the user's earlier grants to this app (decision D19).
    pub one_grant_per_user: bool,
    /// Which redirect URIs may be registered.
    pub redirect_uris: RedirectUriRules,
    /// Whether the app may have tokens for itself (RFC 6749 section 4.4): without a user, without a refresh token, for its own scope.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub client_credentials: bool,
    /// When [`AppPolicy::legacy_get`] was last set to something else than `allow`. Ours to note, whatever is sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub legacy_get_since: Option<Timestamp>,
    /// Origins of the pages that a public app consists of (matrix MD-06), as browsers spell them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub origins: Vec<String>,
    /// Scopes the app may ask for; none declared: the grant is the user's whole role.
    pub allowed_scope: Scope,
    /// Scopes it gets without asking.
    pub default_scope: Scope,
}

impl Default for AppPolicy {
    fn default() -> Self {
        AppPolicy {
            public: false,
            refresh: RefreshPolicy::Fixed,
            // Long enough for a lost reply's retry and for a slow second node; short enough that a thief's chance stays small.
            replay_window: 45,
            reuse: ReusePolicy::Heal,
            state_at_token: StateAtToken::Ignored,
            code_reuse: CodeReuse::Bound,
            legacy_get: LegacyGet::Allow,
            secret_in_body: true,
            require_pkce: false,
            redirect_uri_optional: false,
            iss_in_followupboss: false,
            one_grant_per_user: false,
            redirect_uris: RedirectUriRules::Web,
            client_credentials: false,
            legacy_get_since: None,
            origins: Vec::new(),
            allowed_scope: Scope::empty(),
            default_scope: Scope::empty(),
        }
    }
}

impl AppPolicy {
    /// Fields, as they are written, that a public app does not follow, whatever they say: it always rotates, its grant ends at a reuse, and it has
    /// neither secret nor GET nor tokens for itself.
    pub const NOT_OF_PUBLIC_APPS: [&str; 6] =
        ["refresh", "reuse", "legacyGet", "legacyGetSince", "secretInBody", "requirePkce"];

    /// Whether refresh tokens rotate. Public clients always do (RFC 9700 section 2.2.2).
    pub fn rotates(&self) -> bool {
        self.public || self.refresh == RefreshPolicy::Rotating
    }

    /// The same, which takes the place of `earlier` at `now`.
    pub(crate) fn replacing(self, earlier: &AppPolicy, now: Timestamp) -> AppPolicy {
        // From a warning to a date it goes on: the app was told since then (RFC 9745 section 2.1 has no second beginning).
        let legacy_get_since = match (self.legacy_get, earlier.legacy_get) {
            (LegacyGet::Allow, _) => None,
            (_, LegacyGet::Allow) => Some(now),
            _ => earlier.legacy_get_since,
        };
        AppPolicy { legacy_get_since, ..self }
    }

    /// Whether an authorize request needs a challenge (RFC 9700 section 2.1.1): of a public app, one of the OAuth 2.1 profile, or by choice.
    pub fn needs_pkce(&self) -> bool {
        self.public || self.require_pkce || self.redirect_uri_optional
    }
}

/// What a refresh does to the refresh token (decision D6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RefreshPolicy {
    /// The same one is returned.
    Fixed,
    /// A successor is returned; the two-token rule decides.
    Rotating,
}

/// What reuse outside the window does to a confidential client that proved itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReusePolicy {
    /// The current token is dropped and a new one issued.
    Heal,
    /// The grant ends.
    End,
    /// Refused; nothing ends.
    Refuse,
}

/// Whether the token endpoint wants `state` (decision D3). Concerns only codes obtained with `response_type=auth_code`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StateAtToken {
    /// Not looked at.
    Ignored,
    /// Must be there.
    Present,
    /// Must be there and equal.
    Match,
}

/// What a second use of a code does (decision D16).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CodeReuse {
    /// The same, bound request again ends nothing.
    Bound,
    /// Any second use within the code's lifetime ends the grant.
    Strict,
}

/// Whether the legacy GET works (decision D11).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LegacyGet {
    /// It works.
    Allow,
    /// It works, and the app is told to leave it.
    Warn,
    /// It works until then.
    OffAfter(Timestamp),
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the first version wrote, and reads.
    const FIRST: [&str; 15] = [
        "public",
        "refresh",
        "replayWindow",
        "reuse",
        "stateAtToken",
        "codeReuse",
        "legacyGet",
        "secretInBody",
        "requirePkce",
        "redirectUriOptional",
        "issInFollowupboss",
        "oneGrantPerUser",
        "redirectUris",
        "allowedScope",
        "defaultScope",
    ];

    /// Whoever changes a policy looks there.
    #[test]
    fn every_field_of_a_policy_is_in_the_operators_guide() {
        let guide = include_str!("../../../../docs/operating.md");
        for field in FIRST.into_iter().chain(["clientCredentials", "legacyGetSince", "origins"]) {
            assert!(guide.contains(&format!("`{field}`")), "{field}");
        }
    }

    #[test]
    fn a_policy_that_uses_nothing_newer_is_read_by_the_version_before() {
        let fields = |policy: &AppPolicy| -> Vec<String> {
            let written = serde_json::to_value(policy).expect("plain data");
            written.as_object().expect("an object").keys().cloned().collect()
        };
        assert_eq!(fields(&AppPolicy::default()), FIRST);
        let newer = AppPolicy {
            client_credentials: true,
            origins: vec!["https://a.example".to_owned()],
            ..AppPolicy::default()
        };
        assert!(fields(&newer).iter().any(|field| field == "clientCredentials"));
        let read: AppPolicy = serde_json::from_value(serde_json::to_value(&newer).expect("plain data")).expect("ours");
        assert_eq!(read, newer);
    }
}
