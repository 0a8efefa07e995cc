//! A partner's integration: the client library against a running sandbox, with a clock of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use keyfob_client::{
    App, Attempt, AttemptStore, BrowserSession, ConnectError, Connection, Connections, MemoryTokenStore, Pause,
    Provider, Surroundings, System, TokenSet, TokenStore, TokioPause,
};
use keyfob_protocol::{Clock, Dialect, Secret, Timestamp};
use keyfob_sandbox::AnnouncedApp;
use keyfob_sandbox::seed::SEEDED_UNTIL;

use super::running::{Running, surroundings};

/// The partner's own clock, which a test moves along with the sandbox's.
pub(crate) struct Partner(pub(crate) AtomicI64);

impl Clock for Partner {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

pub(crate) struct Integration {
    pub(crate) connections: Connections,
    pub(crate) outside: Surroundings,
    pub(crate) clock: Arc<Partner>,
}

impl Integration {
    pub(crate) fn new(
        running: &Running,
        app: &AnnouncedApp,
        provider: impl FnOnce(Provider) -> Provider,
    ) -> Integration {
        Integration::with(running, app, provider, Arc::new(TokioPause), Arc::new(MemoryTokenStore::default()))
    }

    /// The same, with somebody else who waits between tries.
    pub(crate) fn pausing(
        running: &Running,
        app: &AnnouncedApp,
        provider: impl FnOnce(Provider) -> Provider,
        pause: Arc<dyn Pause>,
    ) -> Integration {
        Integration::with(running, app, provider, pause, Arc::new(MemoryTokenStore::default()))
    }

    /// The same, which keeps its connections there.
    pub(crate) fn on(
        running: &Running,
        app: &AnnouncedApp,
        store: Arc<dyn TokenStore>,
        provider: impl FnOnce(Provider) -> Provider,
    ) -> Integration {
        Integration::with(running, app, provider, Arc::new(TokioPause), store)
    }

    fn with(
        running: &Running,
        app: &AnnouncedApp,
        provider: impl FnOnce(Provider) -> Provider,
        pause: Arc<dyn Pause>,
        store: Arc<dyn TokenStore>,
    ) -> Integration {
        let system = &running.announcement.system;
        let system = System::new(&system.name, Secret::from(system.key.as_str())).expect("usable");
        let dialect = if app.policy.dialect == "oauth" { Dialect::OAuth } else { Dialect::FollowUpBoss };
        let keyfob = Provider::keyfob(running.origin()).expect("loopback").speaking(dialect).with_system(system);
        let own = App {
            client_id: app.client_id.clone(),
            client_secret: app.client_secret.as_deref().map(Secret::from),
            redirect_uri: app.redirect_uris[0].clone(),
        };
        let clock = Arc::new(Partner(AtomicI64::new(SEEDED_UNTIL.0)));
        let outside = Surroundings { pause, ..surroundings(clock.clone()) };
        Integration { connections: Connections::new(provider(keyfob), own, store, outside.clone()), outside, clock }
    }

    pub(crate) async fn connect(&self, running: &Running) -> Connection {
        self.try_connect(running).await.expect("tokens")
    }

    pub(crate) async fn try_connect(&self, running: &Running) -> Result<Connection, ConnectError> {
        let (attempts, redirect) = self.decided(running).await;
        let ready = attempts.accept(query(&redirect), browser(), self.clock.now()).expect("approved");
        self.connections.connect("c1", ready).await
    }

    /// An attempt that waits for its answer, and the answer of a user who approves.
    pub(crate) async fn decided(&self, running: &Running) -> (AttemptStore, String) {
        let (provider, app, now) = (self.connections.provider(), self.connections.app(), self.clock.now());
        let attempt = Attempt::begin(provider, app, browser(), now, &*self.outside.entropy).expect("entropy");
        let attempts = AttemptStore::default();
        attempts.keep(attempt.pending, now);
        let redirect = running.decide(attempt.url.expose(), "approve").await;
        (attempts, redirect)
    }

    pub(crate) async fn tokens(&self) -> TokenSet {
        match self.connections.open("c1").state().await.expect("a store") {
            keyfob_client::ConnectionState::Healthy(tokens) => tokens,
            other => panic!("{other:?}"),
        }
    }
}

/// The browser of every attempt.
pub(crate) fn browser() -> BrowserSession {
    BrowserSession::from_value("a session cookie")
}

/// What the redirect brings to the app.
pub(crate) fn query(redirect: &str) -> &str {
    redirect.split_once('?').expect("an answer").1
}
