//! Who is calling: what the gate proved about a request. The gate puts it into the request's extensions.

use crate::challenge::Challenge;
use keyfob_protocol::Timestamp;
use keyfob_protocol::access_token::{AccessTokenClaims, Audience, IssuedAfter};
use keyfob_protocol::scope::Scope;
use keyfob_protocol::token_name::GrantId;
use std::sync::Arc;

/// The verified holder of an access token: an app, for a user or, by `client_credentials`, for itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Caller {
    /// For whom the app acts; `None`: for itself (RFC 6749 section 4.4). There is no user then whose role could stand in for a scope.
    pub holder: Option<Holder>,
    /// The app, by number.
    pub app: i64,
    /// The app, by client id.
    pub client_id: String,
    /// Who should accept the token.
    pub audience: Audience,
    /// The token's own id.
    pub jti: String,
    /// The granted scope; `None` where the grant is the user's whole role, or an app has a token for itself and no scope.
    pub scope: Option<Scope>,
    /// When the token was issued.
    pub issued_at: Timestamp,
    /// Which revocations of that very second it was issued after.
    pub issued_after: IssuedAfter,
    /// When the token ends.
    pub expires_at: Timestamp,
}

/// The user that an app acts for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The user.
    pub user: i64,
    /// That user's account.
    pub account: i64,
    /// The grant behind the token.
    pub grant: GrantId,
}

impl Holder {
    /// What the claims say of it. The forms do not mix: a client id that looks like a user's number names no user (RFC 9068 section 5).
    fn from_claims(claims: &AccessTokenClaims) -> Option<Option<Holder>> {
        match (&claims.gid, claims.acc) {
            (Some(grant), Some(account)) => {
                Some(Some(Holder { user: decimal(&claims.sub)?, account, grant: GrantId::parse(grant)? }))
            }
            (None, None) if claims.sub == claims.client_id => Some(None),
            _ => None,
        }
    }
}

impl Caller {
    /// Reads claims; `None` where an id or the scope is not in the authority's form. Proves nothing: only
    /// [`crate::verify::verify`] may call this, on what our key signed.
    pub(crate) fn from_claims(claims: &AccessTokenClaims) -> Option<Caller> {
        Some(Caller {
            holder: Holder::from_claims(claims)?,
            app: claims.app,
            client_id: claims.client_id.clone(),
            audience: claims.aud.clone(),
            jti: claims.jti.clone(),
            scope: claims.scope.as_deref().map(Scope::parse).transpose().ok()?,
            issued_at: claims.iat,
            issued_after: claims.after,
            expires_at: claims.exp,
        })
    }

    /// The caller that [`crate::GateLayer`] left in a request's extensions; `None` on routes without the layer.
    pub fn of(extensions: &http::Extensions) -> Option<&Arc<Caller>> {
        extensions.get()
    }

    /// Whether the grant covers `required` (RFC 6750 section 3.1).
    ///
    /// # Errors
    /// [`Challenge::InsufficientScope`] if it does not.
    pub fn permits(&self, required: &Scope) -> Result<(), Challenge> {
        match &self.scope {
            Some(granted) if required.within(granted) => Ok(()),
            // The user's whole role. An app on its own has none.
            None if self.holder.is_some() || required.is_empty() => Ok(()),
            _ => Err(Challenge::InsufficientScope { required: required.clone() }),
        }
    }
}

/// An id in the one spelling that claims and revocations share: without it, `+7` would escape the revocation of `7`.
pub(crate) fn decimal(text: &str) -> Option<i64> {
    let number = text.parse::<i64>().ok()?;
    (number.to_string() == text).then_some(number)
}
