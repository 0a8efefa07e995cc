//! What one browser has with one app: a connection, what went over the wire, and what came of the last attempt.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use keyfob_client::{Connection, Connections, MemoryTokenStore, Observed, Surroundings};
use keyfob_pages::{Exchange, Note};

use super::apps::DemoApp;
use super::steps::StepLog;

/// The one connection that a browser has with an app.
const CONNECTION: &str = "demo";

/// What one browser has with one app.
pub(super) struct Slot {
    pub(super) key: &'static str,
    pub(super) steps: Arc<StepLog>,
    pub(super) transport: Observed,
    outside: Surroundings,
    inner: Mutex<Inner>,
}

struct Inner {
    connections: Connections,
    who: Option<Who>,
    note: Option<Note>,
    outcome: Option<Outcome>,
}

/// Whom the API says the token acts for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Who {
    pub(super) user: String,
    pub(super) account: String,
    pub(super) role: String,
}

/// What came of an attempt that gave no connection.
#[derive(Clone, Debug)]
pub(super) enum Outcome {
    /// The user said no.
    Denied {
        /// What went over the wire.
        steps: Vec<Exchange>,
    },
    /// Something went wrong.
    Problem {
        /// In a few words.
        title: &'static str,
        /// What it means, and what to do.
        sentence: String,
        /// What went over the wire.
        steps: Vec<Exchange>,
    },
}

impl Slot {
    pub(super) fn new(app: &DemoApp, outside: &Surroundings) -> Slot {
        let steps = Arc::new(StepLog::default());
        let transport = Observed::new(outside.transport.clone(), steps.clone());
        let outside = Surroundings { transport: Arc::new(transport.clone()), ..outside.clone() };
        let connections = connections(app, &outside);
        let inner = Mutex::new(Inner { connections, who: None, note: None, outcome: None });
        Slot { key: app.key, steps, transport, outside, inner }
    }

    /// All connections: there is one at most.
    pub(super) fn connections(&self) -> Connections {
        self.lock().connections.clone()
    }

    pub(super) fn connection(&self) -> Connection {
        self.connections().open(CONNECTION)
    }

    /// The name that it is kept under.
    pub(super) fn id(&self) -> &'static str {
        CONNECTION
    }

    /// Forgets tokens and messages.
    pub(super) fn disconnect(&self, app: &DemoApp) {
        let connections = connections(app, &self.outside);
        *self.lock() = Inner { connections, who: None, note: None, outcome: None };
        self.steps.clear();
    }

    pub(super) fn who(&self) -> Option<Who> {
        self.lock().who.clone()
    }

    pub(super) fn set_who(&self, who: Option<Who>) {
        self.lock().who = who;
    }

    /// What the connection's page says until something else happens.
    pub(super) fn say(&self, note: Note) {
        self.lock().note = Some(note);
    }

    pub(super) fn note(&self) -> Option<Note> {
        self.lock().note.clone()
    }

    pub(super) fn outcome(&self) -> Option<Outcome> {
        self.lock().outcome.clone()
    }

    pub(super) fn set_outcome(&self, outcome: Outcome) {
        self.lock().outcome = Some(outcome);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn connections(app: &DemoApp, outside: &Surroundings) -> Connections {
    let store = Arc::new(MemoryTokenStore::default());
    Connections::new(app.provider.clone(), app.app.clone(), store, outside.clone())
}
