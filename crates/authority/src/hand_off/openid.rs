//! Signing in at an OpenID provider (OpenID Connect Core 1.0, decision record 0008): the browser leaves with an authentication request and comes
//! back with a code, which is exchanged for an ID token behind its back.
//!
//! What it shares with the platform's login lies beside this: what waits in the browser, single use, and how people are made and follow. The
//! network is handed in ([`back_channel::BackChannel`]). The provider is trusted for who somebody is; state, nonce and PKCE bind that to one
//! browser and one departure.

pub mod back_channel;
pub mod callback;
mod departure;
mod id_token;
mod key_set;
mod provider;
pub mod rules;

use back_channel::BackChannel;
use callback::ProviderRefusal;
use id_token::{Expected, UnverifiedIdToken};
use key_set::KeySet;
use keyfob_protocol::{Secret, Timestamp, origin};
use provider::{Kept, Metadata};
use rules::{AccountRule, RoleRule};
use std::fmt;
use std::sync::Arc;
use thiserror::Error;

pub use provider::ProviderProblem;

/// Where the provider sends people back to, under the issuer: the redirect URI to register there.
pub const CALLBACK_PATH: &str = "/sign-in/openid/callback";

/// What an operator sets.
#[derive(Clone, Debug)]
pub struct OpenIdSettings {
    /// The provider's issuer identifier, as its discovery document spells it.
    pub issuer: String,
    /// Our client id there.
    pub client_id: String,
    /// Our secret; `None`: a public client, which PKCE alone protects.
    pub client_secret: Option<Secret<String>>,
    /// What is asked for; `openid` among it.
    pub scopes: Vec<String>,
    /// The `prompt` of "sign in as somebody else".
    pub switch_prompt: SwitchPrompt,
    /// Whose people they are.
    pub account: AccountRule,
    /// What they may do.
    pub role: RoleRule,
}

/// How the provider is asked for another person (OpenID Connect Core section 3.1.2.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SwitchPrompt {
    /// Everywhere understood where sign-ins can be asked for at all.
    #[default]
    Login,
    /// For a provider without `login`.
    SelectAccount,
}

/// Settings that nobody could safely sign in with. The operator's fault.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum OpenIdSettingsProblem {
    /// Credentials and people's data would travel in clear, or the discovery document cannot lie under it.
    #[error("issuer {0}: it must be https (http on a loopback address), without query and fragment")]
    Issuer(String),
    /// There is none.
    #[error("client_id must not be empty")]
    ClientId,
    /// Not a request for an ID token.
    #[error("scopes must be scope tokens, and openid among them")]
    Scopes,
    /// The account would not be acceptable when it is made.
    #[error(
        "account.{0}: id and name must be one line of at most 255 bytes, domain small letters, digits and hyphens, at most 63"
    )]
    Account(&'static str),
    /// Nobody could sign in.
    #[error(
        "nobody would have a role: set default_role, or role_claim and a table of roles like [sign_in.openid.roles] \"keyfob-admins\" = \"Admin\""
    )]
    NoRoles,
    /// One of the two is of no use.
    #[error("role_claim and roles belong together: the claim names the values that roles translates")]
    HalfARoleRule,
}

/// The provider that people sign in at, and what is known of it by now.
pub struct OpenId {
    settings: OpenIdSettings,
    channel: Arc<dyn BackChannel>,
    metadata: Kept<Metadata>,
    keys: Kept<KeySet>,
}

impl OpenId {
    /// A provider with these settings, reached over this channel. Nothing is asked of it yet.
    ///
    /// # Errors
    /// [`OpenIdSettingsProblem`].
    pub fn new(settings: OpenIdSettings, channel: Arc<dyn BackChannel>) -> Result<OpenId, OpenIdSettingsProblem> {
        let OpenIdSettings { issuer, client_id, scopes, account, role, .. } = &settings;
        if !provider::is_safe(issuer) || issuer.contains(['?', '#']) {
            return Err(OpenIdSettingsProblem::Issuer(issuer.clone()));
        }
        if client_id.is_empty() {
            return Err(OpenIdSettingsProblem::ClientId);
        }
        let is_token = |scope: &String| !scope.is_empty() && scope.bytes().all(|byte| byte.is_ascii_graphic());
        if !scopes.iter().all(is_token) || !scopes.iter().any(|scope| scope == "openid") {
            return Err(OpenIdSettingsProblem::Scopes);
        }
        account.check()?;
        role.check()?;
        Ok(OpenId { settings, channel, metadata: Kept::default(), keys: Kept::default() })
    }

    /// The provider's name.
    pub fn issuer(&self) -> &str {
        &self.settings.issuer
    }

    /// Whether an ID token answers the departure with this nonce and says who somebody is, by a key set (RFC 7517) as the provider would publish
    /// it. What a sign-in checks of it, without the network.
    ///
    /// # Errors
    /// [`ProviderRefusal`], the first that is found.
    pub fn check_id_token(
        &self,
        token: &str,
        key_set: &str,
        nonce: &str,
        now: Timestamp,
    ) -> Result<(), ProviderRefusal> {
        let keys: KeySet = serde_json::from_str(key_set).map_err(|_| ProviderRefusal::UnknownKey)?;
        let (issuer, client_id) = (self.issuer(), self.settings.client_id.as_str());
        let expected = Expected { issuer, client_id, nonce, access_token: None };
        let claims = UnverifiedIdToken::parse(token)?.verified(&keys, &expected, now)?;
        let authenticated_at = claims.optional("auth_time")?;
        let rules = (&self.settings.account, &self.settings.role);
        rules::person(rules, &claims, (authenticated_at, false), now).map(drop)
    }

    /// Where its pages lie, as far as is known: a form that ends there must be allowed to.
    pub fn origins(&self) -> Vec<String> {
        let endpoint = self.metadata.held().map(|metadata| metadata.authorization_endpoint.clone());
        let urls = [Some(self.settings.issuer.clone()), endpoint].into_iter().flatten();
        let mut origins: Vec<String> = urls.filter_map(|url| origin::of(&url)).collect();
        origins.dedup();
        origins
    }
}

impl fmt::Debug for OpenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenId").field("settings", &self.settings).finish_non_exhaustive()
    }
}
