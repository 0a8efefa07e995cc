//! Why a request gets no answer of the upstream, and what it gets instead: in the form of [`Challenge`], without a word of the upstream's.

use crate::challenge::Challenge;
use crate::front::checkpoint::Checkpoint;
use axum::body::Body;
use axum::response::Response;
use http::header::{CONNECTION, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use serde::Serialize;

/// A request that was not forwarded, or not answered.
#[derive(Debug)]
pub(super) enum Failure {
    /// The gate refuses it.
    Challenged(Challenge),
    /// Two servers could read it in two ways.
    Ambiguous(&'static str),
    /// No more of its body came.
    SlowClient,
    /// The upstream cannot be reached, or broke off.
    Broken,
    /// The upstream took too long to accept the connection or to begin its answer.
    TimedOut,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    error_message: String,
}

impl Failure {
    /// The label under which the metric counts it; `None` where it is not the upstream's.
    pub(super) fn outcome(&self) -> Option<&'static str> {
        match self {
            Failure::Broken => Some("broken"),
            Failure::TimedOut => Some("timed_out"),
            Failure::Challenged(_) | Failure::Ambiguous(_) | Failure::SlowClient => None,
        }
    }

    /// The whole answer.
    pub(super) fn response(&self, checkpoint: &Checkpoint) -> Response {
        match self {
            Failure::Challenged(challenge) => checkpoint.refuse(challenge),
            // Where the next request would begin is not certain, so there is none on this connection.
            Failure::Ambiguous(why) => closing(StatusCode::BAD_REQUEST, format!("The request is refused: {why}.")),
            Failure::SlowClient => {
                closing(StatusCode::REQUEST_TIMEOUT, "The rest of the request did not come in time.".to_owned())
            }
            Failure::Broken => answer(StatusCode::BAD_GATEWAY, "The API cannot be reached at the moment.".to_owned()),
            Failure::TimedOut => answer(StatusCode::GATEWAY_TIMEOUT, "The API did not answer in time.".to_owned()),
        }
    }
}

fn answer(status: StatusCode, error_message: String) -> Response {
    let body = serde_json::to_string(&Message { error_message }).expect("invariant: a plain string");
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn closing(status: StatusCode, error_message: String) -> Response {
    let mut response = answer(status, error_message);
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}
