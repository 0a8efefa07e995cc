//! Counters, in the text format of Prometheus. No label holds anything a caller sent.

use keyfob_protocol::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// By what became of it: `granted`, a row of table T, or `fault`.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct Outcome {
    /// The row.
    pub outcome: &'static str,
}

/// By route and status.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct Answer {
    /// The route's pattern, never the URL.
    pub route: String,
    /// The status.
    pub status: u16,
}

/// The metrics of a node.
pub struct Metrics {
    registry: Registry,
    /// Token requests.
    pub token: Family<Outcome, Counter>,
    /// All requests but those of the token endpoint.
    pub requests: Family<Answer, Counter>,
    /// Sign-ins that were refused.
    pub sign_in_refused: Counter,
    /// Sign-ins that had to wait before the password was looked at.
    pub sign_in_held_back: Counter,
    /// Returns from the platform's login.
    pub hand_off_returns: Family<Outcome, Counter>,
    /// Requests turned away because too many were in work.
    pub shed: Counter,
    /// Revocations known to the gate.
    pub revocations: Gauge,
    /// Seconds since the gate last knew that it had all revocations.
    pub revocation_lag: Gauge,
    /// 1 while this node takes traffic.
    pub ready: Gauge,
    /// Times that the store was found to have gone back.
    pub store_behind: Counter,
    /// Rows that the sweeper removed.
    pub swept: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("keyfob");
        let metrics = Metrics {
            token: Family::default(),
            requests: Family::default(),
            sign_in_refused: Counter::default(),
            sign_in_held_back: Counter::default(),
            hand_off_returns: Family::default(),
            shed: Counter::default(),
            revocations: Gauge::default(),
            revocation_lag: Gauge::default(),
            ready: Gauge::default(),
            store_behind: Counter::default(),
            swept: Counter::default(),
            registry: Registry::default(),
        };
        registry.register(
            "token_requests",
            "Token requests by outcome: granted, a row of table T, or fault",
            metrics.token.clone(),
        );
        registry.register("http_requests", "Other requests by route and status", metrics.requests.clone());
        registry.register("sign_in_refused", "Sign-ins that were refused", metrics.sign_in_refused.clone());
        let held_back = "Sign-ins that had to wait before the password was looked at";
        registry.register("sign_in_held_back", held_back, metrics.sign_in_held_back.clone());
        registry.register(
            "hand_off_returns",
            "Returns from the platform's login by outcome: signed_in, gave_up, a reason of refusal, or fault",
            metrics.hand_off_returns.clone(),
        );
        registry.register("shed", "Requests turned away because too many were in work", metrics.shed.clone());
        registry.register("revocations", "Revocations known to the gate", metrics.revocations.clone());
        registry.register(
            "revocation_lag_seconds",
            "Seconds since the gate last knew that it had all revocations",
            metrics.revocation_lag.clone(),
        );
        registry.register("ready", "1 while this node takes traffic", metrics.ready.clone());
        registry.register(
            "store_behind",
            "Times that the store was found to have gone back",
            metrics.store_behind.clone(),
        );
        registry.register("swept_rows", "Rows that the sweeper removed", metrics.swept.clone());
        Metrics { registry, ..metrics }
    }
}

impl Metrics {
    /// Counts a token request.
    pub fn count_token(&self, outcome: &'static str) {
        self.token.get_or_create(&Outcome { outcome }).inc();
    }

    /// Counts a return from the platform's login.
    pub fn count_return(&self, outcome: &'static str) {
        self.hand_off_returns.get_or_create(&Outcome { outcome }).inc();
    }

    /// Notes how old the gate's knowledge is.
    pub fn note_lag(&self, synced_at: Option<Timestamp>, now: Timestamp) {
        self.revocation_lag.set(synced_at.map_or(-1, |at| now.since(at)));
    }

    /// Everything, as text.
    pub fn render(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("invariant: writing into a String does not fail");
        text
    }
}
