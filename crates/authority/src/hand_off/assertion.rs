//! What the platform asserts of a person, and whether it holds at a moment. Plain functions of data and `now`.

use super::key::JwtProblem;
use super::{CLOCK_LEEWAY, LONGEST_LIFE, Platform};
use crate::model::Role;
use keyfob_protocol::Timestamp;
use keyfob_protocol::access_token::Audience;
use serde::Deserialize;
use thiserror::Error;

/// The `typ` of an assertion.
pub const TYPE: &str = "keyfob-assertion+jwt";
/// Longest id that the platform gives a user or an account, in bytes.
const LONGEST_ID: usize = 255;
/// Longest name, in bytes.
const LONGEST_NAME: usize = 255;

/// Why what the platform signed is not accepted.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub enum ClaimsProblem {
    /// It is not what the platform signed.
    #[error(transparent)]
    Jwt(#[from] JwtProblem),
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
            ClaimsProblem::Jwt(JwtProblem::MalformedClaims) => "malformed_claims",
            ClaimsProblem::WrongIssuer => "wrong_issuer",
            ClaimsProblem::WrongAudience => "wrong_audience",
            ClaimsProblem::Expired => "expired",
            ClaimsProblem::LivesTooLong => "lives_too_long",
            ClaimsProblem::IssuedInTheFuture => "issued_in_the_future",
        }
    }
}

/// An assertion whose signature, parties and times hold. Which ticket it answers to is checked where the ticket is known.
#[derive(Debug)]
pub struct Assertion {
    pub(super) ticket: String,
    pub(super) said: Said,
}

/// What the platform says.
#[derive(Debug)]
pub(super) enum Said {
    /// The person gave up.
    Denied,
    /// This is the person.
    Is(Box<Person>),
}

/// A person as the platform knows them.
#[derive(Debug)]
pub(super) struct Person {
    pub(super) id: String,
    pub(super) said_at: Timestamp,
    pub(super) authenticated_at: Timestamp,
    pub(super) email: String,
    pub(super) name: String,
    pub(super) role: Role,
    pub(super) account: Company,
}

/// The company they belong to.
#[derive(Debug, Deserialize)]
pub(super) struct Company {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) domain: String,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    aud: Audience,
    iat: Timestamp,
    exp: Timestamp,
    ticket: String,
    error: Option<String>,
    sub: Option<String>,
    auth_time: Option<Timestamp>,
    email: Option<String>,
    name: Option<String>,
    role: Option<Role>,
    account: Option<Company>,
}

impl Platform {
    /// Reads an assertion that this platform made for this issuer.
    ///
    /// # Errors
    /// [`ClaimsProblem`], the first that is found.
    pub(super) fn assertion(&self, token: &str, issuer: &str, now: Timestamp) -> Result<Assertion, ClaimsProblem> {
        let claims: Claims = self.key.authentic(token, TYPE)?;
        self.check(&claims.iss, &claims.aud, issuer, (claims.iat, claims.exp), now)?;
        let ticket = claims.ticket.clone();
        let said = match claims.error.as_deref() {
            Some("access_denied") => Said::Denied,
            Some(_) => return Err(JwtProblem::MalformedClaims.into()),
            None => Said::Is(Box::new(person(claims).ok_or(JwtProblem::MalformedClaims)?)),
        };
        if let Said::Is(person) = &said
            && person.authenticated_at > now.plus(CLOCK_LEEWAY)
        {
            return Err(ClaimsProblem::IssuedInTheFuture);
        }
        Ok(Assertion { ticket, said })
    }

    /// Parties and times, which everything that the platform signs has.
    pub(super) fn check(
        &self,
        iss: &str,
        aud: &Audience,
        issuer: &str,
        (iat, exp): (Timestamp, Timestamp),
        now: Timestamp,
    ) -> Result<(), ClaimsProblem> {
        if iss != self.origin {
            return Err(ClaimsProblem::WrongIssuer);
        }
        // One audience: what is meant for others, too, could be passed on by them.
        if *aud != Audience::One(issuer.to_owned()) {
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
        Ok(())
    }
}

fn person(claims: Claims) -> Option<Person> {
    let Claims { iat, sub, auth_time, email, name, role, account, .. } = claims;
    let account = account?;
    let email = email?.trim().to_lowercase();
    let authenticated_at = auth_time?;
    let person = Person { id: sub?, said_at: iat, authenticated_at, email, name: name?, role: role?, account };
    let Company { id, name, domain } = &person.account;
    let fits = is_line(&person.id, LONGEST_ID)
        && is_line(id, LONGEST_ID)
        && is_line(&person.name, LONGEST_NAME)
        && is_line(name, LONGEST_NAME)
        && is_email(&person.email)
        && is_domain(domain);
    fits.then_some(person)
}

/// One line that is not empty.
fn is_line(text: &str, longest: usize) -> bool {
    !text.trim().is_empty() && text.len() <= longest && !text.contains(char::is_control)
}

fn is_email(text: &str) -> bool {
    let has_both = text.split_once('@').is_some_and(|(user, host)| !user.is_empty() && !host.is_empty());
    has_both && is_line(text, 254) && !text.contains(char::is_whitespace)
}

/// As an account's domain is checked when it is added by hand.
fn is_domain(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}
