//! Sizes and times that no request may exceed (table T, row T-02; matrix RL-04). An oversized value is never cut.

use axum::body::Body;
use axum::extract::Request;
use axum::http::StatusCode;
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use std::time::Duration;

/// Longest request target, in bytes.
pub(crate) const MAX_TARGET: usize = 8 * 1024;
/// Most header bytes, names and values.
pub(crate) const MAX_HEADERS: usize = 16 * 1024;
/// Longest body, in bytes.
pub(crate) const MAX_BODY: usize = 64 * 1024;
/// A body that takes longer is given up.
pub(crate) const BODY_TIME: Duration = Duration::from_secs(10);

/// The status that answers an oversized head.
pub(crate) fn oversized(request: &Request) -> Option<StatusCode> {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    if target > MAX_TARGET {
        return Some(StatusCode::URI_TOO_LONG);
    }
    let headers: usize = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    (headers > MAX_HEADERS).then_some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)
}

/// The whole body, or the status that answers its absence.
pub(crate) async fn read_body(body: Body) -> Result<Bytes, StatusCode> {
    match tokio::time::timeout(BODY_TIME, Limited::new(body, MAX_BODY).collect()).await {
        Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(StatusCode::PAYLOAD_TOO_LARGE),
        Ok(Err(_)) => Err(StatusCode::BAD_REQUEST),
    }
}
