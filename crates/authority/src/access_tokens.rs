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
    lifetime: i64,
}

impl AccessTokens {
    pub(crate) fn new(settings: &Settings) -> AccessTokens {
        AccessTokens { issuer: settings.issuer.clone(), lifetime: settings.access_token_lifetime }
    }

    /// Issues an access token, beside the refresh token of its terms.
    pub(crate) fn issue(
        &self,
        now: Timestamp,
        keys: &Keyring,
        entropy: &dyn Entropy,
        terms: Terms<'_>,
    ) -> Result<IssuedTokens, Fault> {
        let Terms { app, subject, scope, audience, refresh_token } = terms;
        let jti: [u8; 16] = entropy::random(entropy)?;
        let scope = (!scope.is_empty()).then(|| scope.to_string());
        let (sub, gid, acc) = match subject {
            Subject::User(grant, holder) => {
                let account = holder.account.map_or(0, |(account, _)| account.0);
                (grant.user.0.to_string(), Some(grant.id.to_text()), Some(account))
            }
            Subject::App => (app.client_id.clone(), None, None),
        };
        let tokens_after = |of: fn(&Holder) -> Timestamp| match subject {
            Subject::User(_, holder) => reached_by(of(holder), now),
            Subject::App => None,
        };
        let claims = AccessTokenClaims {
            iss: self.issuer.clone(),
            sub,
            aud: audience,
            client_id: app.client_id.clone(),
            iat: now,
            exp: now.plus(self.lifetime),
            nbf: None,
            jti: base62::encode(&jti),
            scope: scope.clone(),
            gid,
            acc,
            app: app.id.0,
            after: IssuedAfter {
                app: reached_by(app.tokens_after, now),
                user: tokens_after(|holder| holder.user_tokens_after),
                account: tokens_after(|holder| holder.account_tokens_after),
            },
        };
        let access_token = keys.signing_key(now).sign(&claims)?;
        Ok(IssuedTokens { access_token, refresh_token, issued_at: now, expires_in: self.lifetime, scope })
    }
}

/// What a token says.
pub(crate) struct Terms<'t> {
    pub(crate) app: &'t App,
    pub(crate) subject: Subject<'t>,
    pub(crate) scope: &'t Scope,
    pub(crate) audience: Audience,
    pub(crate) refresh_token: Option<Secret<String>>,
}

/// For whom the app acts.
#[derive(Clone, Copy)]
pub(crate) enum Subject<'t> {
    /// For whoever gave this grant.
    User(&'t Grant, &'t Holder),
    /// For itself.
    App,
}

/// The revocation up to `not_before`, where it would refuse a token of this second.
fn reached_by(not_before: Timestamp, now: Timestamp) -> Option<Timestamp> {
    (now <= not_before).then_some(not_before)
}
