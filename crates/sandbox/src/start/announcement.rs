//! What a script needs to know: addresses and credentials, as one line of JSON.

use serde::Serialize;

use super::Addresses;
use super::seeding::{RedirectUris, client_secret};
use crate::seed::{RefreshTokens, Seed, StateAtToken};

/// Addresses and credentials of a sandbox. Its JSON is what `--json` prints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Announcement {
    /// The issuer: the `iss` of everything, and where `/oauth` is.
    pub issuer: String,
    /// The base of the API: `/v1` hangs below it.
    pub api: String,
    /// The demo's first page.
    pub demo: String,
    /// For `X-System` and `X-System-Key`.
    pub system: AnnouncedSystem,
    /// The OAuth clients.
    pub apps: Vec<AnnouncedApp>,
    /// Who can sign in.
    pub users: Vec<AnnouncedUser>,
}

/// A partner's credentials.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AnnouncedSystem {
    /// `X-System`.
    pub name: String,
    /// `X-System-Key`.
    pub key: String,
}

/// An OAuth client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AnnouncedApp {
    /// Its client id.
    pub client_id: String,
    /// Its secret; none for a public client.
    pub client_secret: Option<String>,
    /// Where answers may go.
    pub redirect_uris: Vec<String>,
    /// How it behaves.
    pub policy: AnnouncedPolicy,
}

/// What sets one app apart from the others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AnnouncedPolicy {
    /// `followupboss` or `oauth`: how the app speaks by preference. Every app may use both.
    pub dialect: &'static str,
    /// `fixed` or `rotating`.
    pub refresh: &'static str,
    /// `present` or `ignored`.
    pub state_at_token: &'static str,
    /// Whether it has no secret and must use PKCE.
    pub public: bool,
}

/// Somebody to sign in as.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AnnouncedUser {
    /// By which they sign in.
    pub email: String,
    /// By which they sign in.
    pub password: String,
    /// `Owner`, `Admin`, `Agent` or `Lender`.
    pub role: &'static str,
    /// Their account.
    pub account_id: i64,
}

impl Announcement {
    pub(super) fn new(seed: &Seed, addresses: &Addresses, redirect_uris: &RedirectUris) -> Announcement {
        let system = &seed.systems[0];
        let app = |app: &crate::seed::App| AnnouncedApp {
            client_id: app.client_id.clone(),
            client_secret: client_secret(seed, app).map(|secret| secret.expose().clone()),
            redirect_uris: redirect_uris.of(app),
            policy: AnnouncedPolicy {
                dialect: app.dialect.name(),
                refresh: match app.refresh {
                    RefreshTokens::Fixed => "fixed",
                    RefreshTokens::Rotating => "rotating",
                },
                state_at_token: match app.state_at_token {
                    StateAtToken::Present => "present",
                    StateAtToken::NotAsked => "ignored",
                },
                public: app.is_public(),
            },
        };
        let user = |user: &crate::seed::User| AnnouncedUser {
            email: user.email.clone(),
            password: user.password.expose().clone(),
            role: user.role.name(),
            account_id: user.account,
        };
        Announcement {
            issuer: addresses.authority.clone(),
            api: format!("{}/v1", addresses.api),
            demo: format!("{}/demo", addresses.demo),
            system: AnnouncedSystem { name: system.name.clone(), key: system.key.expose().clone() },
            apps: seed.apps.iter().map(app).collect(),
            users: seed.users.iter().map(user).collect(),
        }
    }
}
