//! The store contract, method by method: a read on the caller's thread or a job for the writer.

use std::path::Path;
use std::sync::Arc;

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
use rusqlite::Connection;
use tempfile::TempDir;

use crate::engine::{Engine, Fault, OpenError, Options};
use crate::holders::Holders;
use crate::{
    administration, apps, grants, keys, ledger, people, resource_servers, revocations, schema, sessions, settings,
    sweep, tickets, usage,
};

/// Bytes of free disk below which the store says that it is full: about what one batch of writes takes.
const LEAST_ROOM: u64 = 1 << 20;

/// A store in one SQLite file. Several processes may have it open at the same time.
#[derive(Debug)]
pub struct SqliteStore {
    engine: Arc<Engine>,
    holders: Holders,
    // After the engine, which must let go of the files first.
    _directory: Option<TempDir>,
}

impl SqliteStore {
    /// Opens the file, creating it (mode 0600) and bringing it to the current schema as needed.
    ///
    /// # Errors
    /// The file cannot be created or written, is damaged, or holds something that this build does not know.
    pub fn open(path: impl AsRef<Path>, options: &Options) -> Result<Self, OpenError> {
        let path = path.as_ref();
        let engine = Engine::open(path, options, |connection| {
            schema::migrate(connection).map_err(|unsuitable| match unsuitable {
                schema::Unsuitable::Fault(source) => OpenError::Database { path: path.to_owned(), source },
                schema::Unsuitable::Content(problem) => OpenError::Content { path: path.to_owned(), problem },
            })
        })?;
        Ok(Self { engine: Arc::new(engine), holders: Holders::default(), _directory: None })
    }

    /// A store that lives as long as this value, in a private temporary directory. It survives nothing, so it waits for no
    /// disk.
    ///
    /// # Errors
    /// The directory or the file cannot be made.
    pub fn ephemeral() -> Result<Self, OpenError> {
        let directory =
            TempDir::with_prefix("keyfob-").map_err(|source| OpenError::File { path: std::env::temp_dir(), source })?;
        let options = Options { durable: false, ..Options::default() };
        let store = Self::open(directory.path().join("keyfob.db"), &options)?;
        Ok(Self { _directory: Some(directory), ..store })
    }

    /// Copies the last committed state into the new file `target` (mode 0600) while the store is in use.
    ///
    /// # Errors
    /// `target` exists or cannot be written. Nothing is left under its name then.
    pub async fn backup_to(&self, target: impl AsRef<Path>) -> Result<(), StoreError> {
        let (engine, target) = (Arc::clone(&self.engine), target.as_ref().to_owned());
        aside(move || engine.backup_to(&target)).await
    }

    /// Answers the writes that wait, refuses later ones and stops the threads. Also done when dropped, but then it blocks.
    pub async fn close(&self) {
        let engine = Arc::clone(&self.engine);
        // Fails only if a thread of the engine panicked, which has been said.
        let _ = aside(move || {
            engine.close();
            Ok(())
        })
        .await;
    }

    /// What the store stands on, for metrics and tests.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(crate) async fn write<T: Send + 'static>(
        &self,
        job: impl FnMut(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.engine.write(job).await.map_err(store_error)
    }

    fn read<T>(&self, query: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        self.engine.read(query).map_err(store_error)
    }

    /// A read that may look at many rows and so must not hold up an async worker.
    pub(crate) async fn long_read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let engine = Arc::clone(&self.engine);
        aside(move || engine.read_long(query)).await
    }
}

async fn aside<T: Send + 'static>(work: impl FnOnce() -> Result<T, Fault> + Send + 'static) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(Fault::Panicked)).map_err(store_error)
}

fn store_error(fault: Fault) -> StoreError {
    if fault.is_unavailable() {
        StoreError::Unavailable(fault.to_string())
    } else {
        StoreError::Broken(fault.to_string())
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn held_grant(&self, id: GrantId) -> Result<Option<HeldGrant>, StoreError> {
        self.read(|connection| grants::held(connection, &self.holders, id))
    }

    async fn grants(&self, filter: GrantFilter, limit: u32) -> Result<Vec<Grant>, StoreError> {
        self.long_read(move |connection| grants::list(connection, filter, limit)).await
    }

    async fn write_grant(&self, write: GrantWrite) -> Result<Written, StoreError> {
        self.write(move |connection| grants::write(connection, &write)).await
    }

    async fn record(&self, entries: Vec<LedgerEntry>) -> Result<(), StoreError> {
        self.write(move |connection| ledger::append(connection, &entries)).await
    }

    async fn revoke(&self, revocation: NewRevocation, entry: LedgerEntry) -> Result<(), StoreError> {
        self.write(move |connection| {
            ledger::append(connection, std::slice::from_ref(&entry))?;
            revocations::append(connection, std::slice::from_ref(&revocation))
        })
        .await
    }

    async fn ledger(&self, filter: LedgerFilter, limit: u32) -> Result<Vec<LedgerEntry>, StoreError> {
        self.long_read(move |connection| ledger::list(connection, filter, limit)).await
    }

    async fn ledger_of_request(&self, request: &str) -> Result<Vec<LedgerEntry>, StoreError> {
        let request = request.to_owned();
        self.long_read(move |connection| ledger::of_request(connection, &request)).await
    }

    async fn count_usage(&self, counts: Vec<UsageCount>) -> Result<(), StoreError> {
        self.write(move |connection| usage::count(connection, &counts)).await
    }

    async fn usage(&self, app: Option<AppId>, since_day: i64) -> Result<Vec<UsageCount>, StoreError> {
        self.long_read(move |connection| usage::list(connection, app, since_day)).await
    }

    async fn app_by_client_id(&self, client_id: &str) -> Result<Option<App>, StoreError> {
        self.read(|connection| apps::app_by_client_id(connection, client_id))
    }

    async fn app(&self, id: AppId) -> Result<Option<App>, StoreError> {
        self.read(|connection| apps::app(connection, id))
    }

    async fn apps(&self, system: Option<SystemId>) -> Result<Vec<App>, StoreError> {
        self.long_read(move |connection| apps::apps(connection, system)).await
    }

    async fn touch_secret(&self, secret: i64, at: Timestamp) -> Result<(), StoreError> {
        self.write(move |connection| apps::touch_secret(connection, secret, at)).await
    }

    async fn system_by_name(&self, name: &str) -> Result<Option<System>, StoreError> {
        self.read(|connection| apps::system_by_name(connection, name))
    }

    async fn systems(&self) -> Result<Vec<System>, StoreError> {
        self.long_read(apps::systems).await
    }

    async fn user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        self.read(|connection| people::user(connection, id))
    }

    async fn user_by_email(&self, email: &str) -> Result<Option<User>, StoreError> {
        self.read(|connection| people::user_by_email(connection, email))
    }

    async fn user_by_external(&self, external: &str) -> Result<Option<User>, StoreError> {
        self.read(|connection| people::user_by_external(connection, external))
    }

    async fn users(&self, account: Option<AccountId>) -> Result<Vec<User>, StoreError> {
        self.long_read(move |connection| people::users(connection, account)).await
    }

    async fn account(&self, id: AccountId) -> Result<Option<Account>, StoreError> {
        self.read(|connection| people::account(connection, id))
    }

    async fn account_by_external(&self, external: &str) -> Result<Option<Account>, StoreError> {
        self.read(|connection| people::account_by_external(connection, external))
    }

    async fn follow_user(&self, external: &str, said_at: Timestamp) -> Result<(), StoreError> {
        let external = external.to_owned();
        self.write(move |connection| people::follow_user(connection, &external, said_at)).await
    }

    async fn follow_account(&self, external: &str, said_at: Timestamp) -> Result<(), StoreError> {
        let external = external.to_owned();
        self.write(move |connection| people::follow_account(connection, &external, said_at)).await
    }

    async fn accounts(&self) -> Result<Vec<Account>, StoreError> {
        self.long_read(people::accounts).await
    }

    async fn administer(
        &self,
        change: Administration,
        ledger: Vec<LedgerEntry>,
        revocations: Vec<NewRevocation>,
    ) -> Result<Administered, StoreError> {
        self.write(move |connection| administration::administer(connection, &change, &ledger, &revocations)).await
    }

    async fn settings_version(&self) -> Result<i64, StoreError> {
        self.read(settings::version)
    }

    async fn resource_server_by_name(&self, name: &str) -> Result<Option<ResourceServer>, StoreError> {
        self.read(|connection| resource_servers::by_name(connection, name))
    }

    async fn resource_servers(&self) -> Result<Vec<ResourceServer>, StoreError> {
        self.long_read(resource_servers::all).await
    }

    async fn session(&self, id: SessionId) -> Result<Option<Session>, StoreError> {
        self.read(|connection| sessions::session(connection, id))
    }

    async fn open_session(
        &self,
        session: Session,
        replaces: Option<SessionId>,
        ledger: Vec<LedgerEntry>,
    ) -> Result<(), StoreError> {
        self.write(move |connection| {
            sessions::open(connection, &session, replaces)?;
            ledger::append(connection, &ledger)
        })
        .await
    }

    async fn is_ticket_used(&self, id: [u8; 32]) -> Result<bool, StoreError> {
        self.read(|connection| tickets::is_used(connection, id))
    }

    async fn use_ticket(
        &self,
        ticket: TicketUse,
        opens: Option<NewSession>,
        ledger: Vec<LedgerEntry>,
    ) -> Result<Written, StoreError> {
        self.write(move |connection| {
            if !tickets::spend(connection, ticket)? {
                return Ok(Written::Lost);
            }
            if let Some(NewSession { session, replaces }) = &opens {
                sessions::open(connection, session, *replaces)?;
            }
            ledger::append(connection, &ledger)?;
            Ok(Written::Won)
        })
        .await
    }

    async fn touch_session(&self, id: SessionId, at: Timestamp) -> Result<(), StoreError> {
        self.write(move |connection| sessions::touch(connection, id, at)).await
    }

    async fn close_session(&self, id: SessionId, ledger: Vec<LedgerEntry>) -> Result<(), StoreError> {
        self.write(move |connection| {
            sessions::close(connection, id)?;
            ledger::append(connection, &ledger)
        })
        .await
    }

    async fn revocations(&self, after: i64, limit: u32) -> Result<Vec<Revocation>, StoreError> {
        self.read(|connection| revocations::list(connection, after, limit))
    }

    async fn identity(&self) -> Result<Option<StoreIdentity>, StoreError> {
        self.read(settings::identity)
    }

    async fn claim(&self, identity: StoreIdentity, keys: Vec<SealedKey>) -> Result<Written, StoreError> {
        self.write(move |connection| settings::claim(connection, &identity, &keys)).await
    }

    async fn keys(&self) -> Result<Vec<SealedKey>, StoreError> {
        self.read(keys::all)
    }

    async fn tick(&self) -> Result<StoreTick, StoreError> {
        self.read(settings::tick)
    }

    async fn raise_tick(&self, at: Timestamp) -> Result<StoreTick, StoreError> {
        self.write(move |connection| settings::raise_tick(connection, at)).await
    }

    async fn sweep_grants(
        &self,
        after: Option<GrantId>,
        limit: u32,
        cutoffs: SweepCutoffs,
    ) -> Result<Swept, StoreError> {
        self.write(move |connection| sweep::grants(connection, after, limit, cutoffs)).await
    }

    async fn sweep_rest(
        &self,
        sessions_before: Timestamp,
        revocations_before: Timestamp,
        ledger_before: Timestamp,
        limit: u32,
    ) -> Result<u64, StoreError> {
        self.write(move |connection| sweep::rest(connection, sessions_before, revocations_before, ledger_before, limit))
            .await
    }

    async fn probe(&self) -> Result<(), StoreError> {
        self.write(settings::probe).await?;
        // A small write may still fit into what a failed one left in the log, while no ordinary one fits any more.
        match rustix::fs::statvfs(self.engine.path()) {
            Ok(disk) if disk.f_bavail.saturating_mul(disk.f_frsize) < LEAST_ROOM => Err(store_error(Fault::Full)),
            Ok(_) => Ok(()),
            Err(error) => Err(store_error(Fault::Io(error.to_string()))),
        }
    }

    async fn close(&self) {
        SqliteStore::close(self).await;
    }
}
