//! Counters of a gate, in the text format of Prometheus. No label holds anything a caller sent.

use crate::challenge::Challenge;
use crate::follow::FollowStatus;
use crate::gate::Gate;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// By what became of it.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

/// The metrics of a gate.
#[derive(Debug)]
pub struct GateMetrics {
    registry: Registry,
    checks: Family<Outcome, Counter>,
    upstream_failures: Family<Outcome, Counter>,
    revocations: Gauge,
    lag: Gauge,
    skew: Gauge,
    follow_failures: Gauge,
    ready: Gauge,
}

impl Default for GateMetrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("keyfob_gate");
        let checks = Family::default();
        registry.register("checks", "Requests checked, by outcome", checks.clone());
        let upstream_failures = Family::default();
        registry.register(
            "upstream_failures",
            "Requests that passed and got no answer of the upstream, by outcome",
            upstream_failures.clone(),
        );
        let mut gauge = |name: &str, help: &str| {
            let gauge = Gauge::default();
            registry.register(name, help, gauge.clone());
            gauge
        };
        let revocations = gauge("revocations", "Revocations in force");
        let lag = gauge(
            "revocation_lag_seconds",
            "Seconds since the gate last knew that it had all revocations; -1 before the first time",
        );
        let skew = gauge("clock_skew_seconds", "This machine's clock minus the authority's");
        let follow_failures = gauge("follow_failures", "Failed looks at the authority since the start");
        let ready = gauge("ready", "1 while the gate can decide");
        GateMetrics { checks, upstream_failures, revocations, lag, skew, follow_failures, ready, registry }
    }
}

impl GateMetrics {
    pub(super) fn count_check(&self, challenge: Option<&Challenge>) {
        let outcome = match challenge {
            None => "passed",
            Some(Challenge::NoCredentials) => "no_credentials",
            Some(Challenge::SeveralCredentials) => "several_credentials",
            Some(Challenge::InvalidToken { .. }) => "invalid_token",
            Some(Challenge::ExpiredToken) => "expired_token",
            Some(Challenge::InsufficientScope { .. }) => "insufficient_scope",
            Some(Challenge::CannotDecide) => "cannot_decide",
        };
        self.checks.get_or_create(&Outcome { outcome }).inc();
    }

    pub(super) fn count_upstream_failure(&self, outcome: &'static str) {
        self.upstream_failures.get_or_create(&Outcome { outcome }).inc();
    }

    /// Everything as it is now, as text.
    pub fn render(&self, gate: &Gate, follow: &FollowStatus) -> String {
        self.revocations.set(i64::try_from(gate.revocations().len()).unwrap_or(i64::MAX));
        self.lag.set(gate.seconds_without_news().unwrap_or(-1));
        self.skew.set(follow.skew_seconds());
        self.follow_failures.set(i64::try_from(follow.failures()).unwrap_or(i64::MAX));
        self.ready.set(i64::from(gate.is_ready()));
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("invariant: writing into a String does not fail");
        text
    }
}
