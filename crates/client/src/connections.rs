//! All connections of one app at one authority: where a [`Connection`] comes from.
//!
//! There is one handle per name, however often it is opened, so that "one refresh at a time" holds in the whole process. What
//! concerns the app and not one user, the breaker that a refused client secret trips, lives here too.

use crate::connection::{Connection, ConnectionError, Held};
use crate::exchange::{ExchangeFailed, ReadyExchange};
use crate::governor::Governing;
use crate::provider::{App, Provider};
use crate::store::{Saved, Standing, StoreUnavailable, StoredConnection, TokenStore};
use crate::token_failure::Evidence;
use crate::tokens::TokenSet;
use crate::transport::Surroundings;
use keyfob_protocol::Timestamp;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};
use thiserror::Error;

/// Seconds without a refresh after the authority refused the app itself.
const BREAKER: i64 = 60;
/// Tries of a durable write before the tokens stay in memory alone.
pub(crate) const SAVE_TRIES: u32 = 3;

/// The connections of one app. Cheap to clone.
#[derive(Clone)]
pub struct Connections {
    shared: Arc<Shared>,
    opened: Arc<Mutex<HashMap<String, Weak<Held>>>>,
}

/// What every connection of the app uses.
pub(crate) struct Shared {
    pub(crate) provider: Provider,
    pub(crate) app: App,
    pub(crate) store: Arc<dyn TokenStore>,
    pub(crate) outside: Surroundings,
    pub(crate) governing: Governing,
    breaker: Mutex<Option<(Timestamp, Evidence)>>,
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
}

impl Connections {
    /// The connections of `app` at `provider`.
    pub fn new(provider: Provider, app: App, store: Arc<dyn TokenStore>, outside: Surroundings) -> Connections {
        let shared =
            Shared { provider, app, store, outside, governing: Governing::default(), breaker: Mutex::new(None) };
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
        carried_to_its_end(async move {
            let tokens = ready.run(&shared.app, &shared.outside).await?;
            connection.replace_tokens(tokens).await?;
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
        carried_to_its_end(async move {
            connection.replace_tokens(tokens).await?;
            Ok(connection)
        })
        .await
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
        let held = Arc::new(Held::new(id, self.shared.clone()));
        opened.insert(id.to_owned(), Arc::downgrade(&held));
        Connection { held }
    }
}

impl Shared {
    /// What the authority said when it refused the app, as long as asking again is pointless.
    pub(crate) fn open_breaker(&self, now: Timestamp) -> Option<Evidence> {
        let breaker = self.breaker.lock().expect("invariant: nothing panics while the lock is held");
        breaker.as_ref().filter(|(until, _)| now < *until).map(|(_, evidence)| evidence.clone())
    }

    pub(crate) fn trip_breaker(&self, now: Timestamp, evidence: Evidence) {
        let mut breaker = self.breaker.lock().expect("invariant: nothing panics while the lock is held");
        *breaker = Some((now.plus(BREAKER), evidence));
    }

    pub(crate) fn close_breaker(&self) {
        *self.breaker.lock().expect("invariant: nothing panics while the lock is held") = None;
    }

    /// Writes tokens over whatever stands there. Used when the user has just consented: nothing that stands there is newer.
    pub(crate) async fn overwrite(&self, id: &str, tokens: &TokenSet) -> Result<StoredConnection, StoreUnavailable> {
        let mut refused = StoreUnavailable("other writers were always faster".to_owned());
        for _ in 0..SAVE_TRIES {
            let standing = Standing::Live(tokens.clone());
            let saved = async {
                let replaces = self.store.load(id).await?.map(|row| row.generation);
                let next = StoredConnection { generation: replaces.unwrap_or(0) + 1, standing };
                Ok((self.store.save(id, replaces, &next).await?, next))
            };
            match saved.await {
                Ok((Saved::Stored, next)) => return Ok(next),
                Ok((Saved::Conflict, _)) => {}
                Err(unavailable) => {
                    refused = unavailable;
                    self.outside.pause.pause(std::time::Duration::from_millis(200)).await;
                }
            }
        }
        Err(refused)
    }
}

/// Runs on a task of its own: between the answer with new tokens and their durable write nothing may be dropped.
pub(crate) async fn carried_to_its_end<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    match tokio::spawn(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is shutting down, and this task with it: nobody is left to answer.
            Err(_) => std::future::pending().await,
        },
    }
}

impl From<StoreUnavailable> for ConnectionError {
    fn from(unavailable: StoreUnavailable) -> Self {
        ConnectionError::Store(unavailable)
    }
}
