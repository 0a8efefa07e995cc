//! `POST /sandbox/clock`: lets time pass for the whole sandbox. Forward only, since rows and tokens are dated.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use keyfob_protocol::Clock;
use serde::Deserialize;
use serde_json::json;

use super::{Control, answer, read, refusal};
use crate::clock::ClockError;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    advance: String,
}

pub(super) async fn advance(State(control): State<Arc<Control>>, headers: HeaderMap, body: Bytes) -> Response {
    let asked: Asked = match read(&headers, &body, r#"{"advance":"61m"}"#) {
        Ok(asked) => asked,
        Err(refusal) => return *refusal,
    };
    let Some(seconds) = seconds(&asked.advance) else {
        let message = "advance must be a whole number and a unit: 30s, 61m, 2h, 90d. The clock only goes forward.";
        return refusal(StatusCode::BAD_REQUEST, message);
    };
    match control.clock.advance(seconds) {
        Ok(offset) => answer(StatusCode::OK, &json!({ "now": control.clock.now().to_utc(), "offsetSeconds": offset })),
        Err(error @ ClockError::TooFar) => refusal(StatusCode::BAD_REQUEST, &format!("advance: {error}.")),
        Err(error) => {
            tracing::error!(%error, "the clock could not be moved");
            refusal(StatusCode::SERVICE_UNAVAILABLE, "The clock could not be moved; the sandbox's log says why.")
        }
    }
}

fn seconds(text: &str) -> Option<u32> {
    let unit = match text.bytes().next_back()? {
        b's' => 1,
        b'm' => 60,
        b'h' => 3600,
        b'd' => 86_400,
        _ => return None,
    };
    let number = &text[..text.len() - 1];
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    number.parse::<u32>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn sb_05_a_duration_is_a_whole_number_and_a_unit() {
        for (text, expected) in [("30s", 30), ("61m", 3660), ("2h", 7200), ("90d", 7_776_000), ("0s", 0)] {
            assert_eq!(seconds(text), Some(expected), "{text}");
        }
        for bad in ["", "m", "61", "-1m", "+1m", "1.5h", "1 m", "1w", "61M", "99999999d", "1mm", "é"] {
            assert_eq!(seconds(bad), None, "{bad}");
        }
    }
}
