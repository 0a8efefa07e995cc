//! The platform suspends and reopens its users and accounts: the same change as by the command line, with the same effect (matrix RF-10).
//!
//! What authorizes it is a token that the platform signs for one change. It is used once: a recorded one could undo a later change.

use super::assertion::ClaimsProblem;
use super::{CLOCK_LEEWAY, Platform, use_digest};
use crate::authority::{Authority, Decision, Fault};
use crate::store::{Administered, TicketUse, Written};
use keyfob_protocol::Timestamp;
use keyfob_protocol::access_token::Audience;
use serde::Deserialize;

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
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    aud: Audience,
    iat: Timestamp,
    exp: Timestamp,
    jti: String,
    /// Whom it concerns: `users/ID` or `accounts/ID`.
    sub: String,
    /// What becomes of them: `active` or `suspended`.
    status: String,
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
        let claims: Claims = match platform.key.authentic(token, TYPE) {
            Ok(claims) => claims,
            Err(problem) => return Ok(Decision::Refused(StatusRefusal::Token(problem.into()))),
        };
        let times = (claims.iat, claims.exp);
        if let Err(problem) = platform.check(&claims.iss, &claims.aud, &self.settings.issuer, times, now) {
            return Ok(Decision::Refused(StatusRefusal::Token(problem)));
        }
        let status = if active { "active" } else { "suspended" };
        if claims.sub != whom.named() || claims.status != status {
            return Ok(Decision::Refused(StatusRefusal::OtherChange));
        }
        // Used before the change and not with it: where the change then fails, the platform makes another token.
        let ticket = TicketUse { id: use_digest("platform token", &claims.jti), until: claims.exp.plus(CLOCK_LEEWAY) };
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
