//! Whether a text is an access token of our authority for our API (RFC 9068 section 4). A plain function of its arguments.
//!
//! Key material named by a token's own header (`jwk`, `jku`, `x5u`, `x5c`) is never looked at. Revocation is not asked
//! here: [`crate::RevocationSet`].

use crate::caller::Caller;
use crate::keys::VerificationKeys;
use keyfob_protocol::Timestamp;
use keyfob_protocol::access_token::{AccessTokenClaims, TYPE};
use keyfob_protocol::jwt::{JwtProblem, UnverifiedJwt};
use thiserror::Error;

/// How far the authority's clock may run ahead of ours, in seconds. Only for `iat`, which gives no right; `exp` and `nbf` hold to
/// the second.
pub const CLOCK_LEEWAY: i64 = 60;

/// Whose tokens are accepted, and for whom they must be meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectations {
    /// The authority, compared byte for byte with `iss`.
    pub issuer: String,
    /// Must be among `aud`. `None`: any will do, for who asks about a token and does not take it.
    pub audience: Option<String>,
}

/// Why a token is refused. Callers learn `Expired` or `Invalid`, never the reason within (BR-03).
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub enum TokenProblem {
    /// A once valid token of this authority for this audience, past its end. Said only after everything else holds.
    #[error("the token has expired")]
    Expired,
    /// Not a valid token.
    #[error(transparent)]
    Invalid(#[from] InvalidReason),
}

/// What is wrong with a token: for the log of the resource server, not for the caller.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub enum InvalidReason {
    /// The header is not `Bearer` and a token68 (RFC 6750 section 2.1).
    #[error("the Authorization header is malformed")]
    MalformedHeader,
    /// Not a JWT of the type `at+jwt` (RFC 9068 section 2.1) that one of the keys signed.
    #[error(transparent)]
    Jwt(#[from] JwtProblem),
    /// No `kid`, or none of ours.
    #[error("the signing key is unknown")]
    UnknownKey,
    /// A claim is missing, or not in the authority's form.
    #[error("the claims are incomplete or malformed")]
    MalformedClaims,
    /// Another issuer.
    #[error("issued by someone else")]
    WrongIssuer,
    /// Another audience.
    #[error("meant for another audience")]
    WrongAudience,
    /// `iat` lies further ahead than [`CLOCK_LEEWAY`].
    #[error("issued in the future")]
    IssuedInTheFuture,
    /// Before `nbf`.
    #[error("not valid yet")]
    NotYetValid,
    /// Valid in itself, but taken back.
    #[error("revoked")]
    Revoked,
}

/// Who holds `token`, if it is one of ours, for us, and valid at `now`: while `now < exp`, to the second (BR-07).
///
/// # Errors
/// [`TokenProblem`]; `Expired` only where nothing else is wrong.
pub fn verify(
    token: &str,
    keys: &VerificationKeys,
    expected: &Expectations,
    now: Timestamp,
) -> Result<Caller, TokenProblem> {
    let claims = authentic_claims(token, keys)?;
    if claims.iss != expected.issuer {
        return Err(InvalidReason::WrongIssuer.into());
    }
    if expected.audience.as_ref().is_some_and(|audience| !claims.aud.contains(audience)) {
        return Err(InvalidReason::WrongAudience.into());
    }
    if claims.iat > now.plus(CLOCK_LEEWAY) {
        return Err(InvalidReason::IssuedInTheFuture.into());
    }
    if claims.nbf.is_some_and(|nbf| now < nbf) {
        return Err(InvalidReason::NotYetValid.into());
    }
    let caller = Caller::from_claims(&claims).ok_or(InvalidReason::MalformedClaims)?;
    if now >= caller.expires_at {
        return Err(TokenProblem::Expired);
    }
    Ok(caller)
}

/// What one of our keys signed as an access token.
fn authentic_claims(token: &str, keys: &VerificationKeys) -> Result<AccessTokenClaims, InvalidReason> {
    let jwt = UnverifiedJwt::of_type(token, is_access_token_type)?;
    let key = jwt.header.kid.as_deref().and_then(|kid| keys.find(kid)).ok_or(InvalidReason::UnknownKey)?;
    let payload = jwt.signed_by(key)?;
    serde_json::from_slice(&payload).map_err(|_| InvalidReason::MalformedClaims)
}

/// `at+jwt`, or its spelling as a media type; media types know no case (RFC 9068 section 4, RFC 7515 section 4.1.9).
fn is_access_token_type(typ: &str) -> bool {
    let subtype = match typ.split_at_checked("application/".len()) {
        Some((prefix, subtype)) if prefix.eq_ignore_ascii_case("application/") => subtype,
        _ => typ,
    };
    subtype.eq_ignore_ascii_case(TYPE)
}
