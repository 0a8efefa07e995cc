//! An app gets an access token for itself (RFC 6749 section 4.4; matrix TK-16). Nothing is written: there is no grant and no refresh token, and
//! the token ends with its lifetime, its own revocation or the app.

use crate::access_tokens::{Subject, Terms};
use crate::authority::{Authority, Decision, Fault};
use crate::law;
use crate::model::App;
use crate::token::{Target, TokenDecision, refuse};
use keyfob_protocol::Timestamp;
use keyfob_protocol::reason::Reason;
use keyfob_protocol::scope::Scope;
use keyfob_protocol::token_refusal::TokenRefusal;

impl Authority {
    pub(crate) async fn client_credentials(
        &self,
        app: &App,
        scope: Option<&str>,
        target: &Target,
        now: Timestamp,
    ) -> Result<TokenDecision, Fault> {
        if app.policy.public || !app.policy.client_credentials {
            let refusal = TokenRefusal::UnauthorizedClient("client_credentials is not enabled for it");
            let refusal = refusal.because(Reason::ClientCredentialsOff);
            return refuse(if app.policy.public { refusal.to_operator_alone() } else { refusal });
        }
        let not_allowed = || refuse(TokenRefusal::InvalidScope.because(Reason::ScopeNotAllowed));
        let asked = match scope.map(Scope::parse).transpose() {
            Ok(asked) => asked.filter(|scope| !scope.is_empty()),
            Err(_) => return not_allowed(),
        };
        let scope = asked.as_ref().unwrap_or(&app.policy.default_scope);
        if !law::authorize::is_allowed(&app.policy, scope) {
            return not_allowed();
        }
        let audience = match self.own_audience(target).await? {
            Decision::Granted(audience) => audience,
            Decision::Refused(refusal) => return refuse(refusal),
        };
        let terms = Terms { app, subject: Subject::App, scope, audience, refresh_token: None };
        Ok(Decision::Granted(self.access_tokens.issue(now, &self.keys.load(), &*self.entropy, terms)?))
    }
}
