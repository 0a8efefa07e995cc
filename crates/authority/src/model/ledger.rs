//! The ledger: what happened to grants and to those who hold them, written in the transaction of what it records.

use super::{AccountId, AppId, SystemId, UserId};
use keyfob_protocol::Timestamp;
use keyfob_protocol::token_name::GrantId;
use serde::Serialize;

/// What happened. An ordinary refresh is not among them: the grant's row is its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each name says it")]
pub enum LedgerKind {
    SignedIn,
    SignedOut,
    Consented,
    Denied,
    Redeemed,
    CodeRepeated,
    CodeReused,
    CodeBurned,
    RefreshReused,
    Healed,
    Contested,
    StoreBehind,
    GrantEnded,
    Refused,
    AccountChanged,
    UserChanged,
    SystemChanged,
    AppChanged,
    SecretAdded,
    SecretRetired,
    KeyAdded,
}

impl LedgerKind {
    /// The kind's stable name.
    pub fn name(self) -> &'static str {
        match self {
            LedgerKind::SignedIn => "signed_in",
            LedgerKind::SignedOut => "signed_out",
            LedgerKind::Consented => "consented",
            LedgerKind::Denied => "denied",
            LedgerKind::Redeemed => "redeemed",
            LedgerKind::CodeRepeated => "code_repeated",
            LedgerKind::CodeReused => "code_reused",
            LedgerKind::CodeBurned => "code_burned",
            LedgerKind::RefreshReused => "refresh_reused",
            LedgerKind::Healed => "healed",
            LedgerKind::Contested => "contested",
            LedgerKind::StoreBehind => "store_behind",
            LedgerKind::GrantEnded => "grant_ended",
            LedgerKind::Refused => "refused",
            LedgerKind::AccountChanged => "account_changed",
            LedgerKind::UserChanged => "user_changed",
            LedgerKind::SystemChanged => "system_changed",
            LedgerKind::AppChanged => "app_changed",
            LedgerKind::SecretAdded => "secret_added",
            LedgerKind::SecretRetired => "secret_retired",
            LedgerKind::KeyAdded => "key_added",
        }
    }
}

/// One entry. Holds no token, code, secret or state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerEntry {
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: LedgerKind,
    /// The grant, if it concerns one.
    pub grant: Option<GrantId>,
    /// The app, if it concerns one.
    pub app: Option<AppId>,
    /// The user, if it concerns one.
    pub user: Option<UserId>,
    /// The account, if it concerns one.
    pub account: Option<AccountId>,
    /// The system, if it concerns one.
    pub system: Option<SystemId>,
    /// More, in words or as a stable reason.
    pub detail: String,
    /// If set, at most one entry with this text is kept: `refused` is written once per grant, reason and hour.
    pub once: Option<String>,
}

impl LedgerEntry {
    /// An entry that names nothing yet.
    pub fn new(at: Timestamp, kind: LedgerKind) -> LedgerEntry {
        LedgerEntry {
            at,
            kind,
            grant: None,
            app: None,
            user: None,
            account: None,
            system: None,
            detail: String::new(),
            once: None,
        }
    }

    /// An entry about a grant.
    pub fn about(at: Timestamp, kind: LedgerKind, grant: &super::Grant) -> LedgerEntry {
        LedgerEntry {
            grant: Some(grant.id),
            app: Some(grant.app),
            user: Some(grant.user),
            ..LedgerEntry::new(at, kind)
        }
    }

    /// The same with more detail.
    pub fn with_detail(self, detail: impl Into<String>) -> LedgerEntry {
        LedgerEntry { detail: detail.into(), ..self }
    }
}
