//! The token request, through table T in its order: authenticate the client, read the grant, decide, write once, issue.

use crate::app_cache::CachedApp;
use crate::authority::{Authority, Decision, Fault};
use crate::keys::{GrantKey, Keyring};
use crate::law;
use crate::model::{App, Grant, LegacyGet, UsageKind};
use crate::store::HeldGrant;
use keyfob_protocol::Timestamp;
use keyfob_protocol::access_token::Audience;
use keyfob_protocol::reason::{ExplainedRefusal, Reason};
use keyfob_protocol::resource::Resources;
use keyfob_protocol::token_name::PresentedToken;
use keyfob_protocol::token_refusal::TokenRefusal;
use keyfob_protocol::token_reply::IssuedTokens;
use keyfob_protocol::token_request::{GrantType, PresentedTokenRequest, ReplyShape};
use std::sync::Arc;

/// What a token request comes to.
pub type TokenDecision = Decision<IssuedTokens, ExplainedRefusal>;

/// The "no", with what is known of it.
pub(crate) fn refuse(refusal: impl Into<ExplainedRefusal>) -> Result<TokenDecision, Fault> {
    Ok(Decision::Refused(refusal.into()))
}

/// That an app is asked to leave the legacy GET (decision D11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LegacyGetNotice {
    /// Since when.
    pub since: Timestamp,
    /// When it stops working, if that is decided.
    pub until: Option<Timestamp>,
}

impl LegacyGetNotice {
    fn to(app: &App) -> Option<LegacyGetNotice> {
        let since = app.policy.legacy_get_since.unwrap_or(app.created_at);
        match app.policy.legacy_get {
            LegacyGet::Allow => None,
            LegacyGet::Warn => Some(LegacyGetNotice { since, until: None }),
            LegacyGet::OffAfter(date) => Some(LegacyGetNotice { since, until: Some(date) }),
        }
    }
}

/// The answer to a token request.
#[derive(Debug)]
pub struct TokenAnswer {
    /// What it comes to.
    pub decision: TokenDecision,
    /// What the app is told besides, whatever it comes to.
    pub notice: Option<LegacyGetNotice>,
}

impl Authority {
    /// Rows T-08 to T-20.
    pub async fn token(&self, request: &PresentedTokenRequest<'_>, now: Timestamp) -> Result<TokenAnswer, Fault> {
        let app = match self.authenticate(request.client(), request.shape, now).await? {
            Decision::Granted(app) => app,
            Decision::Refused(refusal) => {
                return Ok(TokenAnswer { decision: Decision::Refused(refusal), notice: None });
            }
        };
        let by_get = request.shape == ReplyShape::Legacy;
        let counted = [Some(UsageKind::TokenRequest), by_get.then_some(UsageKind::LegacyGet)];
        self.usage.count(app.app.id, counted.into_iter().flatten(), now);
        let decision = match self.granted(&app, request, now).await {
            Ok(decision) => decision,
            Err(Stop::Refused(refusal)) => Decision::Refused(refusal),
            Err(Stop::Fault(fault)) => return Err(fault),
        };
        let decision = match decision {
            Decision::Refused(refusal) => Decision::Refused(refusal.of_app(app.app.id.0)),
            granted => granted,
        };
        Ok(TokenAnswer { decision, notice: LegacyGetNotice::to(&app.app).filter(|_| by_get) })
    }

    async fn granted(
        &self,
        app: &CachedApp,
        request: &PresentedTokenRequest<'_>,
        now: Timestamp,
    ) -> Result<TokenDecision, Stop> {
        let grant_type = request.grant_type()?;
        if let (ReplyShape::Legacy, LegacyGet::OffAfter(date)) = (request.shape, app.app.policy.legacy_get)
            && now >= date
        {
            let refusal = TokenRefusal::UnauthorizedClient("the legacy GET is switched off for it; use POST");
            let refusal = refusal.because(Reason::LegacyGetOff);
            let token = request.code_or_refresh_token(grant_type);
            return Ok(match self.genuine(&app.app, token, &self.keys.load()).await? {
                Some((held, _)) => self.refuse_genuine(&held.grant, refusal, now).await?,
                None => Decision::Refused(refusal),
            });
        }
        let target = Target(request.resources());
        Ok(match grant_type {
            GrantType::AuthorizationCode => {
                let presented = request.redemption(app.app.policy.redirect_uri_optional)?;
                self.redeem(&app.app, &presented, &target, now).await?
            }
            GrantType::RefreshToken => self.refresh(&app.app, &request.refresh()?, &target, now).await?,
            GrantType::ClientCredentials => self.client_credentials(&app.app, request.scope(), &target, now).await?,
        })
    }
}

impl Authority {
    /// The grant of a code or refresh token that is genuine and this app's. Everything else looks alike: like one that never was.
    pub(crate) async fn genuine(
        &self,
        app: &App,
        token: Option<PresentedToken<'_>>,
        keys: &Keyring,
    ) -> Result<Option<(HeldGrant, GrantKey)>, Fault> {
        let Some(token) = token else { return Ok(None) };
        let Some(held) = self.store.held_grant(token.claimed_name().grant).await? else { return Ok(None) };
        let key = keys.grant_key(&held.grant).filter(|key| key.proves(&token));
        Ok(key.filter(|_| held.grant.app == app.id).map(|key| (held, key)))
    }
}

/// For which APIs the token is asked for: an error where one of them is none. It is refused in its place of table T, after the grant.
pub(crate) struct Target(Result<Resources, TokenRefusal>);

impl Authority {
    /// The `aud` of a token under this grant, or row T-20.
    pub(crate) async fn audience(
        &self,
        target: &Target,
        grant: &Grant,
    ) -> Result<Decision<Audience, ExplainedRefusal>, Fault> {
        let Ok(asked) = &target.0 else { return Ok(beyond(Reason::ResourceExceedsGrant)) };
        // Most grants name no resource, and then nobody has to know which there are.
        let known = if grant.resources.is_empty() { Arc::default() } else { self.known_resources().await? };
        let audience = law::target::audience(asked, &grant.resources, &known, &self.settings.audience);
        Ok(audience.map_or_else(beyond, Decision::Granted))
    }

    /// The `aud` of a token that an app has for itself, or row T-20.
    pub(crate) async fn own_audience(&self, target: &Target) -> Result<Decision<Audience, ExplainedRefusal>, Fault> {
        let Ok(asked) = &target.0 else { return Ok(beyond(Reason::ResourceUnknown)) };
        let known = if asked.is_empty() { Arc::default() } else { self.known_resources().await? };
        let audience = law::target::own_audience(asked, &known, &self.settings.audience);
        Ok(audience.map_or_else(beyond, Decision::Granted))
    }
}

fn beyond(reason: Reason) -> Decision<Audience, ExplainedRefusal> {
    Decision::Refused(TokenRefusal::InvalidTarget.because(reason))
}

/// Lets `?` read one row of table T after the other. Everything before a write: a refusal that commits something is a `Decision`.
enum Stop {
    Refused(ExplainedRefusal),
    Fault(Fault),
}

impl From<TokenRefusal> for Stop {
    fn from(refusal: TokenRefusal) -> Self {
        Stop::Refused(refusal.into())
    }
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Stop::Fault(fault)
    }
}
