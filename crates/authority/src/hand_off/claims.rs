//! The claims of what the platform signs, read one by one so that whoever writes its login learns which of them is wrong, and what holds
//! of everything that it signs. Plain functions of data and `now`.

use super::{CLOCK_LEEWAY, LONGEST_LIFE, Platform};
use keyfob_protocol::Timestamp;
use keyfob_protocol::access_token::Audience;
use keyfob_protocol::jwt::JwtProblem;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use thiserror::Error;

/// Why what the platform signed is not accepted.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub enum ClaimsProblem {
    /// It is not what the platform signed.
    #[error(transparent)]
    Jwt(#[from] JwtProblem),
    /// The claims are no JSON object.
    #[error("the claims are no JSON object")]
    NoObject,
    /// This claim is missing, or not in its form.
    #[error("the claim {0} is missing or not in its form")]
    Malformed(&'static str),
    /// `iss` is not the platform's origin.
    #[error("issued by someone else")]
    WrongIssuer,
    /// `aud` is not this authority.
    #[error("meant for another audience")]
    WrongAudience,
    /// Past `exp`.
    #[error("expired")]
    Expired,
    /// `exp` lies more than [`LONGEST_LIFE`] after `iat`.
    #[error("it lives longer than five minutes")]
    LivesTooLong,
    /// `iat` or `auth_time` lies further ahead than [`CLOCK_LEEWAY`].
    #[error("issued in the future")]
    IssuedInTheFuture,
}

impl ClaimsProblem {
    /// A stable word for logs, counters and the ledger.
    pub fn reason(self) -> &'static str {
        match self {
            ClaimsProblem::Jwt(JwtProblem::NotAJwt) => "not_a_jwt",
            ClaimsProblem::Jwt(JwtProblem::WrongType) => "wrong_type",
            ClaimsProblem::Jwt(JwtProblem::CriticalExtension) => "critical_extension",
            ClaimsProblem::Jwt(JwtProblem::WrongAlgorithm) => "wrong_algorithm",
            ClaimsProblem::Jwt(JwtProblem::WrongSignature) => "wrong_signature",
            ClaimsProblem::NoObject | ClaimsProblem::Malformed(_) => "malformed_claims",
            ClaimsProblem::WrongIssuer => "wrong_issuer",
            ClaimsProblem::WrongAudience => "wrong_audience",
            ClaimsProblem::Expired => "expired",
            ClaimsProblem::LivesTooLong => "lives_too_long",
            ClaimsProblem::IssuedInTheFuture => "issued_in_the_future",
        }
    }

    /// The claim that is missing or malformed, for the log.
    pub fn claim(self) -> Option<&'static str> {
        match self {
            ClaimsProblem::Malformed(claim) => Some(claim),
            _ => None,
        }
    }
}

/// The claims of a JWT whose signature holds. Of a name that is there twice the last counts (RFC 7519 section 4).
#[derive(Deserialize)]
#[serde(transparent)]
pub(in crate::hand_off) struct Claims(Map<String, Value>);

impl Claims {
    /// A claim that must be there; a dot leads into an object.
    pub(super) fn required<T: DeserializeOwned>(&self, name: &'static str) -> Result<T, ClaimsProblem> {
        self.optional(name)?.ok_or(ClaimsProblem::Malformed(name))
    }

    /// A claim that may be missing, or null.
    pub(super) fn optional<T: DeserializeOwned>(&self, name: &'static str) -> Result<Option<T>, ClaimsProblem> {
        let mut steps = name.split('.');
        let first = steps.next().and_then(|step| self.0.get(step));
        match steps.fold(first, |value, step| value?.get(step)) {
            Some(value) => Option::deserialize(value).map_err(|_| ClaimsProblem::Malformed(name)),
            None => Ok(None),
        }
    }

    /// Takes over what is not there yet.
    pub(super) fn supplement(&mut self, more: Claims) {
        for (name, value) in more.0 {
            self.0.entry(name).or_insert(value);
        }
    }

    /// A claim whose name an operator chose: as it stands, since namespaced ones have dots, or as a path into objects.
    pub(super) fn named(&self, name: &str) -> Option<&Value> {
        self.0.get(name).or_else(|| {
            let mut steps = name.split('.');
            let first = steps.next().and_then(|step| self.0.get(step));
            steps.fold(first, |value, step| value?.get(step))
        })
    }
}

impl Platform {
    /// Parties and times, which everything that the platform signs has. Returns its `iat`.
    pub(super) fn check(&self, claims: &Claims, issuer: &str, now: Timestamp) -> Result<Timestamp, ClaimsProblem> {
        let (iat, exp): (Timestamp, Timestamp) = (claims.required("iat")?, claims.required("exp")?);
        if claims.required::<String>("iss")? != self.origin {
            return Err(ClaimsProblem::WrongIssuer);
        }
        // One audience: what is meant for others, too, could be passed on by them.
        if claims.required::<Audience>("aud")? != Audience::One(issuer.to_owned()) {
            return Err(ClaimsProblem::WrongAudience);
        }
        if iat > now.plus(CLOCK_LEEWAY) {
            return Err(ClaimsProblem::IssuedInTheFuture);
        }
        if exp.0.saturating_sub(iat.0) > LONGEST_LIFE {
            return Err(ClaimsProblem::LivesTooLong);
        }
        if now >= exp {
            return Err(ClaimsProblem::Expired);
        }
        Ok(iat)
    }
}
