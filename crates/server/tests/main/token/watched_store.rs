//! A store that counts what it is asked and fails where a test wants it to. Everything else is the real store's.

use async_trait::async_trait;
use keyfob_authority::model::{
    Account, AccountId, App, AppId, Grant, LedgerEntry, ResourceServer, Session, SessionId, System, SystemId,
    UsageCount, User, UserId,
};
use keyfob_authority::store::{
    Administered, Administration, GrantFilter, GrantWrite, HeldGrant, LedgerFilter, NewRevocation, NewSession,
    SealedKey, Store, StoreError, StoreIdentity, StoreTick, SweepCutoffs, Swept, TicketUse, Written,
};
use keyfob_protocol::Timestamp;
use keyfob_protocol::revocation::Revocation;
use keyfob_protocol::token_name::GrantId;
use keyfob_store_sqlite::SqliteStore;
use keyfob_testkit::{TestServer, TestServerOptions};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// The real store behind a switchboard.
pub(crate) struct WatchedStore {
    real: Arc<SqliteStore>,
    failing: Mutex<BTreeMap<&'static str, StoreError>>,
    calls: Mutex<BTreeMap<&'static str, usize>>,
    /// Grants are read as if their user's account were gone.
    pub(crate) without_account: AtomicBool,
}

impl WatchedStore {
    /// A new store, and a server on it.
    pub(crate) async fn serve(options: TestServerOptions) -> (Arc<WatchedStore>, TestServer) {
        let store = Arc::new(WatchedStore {
            real: Arc::new(SqliteStore::ephemeral().expect("a store")),
            failing: Mutex::default(),
            calls: Mutex::default(),
            without_account: AtomicBool::new(false),
        });
        let server = TestServer::start_with(TestServerOptions { store: Some(store.clone()), ..options }).await;
        (store, server)
    }

    /// Another node on the store itself, which does not fail with this one.
    pub(crate) async fn another_node(&self, beside: &TestServer) -> TestServer {
        let (store, clock) = (Some(self.real.clone() as Arc<dyn Store>), Some(beside.clock.clone()));
        TestServer::start_with(TestServerOptions { store, clock, entropy_seed: 2, ..Default::default() }).await
    }

    /// From now on this method fails.
    pub(crate) fn fail(&self, method: &'static str, error: StoreError) {
        self.failing.lock().expect("nobody panics with it").insert(method, error);
    }

    /// Everything works again.
    pub(crate) fn heal(&self) {
        self.failing.lock().expect("nobody panics with it").clear();
    }

    /// How often a method was called.
    pub(crate) fn calls(&self, method: &'static str) -> usize {
        self.calls.lock().expect("nobody panics with it").get(method).copied().unwrap_or_default()
    }

    fn before(&self, method: &'static str) -> Result<(), StoreError> {
        *self.calls.lock().expect("nobody panics with it").entry(method).or_default() += 1;
        self.failing.lock().expect("nobody panics with it").get(method).cloned().map_or(Ok(()), Err)
    }
}

macro_rules! watched {
    ($($method:ident($($argument:ident: $type:ty),*) -> $answer:ty;)*) => {
        #[async_trait]
        impl Store for WatchedStore {
            async fn held_grant(&self, id: GrantId) -> Result<Option<HeldGrant>, StoreError> {
                self.before("held_grant")?;
                let mut held = self.real.held_grant(id).await?;
                if let Some(held) = &mut held
                    && self.without_account.load(Ordering::SeqCst)
                {
                    held.holder.account = None;
                }
                Ok(held)
            }

            $(async fn $method(&self, $($argument: $type),*) -> Result<$answer, StoreError> {
                self.before(stringify!($method))?;
                self.real.$method($($argument),*).await
            })*
        }
    };
}

watched! {
    grants(filter: GrantFilter, limit: u32) -> Vec<Grant>;
    write_grant(write: GrantWrite) -> Written;
    record(entries: Vec<LedgerEntry>) -> ();
    revoke(revocation: NewRevocation, entry: LedgerEntry) -> ();
    ledger(filter: LedgerFilter, limit: u32) -> Vec<LedgerEntry>;
    ledger_of_request(request: &str) -> Vec<LedgerEntry>;
    count_usage(counts: Vec<UsageCount>) -> ();
    usage(app: Option<AppId>, since_day: i64) -> Vec<UsageCount>;
    app_by_client_id(client_id: &str) -> Option<App>;
    app(id: AppId) -> Option<App>;
    apps(system: Option<SystemId>) -> Vec<App>;
    touch_secret(secret: i64, at: Timestamp) -> ();
    system_by_name(name: &str) -> Option<System>;
    systems() -> Vec<System>;
    user(id: UserId) -> Option<User>;
    user_by_email(email: &str) -> Option<User>;
    user_by_external(external: &str) -> Option<User>;
    account_by_external(external: &str) -> Option<Account>;
    follow_user(external: &str, said_at: Timestamp) -> ();
    follow_account(external: &str, said_at: Timestamp) -> ();
    is_ticket_used(id: [u8; 32]) -> bool;
    use_ticket(ticket: TicketUse, opens: Option<NewSession>, ledger: Vec<LedgerEntry>) -> Written;
    users(account: Option<AccountId>) -> Vec<User>;
    account(id: AccountId) -> Option<Account>;
    accounts() -> Vec<Account>;
    administer(change: Administration, ledger: Vec<LedgerEntry>, revocations: Vec<NewRevocation>) -> Administered;
    settings_version() -> i64;
    session(id: SessionId) -> Option<Session>;
    open_session(session: Session, replaces: Option<SessionId>, ledger: Vec<LedgerEntry>) -> ();
    touch_session(id: SessionId, at: Timestamp) -> ();
    close_session(id: SessionId, ledger: Vec<LedgerEntry>) -> ();
    revocations(after: i64, limit: u32) -> Vec<Revocation>;
    resource_server_by_name(name: &str) -> Option<ResourceServer>;
    resource_servers() -> Vec<ResourceServer>;
    identity() -> Option<StoreIdentity>;
    claim(identity: StoreIdentity, keys: Vec<SealedKey>) -> Written;
    keys() -> Vec<SealedKey>;
    tick() -> StoreTick;
    raise_tick(at: Timestamp) -> StoreTick;
    sweep_grants(after: Option<GrantId>, limit: u32, cutoffs: SweepCutoffs) -> Swept;
    sweep_rest(sessions_before: Timestamp, revocations_before: Timestamp, ledger_before: Timestamp, limit: u32) -> u64;
    probe() -> ();
}
