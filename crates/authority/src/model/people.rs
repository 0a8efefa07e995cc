//! Accounts, their users, and the sessions of users who signed in.

use super::{AccountId, UserId};
use keyfob_protocol::Timestamp;
use serde::{Deserialize, Serialize};

/// A company that is the platform's customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Its number.
    pub id: AccountId,
    /// Its name.
    pub name: String,
    /// A short name for URLs, unique.
    pub domain: String,
    /// Whether its users may connect and call.
    pub status: AccountStatus,
    /// `not_before` of its last revocation; 0: none. Access tokens of that second say that they came after it.
    pub tokens_after: Timestamp,
    /// When it was added.
    pub created_at: Timestamp,
    /// The platform's own id of it, unique; `None` where no platform signs its users in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external: Option<String>,
    /// When the platform said what was followed last; `None`: nothing was. It only grows, without being an administration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub followed_at: Option<Timestamp>,
}

/// Whether an account is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AccountStatus {
    /// In use.
    Active,
    /// Suspended: grants stay, nothing is issued, tokens are refused.
    Suspended,
}

/// A person who can sign in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Their number.
    pub id: UserId,
    /// Their account.
    pub account: AccountId,
    /// What they sign in with; unique, compared in lower case.
    pub email: String,
    /// Their name.
    pub name: String,
    /// What they may do in their account.
    pub role: Role,
    /// Whether they may sign in.
    pub status: UserStatus,
    /// Argon2id, in the PHC string format; `None` where another system signs them in.
    #[serde(skip)]
    pub password_hash: Option<String>,
    /// `not_before` of their last revocation; 0: none. Access tokens of that second say that they came after it.
    pub tokens_after: Timestamp,
    /// When they were added.
    pub created_at: Timestamp,
    /// The platform's own id of them, unique; `None` where no platform signs them in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external: Option<String>,
    /// When the platform said what was followed last; `None`: nothing was. It only grows, without being an administration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub followed_at: Option<Timestamp>,
}

/// A user's role. A token acts with its user's role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Role {
    /// Sees only leads shared with lenders.
    Lender,
    /// Sees their own people.
    Agent,
    /// Manages the account.
    Admin,
    /// Owns the account.
    Owner,
}

impl Role {
    /// The role's name.
    pub fn name(self) -> &'static str {
        match self {
            Role::Lender => "Lender",
            Role::Agent => "Agent",
            Role::Admin => "Admin",
            Role::Owner => "Owner",
        }
    }
}

/// Whether a user may sign in and be acted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UserStatus {
    /// In use.
    Active,
    /// Disabled: grants stay, nothing is issued, tokens are refused.
    Disabled,
}

/// The state of the user and account behind a grant, as of the moment the grant was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// `None`: the user was deleted.
    pub user: Option<UserStatus>,
    /// `None`: the account is missing.
    pub account: Option<(AccountId, AccountStatus)>,
    /// The user's `tokens_after`.
    pub user_tokens_after: Timestamp,
    /// The account's.
    pub account_tokens_after: Timestamp,
}

/// A session cookie's digest. The cookie itself is not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SessionId(pub [u8; 32]);

/// A user who signed in with one browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// SHA-256 of the cookie.
    pub id: SessionId,
    /// Who.
    pub user: UserId,
    /// When they proved who they are.
    pub authenticated_at: Timestamp,
    /// When they were last seen; written in steps of minutes.
    pub last_seen_at: Timestamp,
}
