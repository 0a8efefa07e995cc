//! What the authority knows: accounts, users, systems, apps, grants, sessions, the ledger. Data only; the rules are in
//! [`crate::law`].

mod app;
mod grant;
mod ledger;
mod people;
mod resource_server;
mod usage;

pub use app::{App, AppPolicy, AppSecret, CodeReuse, LegacyGet, RefreshPolicy, ReusePolicy, StateAtToken, System};
pub use grant::{
    ActiveGrant, ApprovedGrant, CodeBinding, EndReason, Grant, GrantState, GrantVersion, RedeemedCode, Stage,
};
pub use ledger::{LedgerEntry, LedgerKind};
pub use people::{Account, AccountStatus, Holder, Role, Session, SessionId, User, UserStatus};
pub use resource_server::ResourceServer;
pub use usage::{UsageCount, UsageKind, day_of};

use serde::{Deserialize, Serialize};

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number!(
    /// An account: a company that is the platform's customer.
    AccountId
);
number!(
    /// A user of an account.
    UserId
);
number!(
    /// A system: a registered partner.
    SystemId
);
number!(
    /// An app: an OAuth client of a system.
    AppId
);
number!(
    /// A resource server: an API, or the gate in front of it.
    ResourceServerId
);
