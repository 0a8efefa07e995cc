//! One check of one request, as both modes make it.

use super::identity::identity_headers;
use super::metrics::GateMetrics;
use crate::challenge::Challenge;
use crate::gate::Gate;
use crate::verify::InvalidReason;
use axum::extract::Request;
use axum::response::Response;
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
        if let Err(challenge) = &judged {
            // Not by default: whoever calls can write as many lines as they like.
            tracing::debug!(why = challenge.why(), "a call does not pass");
        }
        judged
    }

    /// The document of the resource that is announced, if it is what the request asks for. Not a check: nobody has a token yet.
    pub(super) fn document(&self, request: &Request) -> Option<Response> {
        self.gate.announced()?.answer(request.method(), request.uri().path())
    }

    /// The whole answer to a caller who does not pass.
    pub(crate) fn refuse(&self, challenge: &Challenge) -> Response {
        self.gate.refuse(challenge)
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
