//! The platform suspends and reopens its users and accounts, and gives users their roles: the same changes as by the command line, with the
//! same effect (matrix RF-10).
//!
//! What authorizes one is a token that the platform signs for it. It is used once: a recorded one could undo a later change.

use super::claims::{Claims, ClaimsProblem};
use super::{CLOCK_LEEWAY, Platform, use_digest};
use crate::administer::{STILL_ISSUED, able, account_entry, user_entry};
use crate::authority::{ATTEMPTS, Authority, Decision, Fault};
use crate::model::{AccountStatus, Role, User, UserStatus};
use crate::store::{Administered, Administration, Replacement, TicketUse, Written};
use keyfob_protocol::Timestamp;

/// The `typ` of the platform's own tokens.
pub const TYPE: &str = "keyfob-platform+jwt";

/// A change that the platform asks for, of whom it knows by this id.
#[derive(Clone, Copy, Debug)]
pub enum Change<'c> {
    /// Of a user.
    User {
        /// The platform's id.
        id: &'c str,
        /// Whether they may sign in and be acted for; `None`: as it is.
        active: Option<bool>,
        /// What they may do; `None`: as it is.
        role: Option<Role>,
    },
    /// Of an account.
    Account {
        /// The platform's id.
        id: &'c str,
        /// Whether its users may.
        active: bool,
    },
}

/// Why nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeRefusal {
    /// The token is not acceptable.
    Token(ClaimsProblem),
    /// It was used before.
    Used,
    /// It was signed for somebody else, or for another change.
    OtherChange,
    /// The platform's id names nobody here: they have not come yet.
    Unknown,
    /// The platform has said something later of this user's role, by an assertion or another change.
    Overtaken,
}

impl ChangeRefusal {
    /// A stable word.
    pub fn reason(self) -> &'static str {
        match self {
            ChangeRefusal::Token(problem) => problem.reason(),
            ChangeRefusal::Used => "token_used",
            ChangeRefusal::OtherChange => "other_change",
            ChangeRefusal::Unknown => "unknown",
            ChangeRefusal::Overtaken => "overtaken",
        }
    }

    /// The claim that is missing or malformed, where it is one.
    pub fn claim(self) -> Option<&'static str> {
        match self {
            ChangeRefusal::Token(problem) => problem.claim(),
            _ => None,
        }
    }
}

/// A token for one change, whose signature, parties and times hold.
struct Token {
    id: String,
    said_at: Timestamp,
    expires_at: Timestamp,
    /// Whom it concerns: `users/ID` or `accounts/ID`.
    whom: String,
    /// What becomes of them: `active` or `suspended`.
    status: Option<String>,
    role: Option<Role>,
}

impl Platform {
    fn token(&self, token: &str, issuer: &str, now: Timestamp) -> Result<Token, ClaimsProblem> {
        let claims: Claims = self.key.authentic(token, TYPE)?;
        Ok(Token {
            said_at: self.check(&claims, issuer, now)?,
            id: claims.required("jti")?,
            expires_at: claims.required("exp")?,
            whom: claims.required("sub")?,
            status: claims.optional("status")?,
            role: claims.optional("role")?,
        })
    }
}

impl Token {
    /// Whether it was signed for this change, the whole of it and nothing else.
    fn is_for(&self, change: Change<'_>) -> bool {
        let (whom, active, role) = match change {
            Change::User { id, active, role } => (format!("users/{id}"), active, role),
            Change::Account { id, active } => (format!("accounts/{id}"), Some(active), None),
        };
        let status = active.map(|active| if active { "active" } else { "suspended" });
        self.whom == whom && self.status.as_deref() == status && self.role == role
    }
}

impl Authority {
    /// Makes a change that the platform asks for.
    pub async fn change_by_platform(
        &self,
        platform: &Platform,
        token: &str,
        change: Change<'_>,
        now: Timestamp,
    ) -> Result<Decision<(), ChangeRefusal>, Fault> {
        let token = match platform.token(token, &self.settings.issuer, now) {
            Ok(token) => token,
            Err(problem) => return Ok(Decision::Refused(ChangeRefusal::Token(problem))),
        };
        if !token.is_for(change) {
            return Ok(Decision::Refused(ChangeRefusal::OtherChange));
        }
        // Used before the change and not with it: where the change then fails, the platform makes another token.
        let ticket =
            TicketUse { id: use_digest("platform token", &token.id), until: token.expires_at.plus(CLOCK_LEEWAY) };
        if self.store.use_ticket(ticket, None, Vec::new()).await? == Written::Lost {
            return Ok(Decision::Refused(ChangeRefusal::Used));
        }
        match change {
            Change::User { id, active, role } => self.change_user(id, active, role, token.said_at, now).await,
            Change::Account { id, active } => self.change_account(id, active, token.said_at, now).await,
        }
    }

    async fn change_account(
        &self,
        external: &str,
        active: bool,
        said_at: Timestamp,
        now: Timestamp,
    ) -> Result<Decision<(), ChangeRefusal>, Fault> {
        for _ in 0..ATTEMPTS {
            let read_at = self.store.settings_version().await?;
            let Some(account) = self.store.account_by_external(external).await? else {
                return Ok(Decision::Refused(ChangeRefusal::Unknown));
            };
            if active && account.status != AccountStatus::Active && is_older(said_at, account.tokens_after) {
                return Ok(Decision::Refused(ChangeRefusal::Overtaken));
            }
            let (row, revocations) = self.account_enabled(account, active, now);
            let entry = account_entry(row.id, now).with_detail(format!("{} by the platform", able(active)));
            let replacement = Replacement { row, read_at };
            let change = match active {
                true => Administration::UpdateAccount(replacement),
                false => Administration::UpdateAccountEndingSessions(replacement),
            };
            match self.administer(change, vec![entry], revocations).await? {
                Administered::Done(_) => return Ok(Decision::Granted(())),
                // Nothing unique is changed; what is missing by now is found to be so.
                Administered::Outdated | Administered::Conflict | Administered::Missing => {}
            }
        }
        Err(Fault::Contended)
    }

    async fn change_user(
        &self,
        external: &str,
        active: Option<bool>,
        role: Option<Role>,
        said_at: Timestamp,
        now: Timestamp,
    ) -> Result<Decision<(), ChangeRefusal>, Fault> {
        for _ in 0..ATTEMPTS {
            let read_at = self.store.settings_version().await?;
            let Some(user) = self.store.user_by_external(external).await? else {
                return Ok(Decision::Refused(ChangeRefusal::Unknown));
            };
            if active == Some(true) && user.status != UserStatus::Active && is_older(said_at, user.tokens_after) {
                return Ok(Decision::Refused(ChangeRefusal::Overtaken));
            }
            // A role is what assertions say as well, and the latest word counts.
            let is_overtaken = role.is_some() && user.followed_at > Some(said_at);
            if is_overtaken && active != Some(false) {
                return Ok(Decision::Refused(ChangeRefusal::Overtaken));
            }
            // That somebody must not come in any more is no less true for a role that was overtaken.
            let role = role.filter(|_| !is_overtaken);
            if role.is_some() && user.followed_at != Some(said_at) {
                self.store.follow_user(external, said_at).await?;
                continue;
            }
            let user = User { role: role.unwrap_or(user.role), ..user };
            let (row, revocations) = match active {
                Some(active) => self.user_enabled(user, active, now),
                None => (user, Vec::new()),
            };
            let what: Vec<_> = active.map(able).into_iter().chain(role.map(Role::name)).collect();
            let entry = user_entry(&row, now).with_detail(format!("{} by the platform", what.join(", ")));
            let replacement = Replacement { row, read_at };
            let change = match active {
                Some(false) => Administration::UpdateUserEndingSessions(replacement),
                _ => Administration::UpdateUser(replacement),
            };
            match self.administer(change, vec![entry], revocations).await? {
                Administered::Done(_) => return Ok(Decision::Granted(())),
                // Nothing unique is changed; whoever is missing by now is found to be so.
                Administered::Outdated | Administered::Conflict | Administered::Missing => {}
            }
        }
        Err(Fault::Contended)
    }
}

/// Whether the platform said that before somebody was shut out: what comes late, or was kept, does not let them in again. By the time of the
/// shutting out here, so that neither an operator's is undone; the platform's clock must not be behind.
fn is_older(said_at: Timestamp, tokens_after: Timestamp) -> bool {
    said_at < tokens_after.plus(-STILL_ISSUED)
}
