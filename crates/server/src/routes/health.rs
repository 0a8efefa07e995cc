//! `/healthz` (the process lives) and `/readyz` (it takes traffic).

use crate::doorway::Doorway;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

/// `GET /healthz`
pub(crate) async fn healthz() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: 503 with the reasons while this node takes no traffic.
pub(crate) async fn readyz(State(doorway): State<Arc<Doorway>>) -> Response {
    let reasons = doorway.readiness.reasons();
    let status = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(serde_json::json!({ "ready": reasons.is_empty(), "reasons": reasons }))).into_response()
}
