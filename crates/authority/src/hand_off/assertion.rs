//! What the platform asserts of a person, and whether it holds at a moment. Plain functions of data and `now`.

use super::claims::{Claims, ClaimsProblem};
use super::{CLOCK_LEEWAY, LONGEST_DOMAIN, Platform};
use crate::model::Role;
use keyfob_protocol::Timestamp;

/// The `typ` of an assertion.
pub const TYPE: &str = "keyfob-assertion+jwt";
/// Longest id that the platform gives a user or an account, in bytes.
const LONGEST_ID: usize = 255;
/// Longest name, in bytes.
const LONGEST_NAME: usize = 255;

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
#[derive(Debug)]
pub(super) struct Company {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) domain: String,
}

impl Platform {
    /// Reads an assertion that this platform made for this issuer.
    ///
    /// # Errors
    /// [`ClaimsProblem`], the first that is found.
    pub fn assertion(&self, token: &str, issuer: &str, now: Timestamp) -> Result<Assertion, ClaimsProblem> {
        let claims: Claims = self.key.authentic(token, TYPE)?;
        let said_at = self.check(&claims, issuer, now)?;
        let ticket = claims.required("ticket")?;
        let said = match claims.optional::<String>("error")?.as_deref() {
            Some("access_denied") => Said::Denied,
            Some(_) => return Err(ClaimsProblem::Malformed("error")),
            None => Said::Is(Box::new(person(&claims, said_at)?)),
        };
        if let Said::Is(person) = &said
            && person.authenticated_at > now.plus(CLOCK_LEEWAY)
        {
            return Err(ClaimsProblem::IssuedInTheFuture);
        }
        Ok(Assertion { ticket, said })
    }
}

fn person(claims: &Claims, said_at: Timestamp) -> Result<Person, ClaimsProblem> {
    let text = |name, fits: fn(&str) -> bool| {
        let text: String = claims.required(name)?;
        if fits(&text) { Ok(text) } else { Err(ClaimsProblem::Malformed(name)) }
    };
    let email = claims.required::<String>("email")?.trim().to_lowercase();
    if !is_email(&email) {
        return Err(ClaimsProblem::Malformed("email"));
    }
    Ok(Person {
        id: text("sub", is_id)?,
        said_at,
        authenticated_at: claims.required("auth_time")?,
        email,
        name: text("name", is_name)?,
        role: claims.required("role")?,
        account: Company {
            id: text("account.id", is_id)?,
            name: text("account.name", is_name)?,
            domain: text("account.domain", is_domain)?,
        },
    })
}

pub(super) fn is_id(text: &str) -> bool {
    is_line(text, LONGEST_ID)
}

pub(super) fn is_name(text: &str) -> bool {
    is_line(text, LONGEST_NAME)
}

/// One line that is not empty.
fn is_line(text: &str, longest: usize) -> bool {
    !text.trim().is_empty() && text.len() <= longest && !text.contains(char::is_control)
}

pub(super) fn is_email(text: &str) -> bool {
    let has_both = text.split_once('@').is_some_and(|(user, host)| !user.is_empty() && !host.is_empty());
    has_both && is_line(text, 254) && !text.contains(char::is_whitespace)
}

/// As an account's domain is checked when it is added by hand.
pub(super) fn is_domain(text: &str) -> bool {
    (1..=LONGEST_DOMAIN).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}
