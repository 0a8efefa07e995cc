//! One check of one request, as both modes make it.

use super::identity::identity_headers;
use super::metrics::GateMetrics;
use crate::challenge::Challenge;
use crate::gate::Gate;
use crate::verify::InvalidReason;
use http::HeaderMap;
use keyfob_protocol::scope::Scope;
use std::sync::Arc;

/// A gate that counts what it decides.
#[derive(Debug)]
pub struct Checkpoint {
    gate: Arc<Gate>,
    metrics: Arc<GateMetrics>,
}

impl Checkpoint {
    /// Over this gate.
    pub fn new(gate: Arc<Gate>, metrics: Arc<GateMetrics>) -> Checkpoint {
        Checkpoint { gate, metrics }
    }

    /// The identity headers of whoever sends `headers`, if their grant covers `required`.
    pub(super) fn check(&self, headers: &HeaderMap, required: &Scope) -> Result<HeaderMap, Challenge> {
        let judged = self.judge(headers, required);
        self.metrics.count_check(judged.as_ref().err());
        judged
    }

    /// Counts what happened to a request that passed.
    pub(super) fn metrics(&self) -> &GateMetrics {
        &self.metrics
    }

    fn judge(&self, headers: &HeaderMap, required: &Scope) -> Result<HeaderMap, Challenge> {
        let caller = self.gate.check(headers)?;
        caller.permits(required)?;
        identity_headers(&caller)
            .ok_or(Challenge::InvalidToken { reason: InvalidReason::MalformedClaims, fub_status: false })
    }
}
