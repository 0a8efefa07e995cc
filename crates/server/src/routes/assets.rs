//! `/assets/…`: the two style sheets. Nothing else is loaded by a page.

use crate::doorway::Doorway;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use keyfob_pages::{BRAND_STYLESHEET_PATH, STYLESHEET, STYLESHEET_PATH, brand_stylesheet};
use std::sync::Arc;

/// The handler. The path is compared whole.
pub(crate) async fn asset(State(doorway): State<Arc<Doorway>>, request: Request) -> Response {
    let css = "text/css; charset=utf-8";
    let path = request.uri().path();
    if path == STYLESHEET_PATH {
        // Its name holds a digest of its bytes.
        return ([(CONTENT_TYPE, css), (CACHE_CONTROL, "public, max-age=31536000, immutable")], STYLESHEET)
            .into_response();
    }
    if path == BRAND_STYLESHEET_PATH {
        let sheet = brand_stylesheet(&doorway.options.brand);
        return ([(CONTENT_TYPE, css), (CACHE_CONTROL, "no-cache")], sheet).into_response();
    }
    StatusCode::NOT_FOUND.into_response()
}
