//! The vault without HTTP: several apps, each with its connections, over one store.

use crate::import::Importer;
use crate::scoped::{SEPARATOR, ScopedStore, behind, split};
use crate::store::{SWEPT_AT_ONCE, StoredEvent, VaultStore};
use keyfob_client::{
    App, Connection, ConnectionError, Connections, Event, EventSink, Evidence, Listed, Provider, Revoked, Status,
    StoreUnavailable, Surroundings, Tended, Timestamp, TokenStore, listed,
};
use keyfob_protocol::time::DAY;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use url::Url;

/// Connections that are kept at hand, so that a call reads nothing from the store.
const AT_HAND: usize = 10_000;
/// Seconds that an event is kept for whoever asks.
const EVENTS_KEPT: i64 = 90 * DAY;
/// Seconds without a refresh after which an authority like Follow Up Boss ends a grant.
const IDLE_DEATH: i64 = 90 * DAY;

/// An app whose users connect.
#[derive(Clone)]
pub struct AppSettings {
    /// What callers call it: letters, digits, hyphens, dots, underscores.
    pub name: String,
    /// What users read; the name of your product.
    pub title: String,
    /// Its authority and API.
    pub provider: Provider,
    /// Its credentials there.
    pub app: App,
    /// A narrower scope than the app's default.
    pub scope: Option<String>,
    /// Where the user's browser goes at the end. `None`: to a page of the vault.
    pub after: Option<Url>,
    /// Further places that a caller may name for that; each is a prefix that ends in `/`.
    pub return_prefixes: Vec<Url>,
}

impl AppSettings {
    /// Whether its authority's answers may arrive at this callback: `at` is the app that the path names. An app whose redirect URI names it takes
    /// no answer at the common one, so that a code of its authority is never sent to another (RFC 9700 section 4.4.2; matrix CL-08).
    pub(crate) fn is_answered_at(&self, at: Option<&str>) -> bool {
        match at {
            Some(app) => app == self.name,
            None => !self.has_own_callback(),
        }
    }

    /// Whether its redirect URI is `/callback/NAME`.
    fn has_own_callback(&self) -> bool {
        let path = Url::parse(&self.app.redirect_uri).map(|url| url.path().to_owned()).unwrap_or_default();
        path.strip_suffix(&self.name).is_some_and(|before| before.ends_with("/callback/"))
    }
}

/// One app with its connections.
pub(crate) struct AppHeld {
    pub(crate) settings: AppSettings,
    pub(crate) connections: Connections,
    store: Arc<ScopedStore<dyn VaultStore>>,
    at_hand: Mutex<HashMap<String, AtHand>>,
}

/// A connection in use.
struct AtHand {
    connection: Connection,
    last_call: Option<Timestamp>,
}

/// Connections of several apps.
pub struct Vault {
    pub(crate) apps: BTreeMap<String, AppHeld>,
    pub(crate) store: Arc<dyn VaultStore>,
    pub(crate) outside: Surroundings,
    pub(crate) bell: Arc<Bell>,
    /// How often an authority has refused an app of ours.
    pub(crate) refusals: Family<OfApp, Counter>,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(crate) struct OfApp {
    app: String,
}

/// Rings when something of this process changed.
#[derive(Default)]
pub(crate) struct Bell(Notify);

impl Bell {
    /// Resolves at the next ring after this call, whenever it is awaited.
    pub(crate) fn rings(&self) -> Notified<'_> {
        self.0.notified()
    }

    pub(crate) fn ring(&self) {
        self.0.notify_waiters();
    }
}

/// Hears what becomes of one app's connections.
struct Hearer {
    app: String,
    bell: Arc<Bell>,
    refusals: Counter,
}

impl EventSink for Hearer {
    fn changed(&self, _: &Event) {
        self.bell.ring();
    }

    fn unwritten(&self, id: &str, why: &StoreUnavailable) {
        tracing::error!(app = self.app, connection = id, why = %why, "new tokens came and cannot be written: they are in this process's memory alone; make room before it ends");
    }

    fn app_refused(&self, evidence: &Evidence, until: Timestamp) {
        self.refusals.inc();
        tracing::error!(
            app = self.app,
            said = evidence.in_short(),
            next_try = until.to_utc(),
            "the authority refuses the app, so none of its connections can be refreshed; check client id, client secret and the authority's address"
        );
    }

    fn written(&self, id: &str) {
        tracing::info!(app = self.app, connection = id, "the new tokens are written after all");
    }
}

/// A connection as callers see it.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Its app.
    pub app: String,
    /// Its id.
    pub id: String,
    /// Its state, with reason and since; an error where its row cannot be read.
    pub status: Result<Status, StoreUnavailable>,
    /// Whose account it is.
    pub identity: Option<keyfob_client::Identity>,
    /// When the access token ends.
    pub expires_at: Option<Timestamp>,
    /// When the grant would end if nobody refreshed. The vault refreshes long before.
    pub idle_until: Option<Timestamp>,
    /// When a call of it last reached the API through this process.
    pub last_call: Option<Timestamp>,
}

/// There is no app of this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoSuchApp;

impl Vault {
    /// A vault of these apps. Each is driven by what is outside.
    pub fn new(apps: Vec<AppSettings>, store: Arc<dyn VaultStore>, outside: Surroundings) -> Vault {
        let (bell, refusals) = (Arc::new(Bell::default()), Family::<OfApp, Counter>::default());
        let held = apps.into_iter().map(|settings| {
            let scoped = Arc::new(ScopedStore::new(store.clone(), &settings.name));
            let (provider, app) = (settings.provider.clone(), settings.app.clone());
            let refusals = refusals.get_or_create(&OfApp { app: settings.name.clone() }).clone();
            let hearer = Hearer { app: settings.name.clone(), bell: bell.clone(), refusals };
            let connections = Connections::reporting(provider, app, scoped.clone(), outside.clone(), Arc::new(hearer));
            (settings.name.clone(), AppHeld { settings, connections, store: scoped, at_hand: Mutex::default() })
        });
        Vault { apps: held.collect(), store, outside, bell, refusals }
    }

    /// The names of the apps.
    pub fn app_names(&self) -> impl Iterator<Item = &str> {
        self.apps.keys().map(String::as_str)
    }

    /// Apps that have connections and are none of this vault's any more: nobody keeps those alive.
    ///
    /// # Errors
    /// [`StoreUnavailable`].
    pub async fn forgotten_apps(&self) -> Result<Vec<String>, StoreUnavailable> {
        let mut forgotten = Vec::new();
        let mut after: Option<String> = None;
        while let Some(first) = self.store.page(after.as_deref(), 1).await?.first() {
            let (app, _) = split(&first.id).unwrap_or((&first.id, ""));
            if !self.apps.contains_key(app) {
                forgotten.push(app.to_owned());
            }
            // Behind all of the app's, whose names go on with the separator.
            after = Some(behind(app));
        }
        Ok(forgotten)
    }

    /// Which vault this is, for whoever keeps numbers of its events.
    pub(crate) fn id(&self) -> &str {
        self.store.vault_id()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.outside.clock.now()
    }

    /// Imports into the connections of an app.
    ///
    /// # Errors
    /// [`NoSuchApp`].
    pub fn importer(&self, app: &str) -> Result<Importer, NoSuchApp> {
        let held = self.app(app)?;
        let (clock, pause) = (self.outside.clock.clone(), self.outside.pause.clone());
        Ok(Importer { connections: held.connections.clone(), store: held.store.clone(), clock, pause })
    }

    pub(crate) fn app(&self, name: &str) -> Result<&AppHeld, NoSuchApp> {
        self.apps.get(name).ok_or(NoSuchApp)
    }

    /// Changes of state, from the first number above `after`.
    ///
    /// # Errors
    /// [`StoreUnavailable`].
    pub async fn events(&self, after: u64, limit: usize) -> Result<Vec<StoredEvent>, StoreUnavailable> {
        self.store.events(after, limit).await
    }

    /// Tries to write new tokens that the store did not take when they came. How many connections still have theirs in this process's memory
    /// alone. To be called every few seconds, and until there are none before the process ends.
    pub async fn write_unwritten(&self) -> usize {
        let mut left = 0;
        for app in self.apps.values() {
            left += app.connections.write_unwritten().await.len();
        }
        left
    }

    /// How many connections the apps have.
    ///
    /// # Errors
    /// [`StoreUnavailable`].
    pub async fn count(&self) -> Result<u64, StoreUnavailable> {
        let mut count = 0;
        for app in self.apps.keys() {
            count += self.store.count(&format!("{app}{SEPARATOR}"), &behind(app)).await?;
        }
        Ok(count)
    }

    /// Waits until every refresh and exchange that has begun is over. To be called before the store is closed.
    pub async fn settled(&self) {
        for app in self.apps.values() {
            app.connections.settled().await;
        }
    }

    /// Refreshes what has been idle for long, settles what a crash left open, and removes what is past. To be called about hourly.
    ///
    /// # Errors
    /// [`StoreUnavailable`].
    pub async fn tend(&self) -> Result<Tended, StoreUnavailable> {
        let mut all = Tended::default();
        for app in self.apps.values() {
            let tended = app.connections.tend().await?;
            all.seen += tended.seen;
            all.refreshed += tended.refreshed;
            all.failed += tended.failed;
            all.unreadable += tended.unreadable;
        }
        self.store.sweep_attempts(self.now()).await?;
        while self.store.sweep_events(self.now().plus(-EVENTS_KEPT)).await? == SWEPT_AT_ONCE {}
        Ok(all)
    }
}

impl AppHeld {
    /// The handle of a connection, kept at hand.
    pub(crate) fn connection(&self, id: &str) -> Connection {
        let mut at_hand = self.at_hand();
        if let Some(known) = at_hand.get(id) {
            return known.connection.clone();
        }
        if at_hand.len() >= AT_HAND {
            // Half of them, whichever: the next call brings back what is used.
            let mut keep = false;
            at_hand.retain(|_, _| {
                keep = !keep;
                keep
            });
        }
        let connection = self.connections.open(id);
        at_hand.insert(id.to_owned(), AtHand { connection: connection.clone(), last_call: None });
        connection
    }

    /// Notes a call that reached the API.
    pub(crate) fn called(&self, id: &str, now: Timestamp) {
        if let Some(known) = self.at_hand().get_mut(id) {
            known.last_call = Some(now);
        }
    }

    fn last_call(&self, id: &str) -> Option<Timestamp> {
        self.at_hand().get(id).and_then(|known| known.last_call)
    }

    fn at_hand(&self) -> MutexGuard<'_, HashMap<String, AtHand>> {
        self.at_hand.lock().expect("invariant: nothing panics while the lock is held")
    }

    /// Up to `limit` connections behind `after`.
    pub(crate) async fn list(&self, after: Option<&str>, limit: usize) -> Result<Vec<Shown>, StoreUnavailable> {
        Ok(self.store.page(after, limit).await?.into_iter().map(|listed| self.shown(listed)).collect())
    }

    /// One connection.
    pub(crate) async fn show(&self, id: &str) -> Result<Option<Shown>, StoreUnavailable> {
        match self.store.load(id).await {
            Ok(row) => {
                Ok(row.map(|row| self.shown(Listed { id: id.to_owned(), row: Ok(row), refresh_is_open: false })))
            }
            Err(unavailable) => match listed(&*self.store, id).await? {
                Some(found) => Ok(Some(self.shown(found))),
                None => Err(unavailable),
            },
        }
    }

    fn shown(&self, Listed { id, row, .. }: Listed) -> Shown {
        let app = self.settings.name.clone();
        let last_call = self.last_call(&id);
        match row {
            Ok(row) => {
                let tokens = row.tokens();
                Shown {
                    status: Ok(row.status()),
                    expires_at: tokens.and_then(|tokens| tokens.expires_at),
                    // Without a refresh token it ends with its access token.
                    idle_until: tokens.and_then(|tokens| match tokens.refresh_token {
                        Some(_) => Some(tokens.obtained_at.plus(IDLE_DEATH)),
                        None => tokens.expires_at,
                    }),
                    identity: row.identity,
                    app,
                    id,
                    last_call,
                }
            }
            Err(unreadable) => Shown {
                status: Err(unreadable),
                expires_at: None,
                idle_until: None,
                identity: None,
                app,
                id,
                last_call,
            },
        }
    }

    /// Gives a connection back to the authority and removes it; with `here_only` it is removed whatever the authority says.
    pub(crate) async fn remove(&self, id: &str, here_only: bool) -> Result<Removed, ConnectionError> {
        let connection = self.connection(id);
        let there = match connection.revoke().await {
            Ok(Revoked::Ended) => Removed::There,
            Ok(Revoked::NothingToEnd) => Removed::HereOnly,
            Ok(Revoked::NotOffered) if here_only => Removed::HereOnly,
            Ok(Revoked::NotOffered) => return Ok(Removed::NotOffered),
            // Nothing is left, or ever was, that the authority could be asked to end.
            Err(
                ConnectionError::ReauthRequired(_)
                | ConnectionError::LostReply(_)
                | ConnectionError::NoRefreshToken(_)
                | ConnectionError::Denied { .. },
            ) => Removed::HereOnly,
            Err(ConnectionError::NotConnected) => Removed::Unknown,
            Err(error) if here_only => {
                tracing::warn!(app = self.settings.name, connection = id, %error, "removed here only");
                Removed::HereOnly
            }
            Err(error) => return Err(error),
        };
        let was_here = self.store.remove(id).await?;
        self.at_hand().remove(id);
        // Whoever holds the handle for a call that is under way finds it empty from here on.
        drop(connection.state().await);
        Ok(if was_here { there } else { Removed::Unknown })
    }
}

/// What became of a removal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Removed {
    /// The authority has ended the grant.
    There,
    /// It is gone here; the grant may live on, or there never was one.
    HereOnly,
    /// The authority offers no way, and nothing was done.
    NotOffered,
    /// There was none.
    Unknown,
}

/// App and connection of a recorded event.
pub(crate) fn named(event: &StoredEvent) -> (&str, &str) {
    split(&event.id).unwrap_or(("", &event.id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cl_08_an_app_with_a_callback_of_its_own_takes_answers_there_alone() {
        let app = |redirect_uri: &str| AppSettings {
            name: "crm".to_owned(),
            title: "CRM".to_owned(),
            provider: Provider::follow_up_boss(),
            app: App { client_id: "c".to_owned(), client_secret: None, redirect_uri: redirect_uri.to_owned() },
            scope: None,
            after: None,
            return_prefixes: Vec::new(),
        };
        let common = app("https://connect.example.com/callback");
        assert!(common.is_answered_at(None) && common.is_answered_at(Some("crm")) && !common.is_answered_at(Some("x")));
        let own = app("https://connect.example.com/callback/crm");
        assert!(own.is_answered_at(Some("crm")) && !own.is_answered_at(None) && !own.is_answered_at(Some("x")));
        assert!(!app("https://connect.example.com/callback/acrm").has_own_callback());
    }
}
