//! Systems and apps: one app for each way in which authorities behave.

use keyfob_protocol::{Dialect, Secret};

use super::{derived, hex};

/// A registered partner.
#[derive(Clone, Debug)]
pub struct System {
    /// `X-System`.
    pub name: String,
    /// `X-System-Key`: 32 hexadecimal digits.
    pub key: Secret<String>,
}

/// What a refresh does to the refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefreshTokens {
    /// It stays.
    Fixed,
    /// A new one takes its place.
    Rotating,
}

/// What the token endpoint wants of `state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateAtToken {
    /// It must be there.
    Present,
    /// It may be absent.
    NotAsked,
}

/// An OAuth client. Redirect URIs come from whoever knows where the sandbox listens.
#[derive(Clone, Debug)]
pub struct App {
    /// By which people speak of it: `followupboss`, `rotating`, `standard`.
    pub key: &'static str,
    /// As the consent page shows it.
    pub name: &'static str,
    /// 64 hexadecimal digits.
    pub client_id: String,
    /// For [`super::Seed::bytes`]: what the authority spells the client secret from. `None` for a public client.
    pub secret_label: Option<String>,
    /// How the app speaks by preference.
    pub dialect: Dialect,
    /// What a refresh does.
    pub refresh: RefreshTokens,
    /// What the exchange needs.
    pub state_at_token: StateAtToken,
}

impl App {
    /// Whether it has no secret and must use PKCE.
    pub fn is_public(&self) -> bool {
        self.secret_label.is_none()
    }
}

pub(super) fn systems(number: u64) -> Vec<System> {
    let system = |name: &str| System {
        name: name.to_owned(),
        key: Secret::new(hex(&derived(number, &format!("system key/{name}"))[..16])),
    };
    vec![system("Sandbox-Partner"), system("Another-Partner")]
}

pub(super) fn apps(number: u64) -> Vec<App> {
    let client_id = |key: &str| hex(&derived(number, &format!("client id/{key}")));
    let secret_label = |key: &str| Some(format!("client secret/{key}"));
    vec![
        App {
            key: "followupboss",
            name: "Open House Notes",
            client_id: client_id("followupboss"),
            secret_label: secret_label("followupboss"),
            dialect: Dialect::FollowUpBoss,
            refresh: RefreshTokens::Fixed,
            state_at_token: StateAtToken::Present,
        },
        App {
            key: "rotating",
            name: "Lead Router",
            client_id: client_id("rotating"),
            secret_label: secret_label("rotating"),
            dialect: Dialect::FollowUpBoss,
            refresh: RefreshTokens::Rotating,
            state_at_token: StateAtToken::Present,
        },
        App {
            key: "standard",
            name: "Pocket Listings",
            client_id: client_id("standard"),
            secret_label: None,
            dialect: Dialect::OAuth,
            refresh: RefreshTokens::Rotating,
            state_at_token: StateAtToken::NotAsked,
        },
    ]
}
