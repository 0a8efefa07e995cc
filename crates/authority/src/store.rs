//! The contract of a store: rows. No policy, no clock.
//!
//! Reads give facts. Writes are of three kinds: a [`GrantWrite`] is conditional on the version that was read, and only its bearer knows
//! whether it won; an [`Administration`] changes what rarely changes, and raises the settings version that tells every node to read
//! again; sessions come and go. Ledger entries and revocations are written in the transaction of what they record. A write is
//! answered after it is durable. Everything here may be called from many tasks at once.

use crate::model::{
    Account, AccountId, App, AppId, AppSecret, Grant, GrantState, GrantVersion, Holder, LedgerEntry, ResourceServer,
    ResourceServerId, Session, SessionId, System, SystemId, UsageCount, User, UserId,
};
use async_trait::async_trait;
use keyfob_protocol::Timestamp;
use keyfob_protocol::revocation::{Revocation, RevokedKind};
use keyfob_protocol::token_name::GrantId;
use thiserror::Error;

/// The store's failure: a fault, never a refusal. Nothing of the failed write remains, unless the connection to a database was lost at the
/// very commit: then it is [`StoreError::Unavailable`] and nobody knows yet. A [`GrantWrite`] that is sent again recognises itself.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum StoreError {
    /// Unreachable, full, read-only or overloaded. Worth a retry.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// Anything else: a broken file, a row that makes no sense.
    #[error("the store failed: {0}")]
    Broken(String),
}

/// A grant and the state of whoever gave it, read together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldGrant {
    /// The row.
    pub grant: Grant,
    /// Its user and account.
    pub holder: Holder,
}

/// One conditional write on one grant, with what it records.
#[derive(Clone, Debug)]
pub struct GrantWrite {
    /// Identifies this write: a retry after a lost commit recognises itself by it.
    pub nonce: u64,
    /// The write.
    pub what: GrantChange,
    /// Written only if the change wins.
    pub ledger: Vec<LedgerEntry>,
    /// Written only if the change wins.
    pub revocations: Vec<NewRevocation>,
}

/// What a grant write does.
#[derive(Clone, Debug)]
pub enum GrantChange {
    /// Wins if no row has this id.
    Insert(Grant),
    /// Wins if the row has this version.
    Update {
        /// Which.
        id: GrantId,
        /// What was read and decided upon.
        expected: GrantVersion,
        /// What it becomes.
        next: GrantState,
    },
}

/// Whether a conditional write won.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a lost race is read and decided again"]
pub enum Written {
    /// It is durable.
    Won,
    /// Somebody else wrote first; nothing of this write remains.
    Lost,
}

/// A revocation before the store has numbered it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRevocation {
    /// What is named.
    pub kind: RevokedKind,
    /// Which one.
    pub id: String,
    /// See [`Revocation::not_before`].
    pub not_before: Timestamp,
    /// See [`Revocation::until`].
    pub until: Timestamp,
}

/// A change of what rarely changes. Ids of additions are chosen by the store unless given.
#[derive(Clone, Debug)]
pub enum Administration {
    /// Adds an account; `id` 0 lets the store choose. Conflict: the domain is taken.
    AddAccount(Account),
    /// Replaces an account.
    UpdateAccount(Replacement<Account>),
    /// The same, and ends the sessions of its users.
    UpdateAccountEndingSessions(Replacement<Account>),
    /// Removes an account that has no users. Conflict: it has some.
    RemoveAccount(AccountId),
    /// Adds a user; `id` 0 lets the store choose. Conflict: the e-mail is taken.
    AddUser(User),
    /// Replaces a user, password hash included.
    UpdateUser(Replacement<User>),
    /// The same, and ends their sessions.
    UpdateUserEndingSessions(Replacement<User>),
    /// Removes a user; their grants stay, without holder.
    RemoveUser(UserId),
    /// Adds a system; `id` 0 lets the store choose. Conflict: the name is taken.
    AddSystem(System),
    /// Replaces a system.
    UpdateSystem(Replacement<System>),
    /// Removes a system that has no apps. Conflict: it has some.
    RemoveSystem(SystemId),
    /// Adds an app with its redirect URIs and secrets; `id` 0 lets the store choose. Conflict: the client id is taken.
    AddApp(App),
    /// Replaces an app but not its secrets.
    UpdateApp(Replacement<App>),
    /// Removes an app with its secrets; its grants stay and no longer work.
    RemoveApp(AppId),
    /// Adds a secret; its `id` is chosen by the store.
    AddSecret(AppId, AppSecret),
    /// Sets when a secret stops working.
    ExpireSecret {
        /// Whose.
        app: AppId,
        /// Which.
        secret: i64,
        /// From when on.
        at: Timestamp,
    },
    /// Adds a resource server; `id` 0 lets the store choose. Conflict: the name is taken.
    AddResourceServer(ResourceServer),
    /// Replaces a resource server.
    UpdateResourceServer(Replacement<ResourceServer>),
    /// Removes a resource server.
    RemoveResourceServer(ResourceServerId),
    /// Adds a key. Conflict: its id is taken.
    AddKey(Replacement<SealedKey>),
    /// Sets when a key is no longer used at all.
    RetireKey {
        /// Which.
        id: u32,
        /// From when on.
        at: Timestamp,
    },
    /// Puts every key under another master key.
    Reseal(Replacement<Resealed>),
}

impl Administration {
    /// The settings version that its row was read under, where it replaces one.
    #[must_use]
    pub fn read_at(&self) -> Option<i64> {
        match self {
            Administration::UpdateAccount(Replacement { read_at, .. })
            | Administration::UpdateAccountEndingSessions(Replacement { read_at, .. })
            | Administration::UpdateUser(Replacement { read_at, .. })
            | Administration::UpdateUserEndingSessions(Replacement { read_at, .. })
            | Administration::UpdateSystem(Replacement { read_at, .. })
            | Administration::UpdateResourceServer(Replacement { read_at, .. })
            | Administration::AddKey(Replacement { read_at, .. })
            | Administration::Reseal(Replacement { read_at, .. })
            | Administration::UpdateApp(Replacement { read_at, .. }) => Some(*read_at),
            _ => None,
        }
    }
}

/// A row to put in the place of one that was read, or that depends on what was. It is refused as [`Administered::Outdated`] if anything
/// was administered since, so that nobody's change is undone by somebody who had not seen it: a new name must not enable a user again.
/// Likewise if the platform's word about this user or account was followed since.
#[derive(Clone, Debug)]
pub struct Replacement<T> {
    /// The row as it becomes.
    pub row: T,
    /// [`Store::settings_version`] before the row was read.
    pub read_at: i64,
}

/// All keys of a store under another master key. [`Administered::Missing`] if they are not all of them.
#[derive(Clone, Debug)]
pub struct Resealed {
    /// [`StoreIdentity::key_check`] of that master key.
    pub key_check: [u8; 32],
    /// Every key with its new seal. The rest of the rows stays.
    pub keys: Vec<SealedKey>,
}

/// What came of an administration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Administered {
    /// Done; for an addition, the new row's number (for a secret, the secret's).
    Done(i64),
    /// Something unique is taken, or the row is still in use.
    Conflict,
    /// There is no such row.
    Missing,
    /// Something was administered since the row was read: read and decide again.
    Outdated,
}

/// A key as the store holds it: sealed under the master key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedKey {
    /// Unique over all purposes; never reused.
    pub id: u32,
    /// What it is for: part of the seal's associated data.
    pub purpose: String,
    /// The sealed bytes.
    pub sealed: Vec<u8>,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it makes new things, unless a later key does.
    pub starts_at: Timestamp,
    /// From when on it is not used at all, not even for what it made; `None`: never.
    pub retired_at: Option<Timestamp>,
}

/// Whose store this is. Written once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreIdentity {
    /// The issuer that its tokens are made for.
    pub issuer: String,
    /// Proves that a master key is the right one without revealing it.
    pub key_check: [u8; 32],
    /// Whether a sandbox wrote it.
    pub sandbox: bool,
}

/// The store's own account of time and order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreTick {
    /// Grows with every ended grant, with every administration, and once a minute; a lower one than seen before means the store went
    /// back.
    pub tick: i64,
    /// The time that was handed in with the last tick.
    pub at: Timestamp,
}

/// Which grants a step of the sweeper removes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SweepCutoffs {
    /// Codes that expired before this are removed with their grant.
    pub unredeemed_before: Timestamp,
    /// Grants that ended before this are removed.
    pub ended_before: Timestamp,
    /// Grants last used before this are removed.
    pub idle_before: Timestamp,
}

/// What a step of the sweeper did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Swept {
    /// Rows removed.
    pub removed: u64,
    /// Where the next step begins; `None`: the end was reached.
    pub next: Option<GrantId>,
}

/// Which ledger entries to read, newest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LedgerFilter {
    /// Of this grant only.
    pub grant: Option<GrantId>,
    /// Of this app only.
    pub app: Option<AppId>,
    /// Of this user only.
    pub user: Option<UserId>,
}

/// Which grants to list, newest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GrantFilter {
    /// Of this user only.
    pub user: Option<UserId>,
    /// To this app only.
    pub app: Option<AppId>,
    /// Only those that have not ended.
    pub live: bool,
}

/// The single use of a ticket: kept until nothing that names it is good any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TicketUse {
    /// A digest of the ticket's id.
    pub id: [u8; 32],
    /// From when on it need not be remembered.
    pub until: Timestamp,
}

/// A session to open, and the browser's earlier one, which ends with it.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// The session.
    pub session: Session,
    /// The earlier one, if there is one.
    pub replaces: Option<SessionId>,
}

/// Rows.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// The grant and its holder.
    async fn held_grant(&self, id: GrantId) -> Result<Option<HeldGrant>, StoreError>;
    /// Grants, newest first, at most `limit`.
    async fn grants(&self, filter: GrantFilter, limit: u32) -> Result<Vec<Grant>, StoreError>;
    /// One conditional write.
    async fn write_grant(&self, write: GrantWrite) -> Result<Written, StoreError>;

    /// Writes entries that record no other write.
    async fn record(&self, entries: Vec<LedgerEntry>) -> Result<(), StoreError>;
    /// Revokes what no row stands for, with its entry. Not an administration: it changes no settings version. The revocation may stand twice
    /// where the answer was lost; that changes nothing.
    async fn revoke(&self, revocation: NewRevocation, entry: LedgerEntry) -> Result<(), StoreError>;
    /// Entries, newest first, at most `limit`.
    async fn ledger(&self, filter: LedgerFilter, limit: u32) -> Result<Vec<LedgerEntry>, StoreError>;

    /// Entries that a request wrote, newest first.
    async fn ledger_of_request(&self, request: &str) -> Result<Vec<LedgerEntry>, StoreError>;
    /// Adds to what apps did. Not an administration.
    async fn count_usage(&self, counts: Vec<UsageCount>) -> Result<(), StoreError>;
    /// What apps did from that day on, in order of app, day and name.
    async fn usage(&self, app: Option<AppId>, since_day: i64) -> Result<Vec<UsageCount>, StoreError>;

    /// An app by its client id, with system name, redirect URIs and secrets.
    async fn app_by_client_id(&self, client_id: &str) -> Result<Option<App>, StoreError>;
    /// An app by its number.
    async fn app(&self, id: AppId) -> Result<Option<App>, StoreError>;
    /// All apps, or those of one system, in order of their numbers.
    async fn apps(&self, system: Option<SystemId>) -> Result<Vec<App>, StoreError>;
    /// Notes when a secret last worked. Not an administration: it changes no settings version.
    async fn touch_secret(&self, secret: i64, at: Timestamp) -> Result<(), StoreError>;
    /// A system by its name.
    async fn system_by_name(&self, name: &str) -> Result<Option<System>, StoreError>;
    /// All systems, in order of their numbers.
    async fn systems(&self) -> Result<Vec<System>, StoreError>;
    /// A user by number.
    async fn user(&self, id: UserId) -> Result<Option<User>, StoreError>;
    /// A user by e-mail, which is given in lower case.
    async fn user_by_email(&self, email: &str) -> Result<Option<User>, StoreError>;
    /// A user by the platform's id.
    async fn user_by_external(&self, external: &str) -> Result<Option<User>, StoreError>;
    /// All users, or those of one account, in order of their numbers.
    async fn users(&self, account: Option<AccountId>) -> Result<Vec<User>, StoreError>;
    /// An account by number.
    async fn account(&self, id: AccountId) -> Result<Option<Account>, StoreError>;
    /// An account by the platform's id.
    async fn account_by_external(&self, external: &str) -> Result<Option<Account>, StoreError>;
    /// Notes that the platform said something of its user at that time, unless something later was noted. Not an administration; but whoever
    /// read the row before replaces it no more.
    async fn follow_user(&self, external: &str, said_at: Timestamp) -> Result<(), StoreError>;
    /// The same of its account.
    async fn follow_account(&self, external: &str, said_at: Timestamp) -> Result<(), StoreError>;
    /// All accounts, in order of their numbers.
    async fn accounts(&self) -> Result<Vec<Account>, StoreError>;
    /// Changes what rarely changes and raises the settings version, in one transaction with its records.
    async fn administer(
        &self,
        change: Administration,
        ledger: Vec<LedgerEntry>,
        revocations: Vec<NewRevocation>,
    ) -> Result<Administered, StoreError>;
    /// Grows with every administration, whichever process wrote it.
    async fn settings_version(&self) -> Result<i64, StoreError>;
    /// A resource server by its name.
    async fn resource_server_by_name(&self, name: &str) -> Result<Option<ResourceServer>, StoreError>;
    /// All resource servers, in order of their numbers.
    async fn resource_servers(&self) -> Result<Vec<ResourceServer>, StoreError>;

    /// The session with this digest.
    async fn session(&self, id: SessionId) -> Result<Option<Session>, StoreError>;
    /// Opens a session; `replaces`, the browser's earlier one, ends in the same transaction.
    async fn open_session(
        &self,
        session: Session,
        replaces: Option<SessionId>,
        ledger: Vec<LedgerEntry>,
    ) -> Result<(), StoreError>;
    /// Whether a ticket was used. For an early answer only: what counts is [`Store::use_ticket`].
    async fn is_ticket_used(&self, id: [u8; 32]) -> Result<bool, StoreError>;
    /// Uses a ticket and opens the session that it leads to, if any; lost if the ticket was used before, and then nothing is written.
    async fn use_ticket(
        &self,
        ticket: TicketUse,
        opens: Option<NewSession>,
        ledger: Vec<LedgerEntry>,
    ) -> Result<Written, StoreError>;
    /// Notes that the session's user was seen.
    async fn touch_session(&self, id: SessionId, at: Timestamp) -> Result<(), StoreError>;
    /// Ends a session.
    async fn close_session(&self, id: SessionId, ledger: Vec<LedgerEntry>) -> Result<(), StoreError>;

    /// Revocations with a number above `after`, in order, at most `limit`.
    async fn revocations(&self, after: i64, limit: u32) -> Result<Vec<Revocation>, StoreError>;

    /// Whose store this is.
    async fn identity(&self) -> Result<Option<StoreIdentity>, StoreError>;
    /// Makes it ours if it is nobody's, together with its first keys; lost if somebody was faster.
    async fn claim(&self, identity: StoreIdentity, keys: Vec<SealedKey>) -> Result<Written, StoreError>;
    /// All keys, in order of their ids.
    async fn keys(&self) -> Result<Vec<SealedKey>, StoreError>;
    /// The tick.
    async fn tick(&self) -> Result<StoreTick, StoreError>;
    /// Raises the tick and notes the time.
    async fn raise_tick(&self, at: Timestamp) -> Result<StoreTick, StoreError>;

    /// Removes what is over, from `after` on, looking at no more than `limit` grants.
    async fn sweep_grants(
        &self,
        after: Option<GrantId>,
        limit: u32,
        cutoffs: SweepCutoffs,
    ) -> Result<Swept, StoreError>;
    /// Removes sessions last seen before `sessions_before`, revocations and used tickets over before `revocations_before` and ledger entries older than
    /// `ledger_before`, and what apps did until then; no more than `limit` of each. Returns how many.
    async fn sweep_rest(
        &self,
        sessions_before: Timestamp,
        revocations_before: Timestamp,
        ledger_before: Timestamp,
        limit: u32,
    ) -> Result<u64, StoreError>;
    /// Resolves when another node may have administered or revoked something. Where a store cannot tell, never: whoever waits looks by
    /// themselves now and then, also because news can be lost.
    async fn news(&self) {
        std::future::pending().await
    }
    /// The clock that all nodes of this store share, in nanoseconds since 1970; `None`: the store has none, they go by their machines'.
    async fn clock(&self) -> Result<Option<i128>, StoreError> {
        Ok(None)
    }
    /// A small durable write that changes nothing, to learn whether the store can be written to.
    async fn probe(&self) -> Result<(), StoreError>;
    /// Answers the writes that wait and refuses later ones. A store that holds nothing open has nothing to do.
    async fn close(&self) {}
}
