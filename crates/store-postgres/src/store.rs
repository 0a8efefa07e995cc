//! The store contract, method by method: a read, a single write, a job for a lane, or a transaction.

use std::sync::Arc;

use async_trait::async_trait;
use keyfob_authority::model::{
    Account, AccountId, App, AppId, Grant, LedgerEntry, ResourceServer, Session, SessionId, System, SystemId,
    UsageCount, User, UserId,
};
use keyfob_authority::store::{
    Administered, Administration, GrantChange, GrantFilter, GrantWrite, HeldGrant, LedgerFilter, NewRevocation,
    NewSession, SealedKey, Store, StoreError, StoreIdentity, StoreTick, SweepCutoffs, Swept, TicketUse, Written,
};
use keyfob_protocol::Timestamp;
use keyfob_protocol::revocation::Revocation;
use keyfob_protocol::token_name::GrantId;

use crate::engine::{Address, Dialer, Engine, Fault, Lane, OpenError, Options, Work};
use crate::grants::batch::GrantWrites;
use crate::grants::held::HeldGrants;
use crate::schema::SCHEMA;
use crate::{
    administration, apps, grants, keys, ledger, people, resource_servers, revocations, sessions, settings, sweep,
    tickets, usage,
};

/// A store in one PostgreSQL database. Any number of nodes may have it open at the same time.
pub struct PostgresStore {
    address: Address,
    engine: Arc<Engine>,
    writing: Vec<Lane<GrantWrites>>,
    reading: Vec<Lane<HeldGrants>>,
}

impl PostgresStore {
    /// Connects to the database and brings it to the current schema as needed.
    ///
    /// # Errors
    /// The database cannot be reached or does not let us in, or it holds something that this build does not know.
    pub async fn open(address: Address, options: &Options) -> Result<Self, OpenError> {
        let dialer = Dialer::to(address)?;
        SCHEMA.prepare(&dialer).await?;
        let engine = Arc::new(Engine::start(&dialer, options));
        let (lanes, queue, largest) = (options.lanes.max(1), options.queue, options.largest_batch.max(1));
        let writing = (0..lanes).map(|_| Lane::start(dialer.clone(), queue, largest)).collect();
        let reading = (0..lanes).map(|_| Lane::start(dialer.clone(), queue, largest)).collect();
        Ok(Self { address: dialer.address, engine, writing, reading })
    }

    /// How many replicas copy this database while no commit waits for any of them: should one of these take over, answered writes are lost.
    ///
    /// # Errors
    /// The database does not answer, or is an engine that does not know.
    pub async fn lossy_replicas(&self) -> Result<u64, StoreError> {
        settings::lossy_replicas(&self.engine).await.map_err(store_error)
    }

    /// Answers the writes that wait, refuses later ones and ends the connections.
    pub async fn close(&self) {
        for lane in &self.writing {
            lane.close().await;
        }
        for lane in &self.reading {
            lane.close().await;
        }
        self.engine.close();
    }
}

/// The lane of a grant: always the same, so that no two lanes wait for each other's rows. The end of an id is random.
fn lane_of<W: Work>(lanes: &[Lane<W>], id: GrantId) -> &Lane<W> {
    &lanes[usize::from(id.0[15]) % lanes.len()]
}

impl std::fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresStore").field("address", &self.address).finish_non_exhaustive()
    }
}

pub(crate) fn store_error(fault: Fault) -> StoreError {
    if fault.is_unavailable() {
        StoreError::Unavailable(fault.to_string())
    } else {
        StoreError::Broken(fault.to_string())
    }
}

#[async_trait]
impl Store for PostgresStore {
    async fn held_grant(&self, id: GrantId) -> Result<Option<HeldGrant>, StoreError> {
        lane_of(&self.reading, id).ask(id).await.map_err(store_error)
    }

    async fn grants(&self, filter: GrantFilter, limit: u32) -> Result<Vec<Grant>, StoreError> {
        grants::list(&self.engine, filter, limit).await.map_err(store_error)
    }

    async fn write_grant(&self, write: GrantWrite) -> Result<Written, StoreError> {
        let id = match &write.what {
            GrantChange::Insert(grant) => grant.id,
            GrantChange::Update { id, .. } => *id,
        };
        let revokes = !write.revocations.is_empty();
        let written = lane_of(&self.writing, id).ask(write).await.map_err(store_error)?;
        if revokes && written == Written::Won {
            self.engine.news().tell();
        }
        Ok(written)
    }

    async fn record(&self, entries: Vec<LedgerEntry>) -> Result<(), StoreError> {
        ledger::record(&self.engine, &entries).await.map_err(store_error)
    }

    async fn revoke(&self, revocation: NewRevocation, entry: LedgerEntry) -> Result<(), StoreError> {
        revocations::revoke(&self.engine, &revocation, &entry).await.map_err(store_error)?;
        self.engine.news().tell();
        Ok(())
    }

    async fn ledger(&self, filter: LedgerFilter, limit: u32) -> Result<Vec<LedgerEntry>, StoreError> {
        ledger::list(&self.engine, filter, limit).await.map_err(store_error)
    }

    async fn ledger_of_request(&self, request: &str) -> Result<Vec<LedgerEntry>, StoreError> {
        ledger::of_request(&self.engine, request).await.map_err(store_error)
    }

    async fn count_usage(&self, counts: Vec<UsageCount>) -> Result<(), StoreError> {
        usage::count(&self.engine, &counts).await.map_err(store_error)
    }

    async fn usage(&self, app: Option<AppId>, since_day: i64) -> Result<Vec<UsageCount>, StoreError> {
        usage::list(&self.engine, app, since_day).await.map_err(store_error)
    }

    async fn app_by_client_id(&self, client_id: &str) -> Result<Option<App>, StoreError> {
        apps::app_by_client_id(&self.engine, client_id).await.map_err(store_error)
    }

    async fn app(&self, id: AppId) -> Result<Option<App>, StoreError> {
        apps::app(&self.engine, id).await.map_err(store_error)
    }

    async fn apps(&self, system: Option<SystemId>) -> Result<Vec<App>, StoreError> {
        apps::apps(&self.engine, system).await.map_err(store_error)
    }

    async fn touch_secret(&self, secret: i64, at: Timestamp) -> Result<(), StoreError> {
        apps::touch_secret(&self.engine, secret, at).await.map_err(store_error)
    }

    async fn system_by_name(&self, name: &str) -> Result<Option<System>, StoreError> {
        apps::system_by_name(&self.engine, name).await.map_err(store_error)
    }

    async fn systems(&self) -> Result<Vec<System>, StoreError> {
        apps::systems(&self.engine).await.map_err(store_error)
    }

    async fn user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        people::user(&self.engine, id).await.map_err(store_error)
    }

    async fn user_by_email(&self, email: &str) -> Result<Option<User>, StoreError> {
        people::user_by_email(&self.engine, email).await.map_err(store_error)
    }

    async fn user_by_external(&self, external: &str) -> Result<Option<User>, StoreError> {
        people::user_by_external(&self.engine, external).await.map_err(store_error)
    }

    async fn users(&self, account: Option<AccountId>) -> Result<Vec<User>, StoreError> {
        people::users(&self.engine, account).await.map_err(store_error)
    }

    async fn account(&self, id: AccountId) -> Result<Option<Account>, StoreError> {
        people::account(&self.engine, id).await.map_err(store_error)
    }

    async fn account_by_external(&self, external: &str) -> Result<Option<Account>, StoreError> {
        people::account_by_external(&self.engine, external).await.map_err(store_error)
    }

    async fn follow_user(&self, external: &str, said_at: Timestamp) -> Result<(), StoreError> {
        people::follow_user(&self.engine, external, said_at).await.map_err(store_error)
    }

    async fn follow_account(&self, external: &str, said_at: Timestamp) -> Result<(), StoreError> {
        people::follow_account(&self.engine, external, said_at).await.map_err(store_error)
    }

    async fn accounts(&self) -> Result<Vec<Account>, StoreError> {
        people::accounts(&self.engine).await.map_err(store_error)
    }

    async fn administer(
        &self,
        change: Administration,
        ledger: Vec<LedgerEntry>,
        revocations: Vec<NewRevocation>,
    ) -> Result<Administered, StoreError> {
        let engine = Arc::clone(&self.engine);
        let outcome = administration::administer(engine, change, ledger, revocations).await.map_err(store_error)?;
        if let Administered::Done(_) = outcome {
            self.engine.news().tell();
        }
        Ok(outcome)
    }

    async fn settings_version(&self) -> Result<i64, StoreError> {
        settings::version(&self.engine).await.map_err(store_error)
    }

    async fn resource_server_by_name(&self, name: &str) -> Result<Option<ResourceServer>, StoreError> {
        resource_servers::by_name(&self.engine, name).await.map_err(store_error)
    }

    async fn resource_servers(&self) -> Result<Vec<ResourceServer>, StoreError> {
        resource_servers::all(&self.engine).await.map_err(store_error)
    }

    async fn session(&self, id: SessionId) -> Result<Option<Session>, StoreError> {
        sessions::session(&self.engine, id).await.map_err(store_error)
    }

    async fn open_session(
        &self,
        session: Session,
        replaces: Option<SessionId>,
        ledger: Vec<LedgerEntry>,
    ) -> Result<(), StoreError> {
        sessions::open(&self.engine, &session, replaces, &ledger).await.map_err(store_error)
    }

    async fn is_ticket_used(&self, id: [u8; 32]) -> Result<bool, StoreError> {
        tickets::is_used(&self.engine, id).await.map_err(store_error)
    }

    async fn use_ticket(
        &self,
        ticket: TicketUse,
        opens: Option<NewSession>,
        ledger: Vec<LedgerEntry>,
    ) -> Result<Written, StoreError> {
        tickets::spend(&self.engine, ticket, opens.as_ref(), &ledger).await.map_err(store_error)
    }

    async fn touch_session(&self, id: SessionId, at: Timestamp) -> Result<(), StoreError> {
        sessions::touch(&self.engine, id, at).await.map_err(store_error)
    }

    async fn close_session(&self, id: SessionId, ledger: Vec<LedgerEntry>) -> Result<(), StoreError> {
        sessions::close(&self.engine, id, &ledger).await.map_err(store_error)
    }

    async fn revocations(&self, after: i64, limit: u32) -> Result<Vec<Revocation>, StoreError> {
        revocations::list(&self.engine, after, limit).await.map_err(store_error)
    }

    async fn identity(&self) -> Result<Option<StoreIdentity>, StoreError> {
        settings::identity(&self.engine).await.map_err(store_error)
    }

    async fn claim(&self, identity: StoreIdentity, keys: Vec<SealedKey>) -> Result<Written, StoreError> {
        settings::claim(&self.engine, &identity, &keys).await.map_err(store_error)
    }

    async fn keys(&self) -> Result<Vec<SealedKey>, StoreError> {
        keys::all(&self.engine).await.map_err(store_error)
    }

    async fn tick(&self) -> Result<StoreTick, StoreError> {
        settings::tick(&self.engine).await.map_err(store_error)
    }

    async fn raise_tick(&self, at: Timestamp) -> Result<StoreTick, StoreError> {
        settings::raise_tick(&self.engine, at).await.map_err(store_error)
    }

    async fn sweep_grants(
        &self,
        after: Option<GrantId>,
        limit: u32,
        cutoffs: SweepCutoffs,
    ) -> Result<Swept, StoreError> {
        sweep::grants(&self.engine, after, limit, cutoffs).await.map_err(store_error)
    }

    async fn sweep_rest(
        &self,
        sessions_before: Timestamp,
        revocations_before: Timestamp,
        ledger_before: Timestamp,
        limit: u32,
    ) -> Result<u64, StoreError> {
        sweep::rest(&self.engine, sessions_before, revocations_before, ledger_before, limit).await.map_err(store_error)
    }

    async fn news(&self) {
        self.engine.news().heard().await;
    }

    async fn clock(&self) -> Result<Option<i128>, StoreError> {
        settings::clock(&self.engine).await.map(Some).map_err(store_error)
    }

    async fn probe(&self) -> Result<(), StoreError> {
        settings::probe(&self.engine).await.map_err(store_error)
    }

    async fn close(&self) {
        PostgresStore::close(self).await;
    }
}
