//! What every handler shares.

use crate::feed::Feed;
use crate::metrics::Metrics;
use crate::restraint::Restraint;
use ipnet::IpNet;
use keyfob_authority::session;
use keyfob_authority::sign_in::SignInWay;
use keyfob_authority::store::NewRevocation;
use keyfob_authority::{Authority, RevocationSink};
use keyfob_gate::{Gate, WithoutNews};
use keyfob_pages::Brand;
use keyfob_protocol::revocation::Revocation;
use keyfob_protocol::{Clock, Entropy, EntropyFailed, Secret, Timestamp};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// How the doorway behaves. The law's own settings are the authority's.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whose pages these are.
    pub brand: Brand,
    /// Statuses as Follow Up Boss lists them (decisions D1, D9).
    pub fub_status: bool,
    /// Whether the token endpoint answers GET at all (decision D11).
    pub legacy_get: bool,
    /// Cookies with `__Host-` and Secure; off only on a plain loopback listener (matrix SE-01).
    pub secure_cookies: bool,
    /// What the gate of this node does while the store cannot be followed. A node that shares its store with others learns of their
    /// revocations by following only, so it must not go on without news for ever.
    pub without_news: WithoutNews,
    /// Whether those who fail again and again have to wait (matrix RL-01, RL-02). Off in a sandbox, where failing is what one is there for.
    pub holds_back: bool,
    /// Proxies whose `X-Forwarded-For` is believed, for limits by address (matrix SE-07). Nobody's by default.
    pub trusted_proxies: Vec<IpNet>,
    /// Every connection is a proxy's that is not named there: the address says nothing about who it is, and nothing is counted by it.
    pub unnamed_proxy: bool,
    /// Requests in work at once; further ones are turned away at once with 503, or 429 at the token endpoint (matrix RL-03).
    pub most_requests: usize,
    /// Where the API is that the gate of this process guards; `None`: at the issuer, as `/v1/identity` is.
    pub api: Option<String>,
    /// Whether answers carry HSTS (matrix SE-03); off on a plain loopback listener.
    pub strict_transport: bool,
}

impl Options {
    /// Without what only https can keep: for a listener that nobody reaches from another machine.
    pub fn plain_loopback() -> Options {
        Options { secure_cookies: false, strict_transport: false, ..Options::default() }
    }
}

impl Default for Options {
    fn default() -> Self {
        Options {
            brand: Brand::default(),
            fub_status: false,
            legacy_get: true,
            without_news: WithoutNews::KeepServing,
            holds_back: true,
            trusted_proxies: Vec::new(),
            unnamed_proxy: false,
            most_requests: 1024,
            secure_cookies: true,
            api: None,
            strict_transport: true,
        }
    }
}

/// What every handler shares.
pub struct Doorway {
    /// The law.
    pub authority: Arc<Authority>,
    /// How people prove who they are.
    pub sign_in: SignInWay,
    /// The gate of this process.
    pub gate: Arc<Gate>,
    /// The clock; read once a request.
    pub clock: Arc<dyn Clock>,
    /// Cookies and request ids come from here.
    pub entropy: Arc<dyn Entropy>,
    /// How it behaves.
    pub options: Options,
    /// Counters.
    pub metrics: Metrics,
    /// Whether this node takes traffic.
    pub readiness: Readiness,
    /// What is revoked, as far as this node has read.
    pub feed: Arc<Feed>,
    /// Who has to wait.
    pub(crate) restraint: Restraint,
}

impl Doorway {
    /// The time of this request.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A fresh opaque cookie.
    pub(crate) fn fresh_cookie(&self) -> Result<Secret<String>, EntropyFailed> {
        session::fresh_cookie(&*self.entropy)
    }
}

/// Why this node takes no traffic, if it does not.
#[derive(Debug, Default)]
pub struct Readiness {
    followed: AtomicBool,
    store_down: AtomicBool,
    store_moved: AtomicBool,
    keys_unread: AtomicBool,
    clock_wrong: AtomicBool,
    stored_time_ahead: AtomicBool,
    stopping: AtomicBool,
}

impl Readiness {
    /// The store was read completely once.
    pub fn set_followed(&self) {
        self.followed.store(true, Ordering::Relaxed);
    }

    /// Whether the store answers and can be written to. Returns what was said before.
    pub fn set_store_down(&self, down: bool) -> bool {
        self.store_down.swap(down, Ordering::Relaxed)
    }

    /// The rows were moved to another store: this one is dead, and the node with it until it is started on the other.
    pub fn set_store_moved(&self) {
        self.store_moved.store(true, Ordering::Relaxed);
    }

    /// Whether they were.
    pub fn is_store_moved(&self) -> bool {
        self.store_moved.load(Ordering::Relaxed)
    }

    /// Whether the store's keys cannot be opened: put under a master key that this node has not got, or no longer ours. Returns what was said
    /// before.
    pub fn set_keys_unread(&self, unread: bool) -> bool {
        self.keys_unread.swap(unread, Ordering::Relaxed)
    }

    /// Whether the clock can be believed. Returns what was said before.
    pub fn set_clock_wrong(&self, wrong: bool) -> bool {
        self.clock_wrong.swap(wrong, Ordering::Relaxed)
    }

    /// Whether the store holds a time too far ahead of the clock. Returns what was said before.
    pub fn set_stored_time_ahead(&self, ahead: bool) -> bool {
        self.stored_time_ahead.swap(ahead, Ordering::Relaxed)
    }

    /// The process is going down.
    pub fn set_stopping(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Reasons, in stable words; empty: ready.
    pub fn reasons(&self) -> Vec<&'static str> {
        let reasons = [
            (!self.followed.load(Ordering::Relaxed), "starting"),
            (self.store_down.load(Ordering::Relaxed), "store"),
            (self.store_moved.load(Ordering::Relaxed), "moved"),
            (self.keys_unread.load(Ordering::Relaxed), "keys"),
            (self.clock_wrong.load(Ordering::Relaxed) || self.stored_time_ahead.load(Ordering::Relaxed), "clock"),
            (self.stopping.load(Ordering::Relaxed), "stopping"),
        ];
        reasons.into_iter().filter(|(holds, _)| *holds).map(|(_, reason)| reason).collect()
    }
}

/// Passes revocations of this process to its gate the moment they are durable, and has the feed's readers told.
pub(crate) struct GateSink {
    pub(crate) gate: Arc<Gate>,
    pub(crate) feed: Arc<Feed>,
}

impl RevocationSink for GateSink {
    fn revoked(&self, revocations: &[NewRevocation]) {
        for new in revocations {
            let NewRevocation { kind, id, not_before, until } = new.clone();
            let revocation = Revocation { number: 0, kind, id, not_before, until };
            if let Err(error) = self.gate.revocations().insert(&revocation) {
                tracing::error!(%error, "a revocation of this process was not understood by its gate");
            }
        }
        self.feed.nudge();
    }
}
