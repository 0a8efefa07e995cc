//! `/sandbox/faults`: `POST` adds faults, `GET` says what is set and how often it fired, `DELETE` ends them (docs/sandbox-faults.md).

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use serde_json::json;

use super::{Control, answer, read, refusal};
use crate::faults::Scenario;

const EXAMPLE: &str = r#"{"faults":[{"fault":"server-error","app":"followupboss","times":2}]}"#;

pub(super) async fn add(State(control): State<Arc<Control>>, headers: HeaderMap, body: Bytes) -> Response {
    let scenario: Scenario = match read(&headers, &body, EXAMPLE) {
        Ok(scenario) => scenario,
        Err(refusal) => return *refusal,
    };
    let added = match scenario.checked() {
        Ok(scenario) => control.faults.add(scenario).await,
        Err(what) => Err(what),
    };
    match added {
        Ok(()) => list(State(control)).await,
        Err(what) => refusal(StatusCode::BAD_REQUEST, &format!("Nothing was set: {what}.")),
    }
}

pub(super) async fn list(State(control): State<Arc<Control>>) -> Response {
    answer(StatusCode::OK, &json!({ "faults": control.faults.all() }))
}

pub(super) async fn clear(State(control): State<Arc<Control>>) -> Response {
    match control.faults.clear().await {
        Ok(()) => list(State(control)).await,
        Err(error) => {
            tracing::error!(%error, "faults could not be ended");
            refusal(StatusCode::SERVICE_UNAVAILABLE, "The faults could not be ended; the sandbox's log says why.")
        }
    }
}
