//! Everything else: 404, as JSON below `/v1` and as a page elsewhere.

use crate::doorway::Doorway;
use crate::refusal_pages::RefusalPage;
use crate::request_id::RequestId;
use crate::routes::oauth_apps;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use std::sync::Arc;

/// The handler.
pub(crate) async fn not_found(State(doorway): State<Arc<Doorway>>, request: Request) -> Response {
    let path = request.uri().path();
    if path.starts_with("/v1/") || path.starts_with("/oauth/token") {
        return oauth_apps::error(StatusCode::NOT_FOUND, "There is nothing at this path.");
    }
    let id = RequestId::of(&request);
    RefusalPage::plain(StatusCode::NOT_FOUND, "There is nothing here", "Check the address. Paths are compared exactly.")
        .answer(&doorway, &id)
}
