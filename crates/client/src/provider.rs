//! An authority, as data: where its endpoints are, how it spells the flow, and what our client must add.
//!
//! A `Provider` can only be built with URLs that secrets may be sent to. There is no switch that leaves `state` out of the
//! exchange: some authorities fail without it, and the others ignore it (RFC 6749 section 3.2).

use crate::safe_url::{self, UnsafeUrl};
use keyfob_protocol::token_request::ReplyShape;
use keyfob_protocol::{Dialect, Secret};
use thiserror::Error;
use url::Url;

/// Whether a challenge goes with the authorize request (RFC 7636).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pkce {
    /// S256 on every attempt.
    Always,
    /// Never, for authorities that do not know it. An app without a secret sends it all the same (RFC 9700 section 2.1.1).
    Never,
}

/// How a client with a secret proves itself at the token endpoint (RFC 6749 section 2.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuthentication {
    /// `client_secret_basic`: the `Authorization` header.
    Basic,
    /// `client_secret_post`: in the body. For authorities that take nothing else; a legacy GET has no body and stays with Basic.
    Post,
}

/// What the callback says about who answered (RFC 9207), the defence against mixing up two authorities (matrix CL-08).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallbackIssuer {
    /// Nothing is known: each such authority needs a redirect URI of its own (RFC 9700 section 4.4.2).
    Unknown,
    /// `iss` may be missing, but where it stands it must be this.
    IfPresent(String),
    /// Announced: `iss` must be there and be this.
    Required(String),
}

/// What stands behind the API base, as far as a client may rely on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApiShape {
    /// `identity`, `me` and `oauthApps/revokeAccess`, as Follow Up Boss documents them.
    FollowUpBoss,
    /// Nothing is known.
    Unknown,
}

/// What to do when the exchange was sent and no answer came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnansweredExchange {
    /// Give up: the code may be spent, and a second use may end the grant it made.
    GiveUp,
    /// Send it once more: the authority is known to answer a repeated code with the same tokens.
    AuthorityIsIdempotentSendOnceMore,
}

/// The registered partner that the API is called for: the headers `X-System` and `X-System-Key`.
#[derive(Clone, Debug)]
pub struct System {
    name: String,
    key: Secret<String>,
}

/// Why a name or key cannot stand in a header.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
#[error("a system's name and key must be visible ASCII characters, at least one; look for a line end behind the key")]
pub struct UnusableSystem;

impl System {
    /// The name and key from the registration of the system.
    ///
    /// # Errors
    /// [`UnusableSystem`] when one of them is empty or cannot stand in a header.
    pub fn new(name: &str, key: Secret<String>) -> Result<System, UnusableSystem> {
        let usable = |text: &str| {
            !text.is_empty() && text.trim() == text && text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
        };
        match usable(name) && usable(key.expose()) {
            true => Ok(System { name: name.to_owned(), key }),
            false => Err(UnusableSystem),
        }
    }

    /// The value of `X-System`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value of `X-System-Key`.
    pub fn key(&self) -> &Secret<String> {
        &self.key
    }
}

/// The app that the user connects, as registered at the authority.
#[derive(Clone, Debug)]
pub struct App {
    /// The client id.
    pub client_id: String,
    /// The client secret; `None` for a public client, which then always posts and always uses PKCE.
    pub client_secret: Option<Secret<String>>,
    /// Where the answer comes to, byte for byte as registered.
    pub redirect_uri: String,
}

/// An authority.
#[derive(Clone, Debug)]
pub struct Provider {
    authorize_endpoint: Url,
    token_endpoint: Url,
    api_base: Url,
    dialect: Dialect,
    exchange: ReplyShape,
    refresh: ReplyShape,
    pkce: Pkce,
    authentication: ClientAuthentication,
    callback_issuer: CallbackIssuer,
    revocation_endpoint: Option<Url>,
    api_shape: ApiShape,
    unanswered_exchange: UnansweredExchange,
    system: Option<System>,
}

impl Provider {
    /// An authority by its URLs. Starts with POST for both token steps and with PKCE as the dialect documents it: always for
    /// `OAuth`, never for `FollowUpBoss`.
    ///
    /// # Errors
    /// [`UnsafeUrl`] for a URL that would send secrets in clear.
    pub fn new(authorize: &str, token: &str, api_base: &str, dialect: Dialect) -> Result<Provider, UnsafeUrl> {
        Ok(Provider {
            authorize_endpoint: safe_url::parse(authorize)?,
            token_endpoint: safe_url::parse(token)?,
            api_base: directory(api_base)?,
            dialect,
            exchange: ReplyShape::Rfc6749,
            refresh: ReplyShape::Rfc6749,
            pkce: documented_pkce(dialect),
            authentication: ClientAuthentication::Basic,
            callback_issuer: CallbackIssuer::Unknown,
            revocation_endpoint: None,
            api_shape: ApiShape::Unknown,
            unanswered_exchange: UnansweredExchange::GiveUp,
            system: None,
        })
    }

    /// Follow Up Boss. The exchange and the refresh are posted; [`Provider::legacy`] selects the GET of its older documents.
    pub fn follow_up_boss() -> Provider {
        Provider::new(
            "https://app.followupboss.com/oauth/authorize",
            "https://app.followupboss.com/oauth/token",
            "https://api.followupboss.com/v1",
            Dialect::FollowUpBoss,
        )
        .expect("invariant: the three URLs are https")
        .with_api_shape(ApiShape::FollowUpBoss)
    }

    /// A Keyfob authority by its issuer, such as `https://id.example.com` or a sandbox's `http://127.0.0.1:4000`.
    ///
    /// # Errors
    /// [`UnsafeUrl`] for an issuer that would send secrets in clear.
    pub fn keyfob(issuer: &str) -> Result<Provider, UnsafeUrl> {
        let issuer = issuer.trim_end_matches('/');
        let at = |path: &str| format!("{issuer}{path}");
        let provider = Provider::new(&at("/oauth/authorize"), &at("/oauth/token"), &at("/v1"), Dialect::OAuth)?;
        let provider = provider.expecting_issuer(CallbackIssuer::Required(issuer.to_owned()));
        provider.with_api_shape(ApiShape::FollowUpBoss).revoking_at(&at("/oauth/revoke"))
    }

    /// The same authority in another dialect, with PKCE as that dialect documents it. The callback of `followupboss` names no issuer, and its
    /// documents know no revocation endpoint.
    #[must_use]
    pub fn speaking(self, dialect: Dialect) -> Provider {
        let callback_issuer = match (dialect, self.callback_issuer) {
            (Dialect::FollowUpBoss, CallbackIssuer::Required(issuer)) => CallbackIssuer::IfPresent(issuer),
            (_, issuer) => issuer,
        };
        let revocation_endpoint = self.revocation_endpoint.filter(|_| dialect == Dialect::OAuth);
        Provider { dialect, pkce: documented_pkce(dialect), callback_issuer, revocation_endpoint, ..self }
    }

    /// Both token steps by GET, answered by the legacy envelope.
    #[must_use]
    pub fn legacy(self) -> Provider {
        self.exchanging_by(ReplyShape::Legacy).refreshing_by(ReplyShape::Legacy)
    }

    /// The shape of the exchange.
    #[must_use]
    pub fn exchanging_by(self, exchange: ReplyShape) -> Provider {
        Provider { exchange, ..self }
    }

    /// The shape of the refresh.
    #[must_use]
    pub fn refreshing_by(self, refresh: ReplyShape) -> Provider {
        Provider { refresh, ..self }
    }

    /// Whether PKCE is used.
    #[must_use]
    pub fn with_pkce(self, pkce: Pkce) -> Provider {
        Provider { pkce, ..self }
    }

    /// How the client proves itself.
    #[must_use]
    pub fn authenticating_by(self, authentication: ClientAuthentication) -> Provider {
        Provider { authentication, ..self }
    }

    /// What the callback must say about who answered.
    #[must_use]
    pub fn expecting_issuer(self, callback_issuer: CallbackIssuer) -> Provider {
        Provider { callback_issuer, ..self }
    }

    /// Where tokens are given back by RFC 7009.
    ///
    /// # Errors
    /// [`UnsafeUrl`] for a URL that would send secrets in clear.
    pub fn revoking_at(self, revocation: &str) -> Result<Provider, UnsafeUrl> {
        Ok(Provider { revocation_endpoint: Some(safe_url::parse(revocation)?), ..self })
    }

    /// What stands behind the API base.
    #[must_use]
    pub fn with_api_shape(self, api_shape: ApiShape) -> Provider {
        Provider { api_shape, ..self }
    }

    /// What to do when an exchange was sent and not answered.
    #[must_use]
    pub fn when_unanswered(self, unanswered_exchange: UnansweredExchange) -> Provider {
        Provider { unanswered_exchange, ..self }
    }

    /// The system whose headers go with every API call.
    #[must_use]
    pub fn with_system(self, system: System) -> Provider {
        Provider { system: Some(system), ..self }
    }

    /// Another place for the API, where it has a host of its own.
    ///
    /// # Errors
    /// [`UnsafeUrl`] for a URL that would send secrets in clear.
    pub fn with_api_base(self, api_base: &str) -> Result<Provider, UnsafeUrl> {
        Ok(Provider { api_base: directory(api_base)?, ..self })
    }

    /// Where the browser is sent.
    pub fn authorize_endpoint(&self) -> &Url {
        &self.authorize_endpoint
    }

    /// Where codes and refresh tokens are sent.
    pub fn token_endpoint(&self) -> &Url {
        &self.token_endpoint
    }

    /// Where access tokens are sent; its path ends in `/`.
    pub fn api_base(&self) -> &Url {
        &self.api_base
    }

    /// The spelling of the authorize request.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// How a client with a secret proves itself.
    pub fn authentication(&self) -> ClientAuthentication {
        self.authentication
    }

    /// What the callback must say about who answered.
    pub fn callback_issuer(&self) -> &CallbackIssuer {
        &self.callback_issuer
    }

    /// Where tokens are given back by RFC 7009, where the authority offers it.
    pub fn revocation_endpoint(&self) -> Option<&Url> {
        self.revocation_endpoint.as_ref()
    }

    /// What stands behind the API base.
    pub fn api_shape(&self) -> ApiShape {
        self.api_shape
    }

    /// What to do when an exchange was sent and not answered.
    pub fn unanswered_exchange(&self) -> UnansweredExchange {
        self.unanswered_exchange
    }

    /// The system, where one is set.
    pub fn system(&self) -> Option<&System> {
        self.system.as_ref()
    }

    /// The shape of this app's exchange. GET knows no other authentication than Basic, so a public client posts.
    pub fn exchange_shape(&self, app: &App) -> ReplyShape {
        if app.client_secret.is_some() { self.exchange } else { ReplyShape::Rfc6749 }
    }

    /// The shape of this app's refresh, by the same rule.
    pub fn refresh_shape(&self, app: &App) -> ReplyShape {
        if app.client_secret.is_some() { self.refresh } else { ReplyShape::Rfc6749 }
    }

    /// Whether this app sends a challenge. Without a secret it is the only proof there is.
    pub fn pkce_for(&self, app: &App) -> Pkce {
        if app.client_secret.is_some() { self.pkce } else { Pkce::Always }
    }
}

fn documented_pkce(dialect: Dialect) -> Pkce {
    match dialect {
        Dialect::OAuth => Pkce::Always,
        Dialect::FollowUpBoss => Pkce::Never,
    }
}

/// A base that relative paths are joined to: without the final slash, joining would replace its last segment.
fn directory(base: &str) -> Result<Url, UnsafeUrl> {
    let mut url = safe_url::parse(base)?;
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    url.set_query(None);
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cl_13_a_provider_cannot_be_built_with_a_url_in_clear() {
        assert!(matches!(Provider::keyfob("http://id.example.com"), Err(UnsafeUrl::NotHttps(_))));
        let safe = "https://id.example.com/x";
        let clear = "http://id.example.com/x";
        for (authorize, token, api) in [(clear, safe, safe), (safe, clear, safe), (safe, safe, clear)] {
            assert!(matches!(Provider::new(authorize, token, api, Dialect::OAuth), Err(UnsafeUrl::NotHttps(_))));
        }
        let provider = Provider::keyfob("http://127.0.0.1:4000/").expect("loopback");
        assert_eq!(provider.token_endpoint().as_str(), "http://127.0.0.1:4000/oauth/token");
        assert_eq!(provider.api_base().as_str(), "http://127.0.0.1:4000/v1/");
        assert!(provider.with_api_base(clear).is_err());
    }

    #[test]
    fn cl_09_pkce_is_on_for_oauth_off_by_a_switch_and_forced_without_a_secret() {
        let mut app =
            App { client_id: "c".into(), client_secret: Some(Secret::from("s")), redirect_uri: "https://x".into() };
        let keyfob = Provider::keyfob("https://id.example.com").expect("https");
        assert_eq!(keyfob.pkce_for(&app), Pkce::Always);
        assert_eq!(keyfob.clone().with_pkce(Pkce::Never).pkce_for(&app), Pkce::Never);
        assert_eq!(keyfob.clone().speaking(Dialect::FollowUpBoss).pkce_for(&app), Pkce::Never);
        assert_eq!(Provider::follow_up_boss().pkce_for(&app), Pkce::Never);
        app.client_secret = None;
        let switched_off = keyfob.with_pkce(Pkce::Never).legacy();
        assert_eq!(switched_off.pkce_for(&app), Pkce::Always);
        assert_eq!(switched_off.exchange_shape(&app), ReplyShape::Rfc6749);
        assert_eq!(switched_off.refresh_shape(&app), ReplyShape::Rfc6749);
    }

    #[test]
    fn a_system_key_with_a_line_end_is_refused() {
        assert!(System::new("Acme CRM", Secret::from("0123abcd")).is_ok());
        for key in ["", "abc\n", "abc\r\nX-Evil: 1", "é", " abc"] {
            assert!(System::new("Acme", Secret::from(key)).is_err(), "{key:?}");
        }
    }
}
