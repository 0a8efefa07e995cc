//! `POST /sandbox/reset`: as freshly seeded, but for the clock. Its offset stays: tokens that are out are dated by it, and a clock that
//! stepped back would make new ones older than what has been revoked.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use keyfob_protocol::Clock;
use serde::Deserialize;
use serde_json::json;

use super::{Control, answer, read, refusal};
use crate::start::SandboxError;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {}

pub(super) async fn reset(State(control): State<Arc<Control>>, headers: HeaderMap, body: Bytes) -> Response {
    if let Err(refusal) = read::<Asked>(&headers, &body, "{}") {
        return *refusal;
    }
    let _one_at_a_time = control.resetting.lock().await;
    match restore(&control).await {
        Ok(()) => answer(
            StatusCode::OK,
            &json!({
                "now": control.clock.now().to_utc(),
                "offsetSeconds": control.clock.offset(),
                "kept": "The clock keeps its offset: it only goes forward.",
            }),
        ),
        Err(error) => {
            tracing::error!(%error, "a reset failed half-way");
            let message = "The reset failed half-way; the sandbox's log says why. Send it again.";
            refusal(StatusCode::SERVICE_UNAVAILABLE, message)
        }
    }
}

async fn restore(control: &Control) -> Result<(), SandboxError> {
    control.faults.clear().await?;
    control.demo.forget();
    control.seeding.restore(control.clock.now()).await?;
    control.api.reset().await?;
    Ok(())
}
