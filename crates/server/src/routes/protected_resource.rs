//! `GET /.well-known/oauth-protected-resource` (RFC 9728): which authority guards the API that is served here.

use crate::doorway::Doorway;
use crate::routes::not_found::not_found;
use axum::extract::{Request, State};
use axum::response::Response;
use std::sync::Arc;

/// The handler, for the path of this resource; any other below it is no resource here.
pub(crate) async fn protected_resource(state: State<Arc<Doorway>>, request: Request) -> Response {
    let announced = state.gate.announced();
    match announced.and_then(|resource| resource.answer(request.method(), request.uri().path())) {
        Some(document) => document,
        None => not_found(state, request).await,
    }
}
