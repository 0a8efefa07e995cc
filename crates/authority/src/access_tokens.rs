//! Issuing access tokens: nothing is written.

use crate::authority::{Fault, Settings};
use crate::keys::Keyring;
use crate::model::{App, Grant, Holder};
use keyfob_protocol::access_token::{AccessTokenClaims, Audience};
use keyfob_protocol::scope::Scope;
use keyfob_protocol::token_reply::IssuedTokens;
use keyfob_protocol::{Entropy, Secret, Timestamp, base62, entropy};

pub(crate) struct AccessTokens {
    issuer: String,
    audience: String,
    lifetime: i64,
}

impl AccessTokens {
    pub(crate) fn new(settings: &Settings) -> AccessTokens {
        AccessTokens {
            issuer: settings.issuer.clone(),
            audience: settings.audience.clone(),
            lifetime: settings.access_token_lifetime,
        }
    }

    /// Issues an access token beside `refresh_token`. `spell_scope`: whether the reply names the scope (matrix TK-02).
    #[expect(clippy::too_many_arguments, reason = "each is one fact of the token; a struct would only rename them")]
    pub(crate) fn issue(
        &self,
        now: Timestamp,
        keys: &Keyring,
        entropy: &dyn Entropy,
        app: &App,
        grant: &Grant,
        holder: &Holder,
        scope: &Scope,
        refresh_token: Secret<String>,
    ) -> Result<IssuedTokens, Fault> {
        // A wider revocation refuses tokens up to its second, so what is issued after it is dated after it.
        let issued_at = now.max(app.tokens_after.plus(1)).max(holder.tokens_after.plus(1));
        let jti: [u8; 16] = entropy::random(entropy)?;
        let scope = (!scope.is_empty()).then(|| scope.to_string());
        let claims = AccessTokenClaims {
            iss: self.issuer.clone(),
            sub: grant.user.0.to_string(),
            aud: Audience::One(self.audience.clone()),
            client_id: app.client_id.clone(),
            iat: issued_at,
            exp: issued_at.plus(self.lifetime),
            nbf: None,
            jti: base62::encode(&jti),
            scope: scope.clone(),
            gid: grant.id.to_text(),
            acc: holder.account.map_or(0, |(account, _)| account.0),
            app: app.id.0,
        };
        let access_token = keys.signing_key().sign(&claims)?;
        Ok(IssuedTokens { access_token, refresh_token, issued_at, expires_in: self.lifetime, scope })
    }
}
