//! Who is calling: what the gate proved about a request. The gate puts it into the request's extensions.

use crate::challenge::Challenge;
use keyfob_protocol::Timestamp;
use keyfob_protocol::access_token::{AccessTokenClaims, IssuedAfter};
use keyfob_protocol::scope::Scope;
use keyfob_protocol::token_name::GrantId;
use std::sync::Arc;

/// The verified holder of an access token.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Caller {
    /// The user that the app acts for.
    pub user: i64,
    /// That user's account.
    pub account: i64,
    /// The app, by number.
    pub app: i64,
    /// The app, by client id.
    pub client_id: String,
    /// The grant behind the token.
    pub grant: GrantId,
    /// The token's own id.
    pub jti: String,
    /// The granted scope; `None` where the grant is the user's whole role.
    pub scope: Option<Scope>,
    /// When the token was issued.
    pub issued_at: Timestamp,
    /// Which revocations of that very second it was issued after.
    pub issued_after: IssuedAfter,
    /// When the token ends.
    pub expires_at: Timestamp,
}

impl Caller {
    /// Reads claims; `None` where an id or the scope is not in the authority's form. Proves nothing: only
    /// [`crate::verify::verify`] may call this, on what our key signed.
    pub(crate) fn from_claims(claims: &AccessTokenClaims) -> Option<Caller> {
        Some(Caller {
            user: decimal(&claims.sub)?,
            account: claims.acc,
            app: claims.app,
            client_id: claims.client_id.clone(),
            grant: GrantId::parse(&claims.gid)?,
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
            Some(granted) if !required.within(granted) => {
                Err(Challenge::InsufficientScope { required: required.clone() })
            }
            _ => Ok(()),
        }
    }
}

/// An id in the one spelling that claims and revocations share: without it, `+7` would escape the revocation of `7`.
pub(crate) fn decimal(text: &str) -> Option<i64> {
    let number = text.parse::<i64>().ok()?;
    (number.to_string() == text).then_some(number)
}
