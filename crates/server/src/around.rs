//! What happens around every request: its id, the size of its head, what every answer carries, a count, and one line in the log.

use crate::doorway::Doorway;
use crate::limits;
use crate::metrics::Answer;
use crate::refusal_pages::RefusalPage;
use crate::request_id::{self, RequestId};
use crate::router::{TOKEN, serves_token};
use crate::routes::{oauth_apps, token};
use axum::extract::{MatchedPath, Request, State};
use axum::http::StatusCode;
use axum::http::header::{HeaderValue, STRICT_TRANSPORT_SECURITY};
use axum::middleware::Next;
use axum::response::Response;
use keyfob_authority::Fault;
use std::sync::Arc;

/// One layer rather than several: each costs a clone of the router and an allocation.
pub(crate) async fn around(State(doorway): State<Arc<Doorway>>, mut request: Request, next: Next) -> Response {
    let id = RequestId::draw(&*doorway.entropy);
    request.extensions_mut().insert(id.clone());
    let matched = request.extensions().get::<MatchedPath>().cloned();
    let route = matched.as_ref().map_or("unmatched", MatchedPath::as_str);
    let method = request.method().clone();
    let mut response = match limits::oversized(&request) {
        // Row T-01 comes before T-02.
        Some(_) if route == TOKEN && !serves_token(&method, doorway.options.legacy_get) => next.run(request).await,
        Some(status) => refuse_by_size(&doorway, route, status, &id),
        None => next.run(request).await,
    };
    response.headers_mut().insert(request_id::HEADER, id.header());
    if doorway.options.strict_transport {
        response.headers_mut().insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    let status = response.status();
    if let Some(fault) = response.extensions().get::<Fault>() {
        tracing::error!(request_id = %id, fault = fault.to_string(), "an API request failed");
    }
    if route != TOKEN {
        let answer = Answer { route: route.to_owned(), status: status.as_u16() };
        doorway.metrics.requests.get_or_create(&answer).inc();
    }
    // Method, pattern and status; never the URL.
    if status.is_success() || status.is_redirection() {
        tracing::debug!(request_id = %id, %method, route, status = status.as_u16(), "answered");
    } else {
        tracing::info!(request_id = %id, %method, route, status = status.as_u16(), "answered");
    }
    response
}

/// Row T-02, in the language of whoever asks at that route.
pub(crate) fn refuse_by_size(doorway: &Doorway, route: &str, status: StatusCode, id: &RequestId) -> Response {
    if route == TOKEN {
        return token::refuse_status(status);
    }
    if route.starts_with("/v1/") {
        return oauth_apps::error(status, "The request is too large.");
    }
    let title = "This request is too large";
    let for_user = "Go back to the app. If it happens again, tell the people who make the app.";
    RefusalPage::plain(status, title, for_user).answer(doorway, id)
}
