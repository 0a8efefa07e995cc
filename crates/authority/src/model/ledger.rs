//! The ledger: what happened to grants and to those who hold them, written in the transaction of what it records.

use super::{AccountId, AppId, SystemId, UserId};
use keyfob_protocol::Timestamp;
use keyfob_protocol::token_name::GrantId;
use serde::Serialize;

macro_rules! ledger_kinds {
    ($($kind:ident => $name:literal,)*) => {
        /// What happened. An ordinary refresh is not among them: the grant's row is its record.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
        #[serde(rename_all = "snake_case")]
        #[expect(missing_docs, reason = "each name says it")]
        pub enum LedgerKind {
            $($kind,)*
        }

        impl LedgerKind {
            /// Every kind, for stores that keep them as text.
            pub const ALL: &[LedgerKind] = &[$(LedgerKind::$kind,)*];

            /// The kind's stable name.
            pub fn name(self) -> &'static str {
                match self {
                    $(LedgerKind::$kind => $name,)*
                }
            }
        }
    };
}

ledger_kinds! {
    SignedIn => "signed_in",
    SignedOut => "signed_out",
    Consented => "consented",
    Denied => "denied",
    Redeemed => "redeemed",
    CodeRepeated => "code_repeated",
    CodeReused => "code_reused",
    CodeBurned => "code_burned",
    RefreshReused => "refresh_reused",
    Healed => "healed",
    Contested => "contested",
    StoreBehind => "store_behind",
    GrantEnded => "grant_ended",
    TokenRevoked => "token_revoked",
    Refused => "refused",
    AccountChanged => "account_changed",
    UserChanged => "user_changed",
    SystemChanged => "system_changed",
    AppChanged => "app_changed",
    SecretAdded => "secret_added",
    SecretRetired => "secret_retired",
    KeyAdded => "key_added",
    KeyRetired => "key_retired",
    KeysResealed => "keys_resealed",
    ResourceServerChanged => "resource_server_changed",
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
    /// The id of the request that wrote it; none: a command, or the node itself.
    pub request: Option<String>,
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
            request: crate::request::id(),
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
