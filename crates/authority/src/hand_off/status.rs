//! The platform suspends and reopens its users and accounts: the same change as by the command line, with the same effect (matrix RF-10).
//!
//! What authorizes it is a token that the platform signs for one change. It is used once: a recorded one could undo a later change.

use super::claims::{Claims, ClaimsProblem};
use super::{CLOCK_LEEWAY, Platform, use_digest};
use crate::authority::{Authority, Decision, Fault};
use crate::store::{Administered, TicketUse, Written};
use keyfob_protocol::Timestamp;

/// The `typ` of the platform's own tokens.
pub const TYPE: &str = "keyfob-platform+jwt";

/// Whom a change concerns, by the platform's id.
#[derive(Clone, Copy, Debug)]
pub enum Whom<'w> {
    /// A user.
    User(&'w str),
    /// An account.
    Account(&'w str),
}

/// Why nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusRefusal {
    /// The token is not acceptable.
    Token(ClaimsProblem),
    /// It was used before.
    Used,
    /// It was signed for somebody else, or for the other change.
    OtherChange,
    /// The platform's id names nobody here: they have not come yet.
    Unknown,
}

impl StatusRefusal {
    /// A stable word.
    pub fn reason(self) -> &'static str {
        match self {
            StatusRefusal::Token(problem) => problem.reason(),
            StatusRefusal::Used => "token_used",
            StatusRefusal::OtherChange => "other_change",
            StatusRefusal::Unknown => "unknown",
        }
    }

    /// The claim that is missing or malformed, where it is one.
    pub fn claim(self) -> Option<&'static str> {
        match self {
            StatusRefusal::Token(problem) => problem.claim(),
            _ => None,
        }
    }
}

/// A token for one change, whose signature, parties and times hold.
struct Token {
    id: String,
    expires_at: Timestamp,
    /// Whom it concerns: `users/ID` or `accounts/ID`.
    whom: String,
    /// What becomes of them: `active` or `suspended`.
    status: String,
}

impl Platform {
    fn token(&self, token: &str, issuer: &str, now: Timestamp) -> Result<Token, ClaimsProblem> {
        let claims: Claims = self.key.authentic(token, TYPE)?;
        self.check(&claims, issuer, now)?;
        Ok(Token {
            id: claims.required("jti")?,
            expires_at: claims.required("exp")?,
            whom: claims.required("sub")?,
            status: claims.required("status")?,
        })
    }
}

impl Whom<'_> {
    /// As the token names them.
    fn named(self) -> String {
        match self {
            Whom::User(id) => format!("users/{id}"),
            Whom::Account(id) => format!("accounts/{id}"),
        }
    }
}

impl Authority {
    /// Suspends or reopens a user or account.
    pub async fn set_status_by_platform(
        &self,
        platform: &Platform,
        token: &str,
        whom: Whom<'_>,
        active: bool,
        now: Timestamp,
    ) -> Result<Decision<(), StatusRefusal>, Fault> {
        let token = match platform.token(token, &self.settings.issuer, now) {
            Ok(token) => token,
            Err(problem) => return Ok(Decision::Refused(StatusRefusal::Token(problem))),
        };
        let status = if active { "active" } else { "suspended" };
        if token.whom != whom.named() || token.status != status {
            return Ok(Decision::Refused(StatusRefusal::OtherChange));
        }
        // Used before the change and not with it: where the change then fails, the platform makes another token.
        let ticket =
            TicketUse { id: use_digest("platform token", &token.id), until: token.expires_at.plus(CLOCK_LEEWAY) };
        if self.store.use_ticket(ticket, None, Vec::new()).await? == Written::Lost {
            return Ok(Decision::Refused(StatusRefusal::Used));
        }
        let changed = match whom {
            Whom::User(id) => match self.store.user_by_external(id).await? {
                Some(user) => self.set_user_enabled(user.id, active, now).await?,
                None => Administered::Missing,
            },
            Whom::Account(id) => match self.store.account_by_external(id).await? {
                Some(account) => self.set_account_enabled(account.id, active, now).await?,
                None => Administered::Missing,
            },
        };
        Ok(match changed {
            Administered::Done(_) => Decision::Granted(()),
            _ => Decision::Refused(StatusRefusal::Unknown),
        })
    }
}
