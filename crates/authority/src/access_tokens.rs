//! Issuing access tokens: nothing is written.

use crate::authority::{Fault, Settings};
use crate::keys::Keyring;
use crate::model::{App, Grant, Holder};
use keyfob_protocol::access_token::{AccessTokenClaims, Audience, IssuedAfter};
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
        let jti: [u8; 16] = entropy::random(entropy)?;
        let scope = (!scope.is_empty()).then(|| scope.to_string());
        let claims = AccessTokenClaims {
            iss: self.issuer.clone(),
            sub: grant.user.0.to_string(),
            aud: Audience::One(self.audience.clone()),
            client_id: app.client_id.clone(),
            iat: now,
            exp: now.plus(self.lifetime),
            nbf: None,
            jti: base62::encode(&jti),
            scope: scope.clone(),
            gid: grant.id.to_text(),
            acc: holder.account.map_or(0, |(account, _)| account.0),
            app: app.id.0,
            after: IssuedAfter {
                app: reached_by(app.tokens_after, now),
                user: reached_by(holder.user_tokens_after, now),
                account: reached_by(holder.account_tokens_after, now),
            },
        };
        let access_token = keys.signing_key(now).sign(&claims)?;
        Ok(IssuedTokens { access_token, refresh_token, issued_at: now, expires_in: self.lifetime, scope })
    }
}

/// The revocation up to `not_before`, where it would refuse a token of this second.
fn reached_by(not_before: Timestamp, now: Timestamp) -> Option<Timestamp> {
    (now <= not_before).then_some(not_before)
}
