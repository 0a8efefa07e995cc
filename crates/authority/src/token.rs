//! The token request, through table T in its order: authenticate the client, read the grant, decide, write once, issue.

use crate::app_cache::CachedApp;
use crate::authority::{Authority, Decision, Fault};
use crate::model::LegacyGet;
use keyfob_protocol::Timestamp;
use keyfob_protocol::token_refusal::TokenRefusal;
use keyfob_protocol::token_reply::IssuedTokens;
use keyfob_protocol::token_request::{GrantType, PresentedTokenRequest, ReplyShape};

/// What a token request comes to.
pub type TokenDecision = Decision<IssuedTokens, TokenRefusal>;

impl Authority {
    /// Rows T-08 to T-20.
    pub async fn token(&self, request: &PresentedTokenRequest<'_>, now: Timestamp) -> Result<TokenDecision, Fault> {
        let app = match self.authenticate(request.client(), request.shape, now).await? {
            Decision::Granted(app) => app,
            Decision::Refused(refusal) => return Ok(Decision::Refused(refusal)),
        };
        match self.granted(&app, request, now).await {
            Ok(decision) => Ok(decision),
            Err(Stop::Refused(refusal)) => Ok(Decision::Refused(refusal)),
            Err(Stop::Fault(fault)) => Err(fault),
        }
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
            return Err(TokenRefusal::UnauthorizedClient("the legacy GET is switched off for it; use POST").into());
        }
        let known_target = request.resources().all(|resource| resource == self.settings.audience);
        Ok(match grant_type {
            GrantType::AuthorizationCode => {
                let presented = request.redemption(app.app.policy.redirect_uri_optional)?;
                self.redeem(&app.app, &presented, known_target, now).await?
            }
            GrantType::RefreshToken => self.refresh(&app.app, &request.refresh()?, known_target, now).await?,
        })
    }
}

/// Lets `?` read one row of table T after the other. Everything before a write: a refusal that commits something is a `Decision`.
enum Stop {
    Refused(TokenRefusal),
    Fault(Fault),
}

impl From<TokenRefusal> for Stop {
    fn from(refusal: TokenRefusal) -> Self {
        Stop::Refused(refusal)
    }
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Stop::Fault(fault)
    }
}
