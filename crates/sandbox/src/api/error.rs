//! Refusals, as JSON with one sentence: `{"errorMessage": …}`.

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::StatusCode;

use super::answer;

/// A refusal of the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// The status.
    pub status: StatusCode,
    /// What is wrong and what is allowed.
    pub message: String,
}

impl ApiError {
    /// 400: the request is wrong.
    pub fn bad_request(message: impl Into<String>) -> ApiError {
        ApiError { status: StatusCode::BAD_REQUEST, message: message.into() }
    }

    /// 403: the caller may not.
    pub fn forbidden(message: impl Into<String>) -> ApiError {
        ApiError { status: StatusCode::FORBIDDEN, message: message.into() }
    }

    /// 404: there is no such thing for this account.
    pub fn not_found(message: impl Into<String>) -> ApiError {
        ApiError { status: StatusCode::NOT_FOUND, message: message.into() }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        answer::json(self.status, &serde_json::json!({ "errorMessage": self.message }))
    }
}

/// What a caller sent, short enough to be quoted back.
pub(super) fn quoted(value: &str) -> String {
    const LONGEST: usize = 40;
    let mut short: String = value.chars().take(LONGEST).collect();
    if short.len() < value.len() {
        short.push('…');
    }
    format!("\"{short}\"")
}

pub(super) async fn no_such_path(request: Request) -> ApiError {
    ApiError::not_found(format!("There is no resource {} here.", quoted(request.uri().path())))
}

/// The framework adds `Allow`.
pub(super) async fn no_such_method(request: Request) -> ApiError {
    let message = format!("{} does not take {}; see the Allow header.", quoted(request.uri().path()), request.method());
    ApiError { status: StatusCode::METHOD_NOT_ALLOWED, message }
}
