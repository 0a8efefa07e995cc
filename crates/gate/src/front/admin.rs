//! `/healthz`, `/readyz` and `/metrics`, for a listener of their own: they would shadow paths of the API otherwise.

use super::metrics::GateMetrics;
use crate::follow::FollowStatus;
use crate::gate::Gate;
use axum::Router;
use axum::response::IntoResponse;
use axum::routing::get;
use http::StatusCode;
use std::sync::Arc;

/// The routes.
pub fn router(gate: Arc<Gate>, metrics: Arc<GateMetrics>, follow: Arc<FollowStatus>) -> Router {
    let judged = gate.clone();
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(move || async move { readyz(&judged) }))
        .route("/metrics", get(move || async move { metrics.render(&gate, &follow) }))
}

/// 503 while every token would be answered so.
fn readyz(gate: &Gate) -> impl IntoResponse + use<> {
    if gate.is_ready() {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "the gate has no keys or no news from the authority and cannot decide\n")
    }
}
