//! `GET /oauth/jwks`: the public keys that verify access tokens (RFC 7517 section 5).

use crate::doorway::Doorway;
use axum::Json;
use axum::extract::State;
use axum::http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

/// The handler.
pub(crate) async fn jwks(State(doorway): State<Arc<Doorway>>) -> Response {
    let headers = [(CACHE_CONTROL, "public, max-age=300"), (ACCESS_CONTROL_ALLOW_ORIGIN, "*")];
    (headers, Json(doorway.authority.jwks(doorway.now()))).into_response()
}
