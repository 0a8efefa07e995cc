//! All connections of one app at one authority: where a [`Connection`] comes from.
//!
//! There is one handle per name, however often it is opened, so that "one refresh at a time" holds in the whole process. What
//! concerns the app and not one user, the breaker that a refused client secret trips, lives here too.

use crate::connection::{Connection, ConnectionError, Held, LOCKED};
use crate::events::{EventSink, NoEvents};
use crate::exchange::{ExchangeFailed, ReadyExchange};
use crate::governor::Governing;
use crate::identify::Identified;
use crate::identity::Identity;
use crate::provider::{App, Provider};
use crate::store::{Listed, Saved, StoreUnavailable, TokenStore, listed};
use crate::stored::{Standing, State, StoredConnection, Trouble, TroubleKind};
use crate::token_failure::Evidence;
use crate::tokens::TokenSet;
use crate::transport::Surroundings;
use keyfob_protocol::Timestamp;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use thiserror::Error;
use tokio::sync::Notify;

/// Seconds without a refresh after the authority refused the app itself.
const BREAKER: i64 = 60;
/// Tries of a durable write before the tokens stay in memory alone.
pub(crate) const SAVE_TRIES: u32 = 3;

/// The connections of one app. Cheap to clone.
#[derive(Clone)]
pub struct Connections {
    pub(crate) shared: Arc<Shared>,
    opened: Arc<Mutex<HashMap<String, Weak<Held>>>>,
}

/// What every connection of the app uses.
pub(crate) struct Shared {
    pub(crate) provider: Provider,
    pub(crate) app: App,
    pub(crate) store: Arc<dyn TokenStore>,
    pub(crate) outside: Surroundings,
    pub(crate) events: Arc<dyn EventSink>,
    pub(crate) governing: Governing,
    breaker: Mutex<Option<(Timestamp, Evidence)>>,
    /// Connections with tokens that the store did not take yet.
    unwritten: Mutex<HashMap<String, Arc<Held>>>,
    /// Refreshes and exchanges that are under way.
    pub(crate) working: Arc<Working>,
}

/// A user could not be connected. An earlier connection of the same name stays as it was.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// The exchange gave no tokens.
    #[error(transparent)]
    Exchange(#[from] ExchangeFailed),
    /// The tokens came and cannot be kept. Connect again when the store is back.
    #[error("the tokens cannot be kept, so they were dropped; connect again: {0}")]
    Store(#[from] StoreUnavailable),
    /// Somebody else gave their consent: this connection belongs to another account or user. Connect them under a name of their own.
    #[error(
        "this connection belongs to user {} of account {}, and user {} of account {} has connected; nothing was changed",
        .was.user.id, .was.account.id, .is.user.id, .is.account.id
    )]
    OtherIdentity {
        /// Whose it is.
        was: Box<Identity>,
        /// Who has connected now.
        is: Box<Identity>,
    },
    /// It cannot be found out who has connected, so an earlier connection was not replaced. Connect again when the API is back.
    #[error("the API does not say who has connected{}, so the earlier connection was left as it is; connect again", .status.map(|status| format!(" (status {status})")).unwrap_or_default())]
    IdentityUnknown {
        /// The status of its answer; `None` if there was none that can be read.
        status: Option<u16>,
    },
}

impl Connections {
    /// The connections of `app` at `provider`.
    pub fn new(provider: Provider, app: App, store: Arc<dyn TokenStore>, outside: Surroundings) -> Connections {
        Connections::reporting(provider, app, store, outside, Arc::new(NoEvents))
    }

    /// The same, telling `events` of every change.
    pub fn reporting(
        provider: Provider,
        app: App,
        store: Arc<dyn TokenStore>,
        outside: Surroundings,
        events: Arc<dyn EventSink>,
    ) -> Connections {
        let shared = Shared {
            provider,
            app,
            store,
            outside,
            events,
            governing: Governing::default(),
            breaker: Mutex::new(None),
            unwritten: Mutex::default(),
            working: Arc::default(),
        };
        Connections { shared: Arc::new(shared), opened: Arc::default() }
    }

    /// The authority.
    pub fn provider(&self) -> &Provider {
        &self.shared.provider
    }

    /// The app.
    pub fn app(&self) -> &App {
        &self.shared.app
    }

    /// Exchanges the code and keeps the tokens under `id`, your name for this user's connection. If one of that name exists it gets a new
    /// generation, so a reconnect leaves one row. Needs a tokio runtime; runs to its end even if this future is dropped,
    /// as it is when a browser goes away.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub async fn connect(&self, id: &str, ready: ReadyExchange) -> Result<Connection, ConnectError> {
        let (shared, connection) = (self.shared.clone(), self.open(id));
        self.shared
            .working
            .carried_to_its_end(async move {
                let tokens = ready.run(&shared.app, &shared.outside).await?;
                let identified = shared.identify(&connection.held.id, &tokens).await;
                connection.replace_tokens(tokens, &identified).await?;
                shared.close_breaker();
                Ok(connection)
            })
            .await
    }

    /// Keeps tokens that came from elsewhere, such as another system that is being replaced.
    ///
    /// # Errors
    /// [`StoreUnavailable`].
    pub async fn adopt(&self, id: &str, tokens: TokenSet) -> Result<Connection, StoreUnavailable> {
        let connection = self.open(id);
        self.shared
            .working
            .carried_to_its_end(async move {
                match connection.replace_tokens(tokens, &Identified::NotOffered).await {
                    Ok(()) => Ok(connection),
                    Err(ConnectError::Store(unavailable)) => Err(unavailable),
                    Err(other) => unreachable!("invariant: without an identity there is none that differs: {other}"),
                }
            })
            .await
    }

    /// Waits until every refresh and exchange that has begun is over, also those whose caller has gone. To be called before a process ends, and
    /// [`Connections::write_unwritten`] behind it: a refresh that is cut off may cost its connection.
    pub async fn settled(&self) {
        self.shared.working.is_done().await;
    }

    /// Tries to write new tokens that the store did not take when they came, and names the connections whose tokens it still does not take.
    /// To be called every few seconds, since nobody may be calling those connections, and until nothing is left before a process ends:
    /// what only its memory has is gone with it.
    pub async fn write_unwritten(&self) -> Vec<String> {
        let unwritten: Vec<_> = self.shared.unwritten().values().cloned().collect();
        for held in unwritten {
            drop(held.reload().await);
        }
        self.shared.unwritten().keys().cloned().collect()
    }

    /// Notes that the user said no. A connection that exists stays as it is. Whether it was noted.
    ///
    /// # Errors
    /// [`StoreUnavailable`].
    pub async fn denied(&self, id: &str) -> Result<bool, StoreUnavailable> {
        let since = self.shared.outside.clock.now();
        let row = StoredConnection { generation: 1, standing: Standing::Denied, since, trouble: None, identity: None };
        let stored = self.shared.store.save(id, None, &row).await? == Saved::Stored;
        if stored {
            self.open(id).held.tell(None, &row);
        }
        Ok(stored)
    }

    /// Whose tokens these are, where the API says it. Keeps nothing and refreshes nothing; `None` also where the access token has ended or the API
    /// does not answer.
    pub async fn identify(&self, tokens: &TokenSet) -> Option<Identity> {
        // Of no connection yet: whatever the API says of its limits is learnt by the account that it names.
        match self.shared.identify("", tokens).await {
            Identified::As(identity) => Some(identity),
            Identified::Refused(_) | Identified::Unknown | Identified::NotOffered => None,
        }
    }

    /// The handle of a connection. Whether it exists shows when it is used.
    pub fn open(&self, id: &str) -> Connection {
        let mut opened = self.opened.lock().expect("invariant: nothing panics while the lock is held");
        if let Some(held) = opened.get(id).and_then(Weak::upgrade) {
            return Connection { held };
        }
        // Handles that nobody holds any more leave their name behind; it goes when the map would grow.
        if opened.len() == opened.capacity() {
            opened.retain(|_, held| held.strong_count() > 0);
        }
        let held = Held::new(id, self.shared.clone());
        opened.insert(id.to_owned(), Arc::downgrade(&held));
        Connection { held }
    }
}

impl Shared {
    /// What the authority said when it refused the app, as long as asking again is pointless.
    pub(crate) fn open_breaker(&self, now: Timestamp) -> Option<ConnectionError> {
        let breaker = self.breaker.lock().expect("invariant: nothing panics while the lock is held");
        let (retry_at, evidence) = breaker.clone().filter(|(until, _)| now < *until)?;
        Some(ConnectionError::AppRefused { evidence, retry_at })
    }

    /// Nobody asks for a while. Of several who were refused at the same moment the first one trips it, and is heard.
    pub(crate) fn trip_breaker(&self, now: Timestamp, evidence: Evidence) -> ConnectionError {
        let retry_at = now.plus(BREAKER);
        {
            let mut breaker = self.breaker.lock().expect("invariant: nothing panics while the lock is held");
            if let Some((until, _)) = breaker.as_ref().filter(|(until, _)| now < *until) {
                return ConnectionError::AppRefused { evidence, retry_at: *until };
            }
            *breaker = Some((retry_at, evidence.clone()));
        }
        self.events.app_refused(&evidence, retry_at);
        ConnectionError::AppRefused { evidence, retry_at }
    }

    pub(crate) fn unwritten(&self) -> MutexGuard<'_, HashMap<String, Arc<Held>>> {
        self.unwritten.lock().expect("invariant: nothing panics while the lock is held")
    }

    pub(crate) fn close_breaker(&self) {
        *self.breaker.lock().expect("invariant: nothing panics while the lock is held") = None;
    }

    /// Writes tokens over whatever of the same user stands there, and says which state stood there. Used when the user has just consented:
    /// nothing that stands there is newer. An identity that is known stays where the new one is not.
    pub(crate) async fn overwrite(
        &self,
        id: &str,
        tokens: &TokenSet,
        identified: &Identified,
    ) -> Result<(Option<State>, StoredConnection), ConnectError> {
        let mut refused = StoreUnavailable("other writers were always faster".to_owned());
        for _ in 0..SAVE_TRIES {
            let saved = async {
                let there = match self.store.load(id).await {
                    Err(unavailable) => match listed(&*self.store, id).await? {
                        // Nobody will ever read it; whose it was is not known any more.
                        Some(Listed { row: Err(_), .. }) => {
                            self.store.remove(id).await?;
                            None
                        }
                        _ => return Err(unavailable.into()),
                    },
                    Ok(there) => there,
                };
                let replaces = there.as_ref().map(|row| row.generation);
                let identity = identified.pinned_to(there.as_ref().and_then(|row| row.identity.as_ref()))?;
                let since = self.outside.clock.now();
                let mut next = StoredConnection::live(replaces.unwrap_or(0) + 1, tokens.clone(), since, identity);
                if matches!(identified, Identified::Refused(403)) {
                    next.trouble = Some(Trouble { kind: TroubleKind::AccountLocked, since, reason: LOCKED.to_owned() });
                }
                let saved = self.store.save(id, replaces, &next).await?;
                Ok((saved, there.map(|row| row.status().state), next))
            };
            match saved.await {
                Ok((Saved::Stored, from, next)) => return Ok((from, next)),
                Ok((Saved::Conflict, ..)) => {}
                Err(ConnectError::Store(unavailable)) => {
                    refused = unavailable;
                    self.outside.pause.pause(std::time::Duration::from_millis(200)).await;
                }
                Err(other) => return Err(other),
            }
        }
        Err(ConnectError::Store(refused))
    }
}

/// Work that must come to its end, and whoever waits for all of it.
#[derive(Default)]
pub(crate) struct Working {
    count: AtomicUsize,
    ended: Notify,
}

/// One piece of it.
struct Piece(Arc<Working>);

impl Drop for Piece {
    fn drop(&mut self) {
        if self.0.count.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.ended.notify_waiters();
        }
    }
}

impl Working {
    /// Runs on a task of its own: between the answer with new tokens and their durable write nothing may be dropped.
    pub(crate) async fn carried_to_its_end<T: Send + 'static>(
        self: &Arc<Working>,
        work: impl Future<Output = T> + Send + 'static,
    ) -> T {
        self.count.fetch_add(1, Ordering::SeqCst);
        let piece = Piece(self.clone());
        let task = tokio::spawn(async move {
            let _piece = piece;
            work.await
        });
        match task.await {
            Ok(done) => done,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime is shutting down, and this task with it: nobody is left to answer.
                Err(_) => std::future::pending().await,
            },
        }
    }

    async fn is_done(&self) {
        loop {
            let ended = self.ended.notified();
            tokio::pin!(ended);
            // Registered before the count is read, so that the last end is not missed.
            ended.as_mut().enable();
            if self.count.load(Ordering::SeqCst) == 0 {
                return;
            }
            ended.await;
        }
    }
}

impl From<StoreUnavailable> for ConnectionError {
    fn from(unavailable: StoreUnavailable) -> Self {
        ConnectionError::Store(unavailable)
    }
}
