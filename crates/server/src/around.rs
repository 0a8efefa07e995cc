//! What happens around every request: its id, the size of its head, what every answer carries, a count, and one line in the log.

use crate::doorway::Doorway;
use crate::limits;
use crate::metrics::Answer;
use crate::refusal_pages::{self, RefusalPage};
use crate::request_id::{self, RequestId};
use crate::router::{TOKEN, serves_token};
use crate::routes::{oauth_apps, token};
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{HeaderValue, STRICT_TRANSPORT_SECURITY};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use keyfob_authority::Fault;
use keyfob_protocol::token_refusal::TokenRefusal;
use keyfob_protocol::token_request::ReplyShape;
use std::sync::Arc;

/// Routes that wait by design, or watch whether this node lives: they are no work, and the last to be turned away.
const WAITS_OR_WATCHES: [&str; 3] = ["/oauth/revocations", "/healthz", "/readyz"];

/// One layer rather than several: each costs a clone of the router and an allocation.
pub(crate) async fn around(State(doorway): State<Arc<Doorway>>, mut request: Request, next: Next) -> Response {
    let id = RequestId::draw(&*doorway.entropy);
    request.extensions_mut().insert(id.clone());
    let matched = request.extensions().get::<MatchedPath>().cloned();
    let route = matched.as_ref().map_or("unmatched", MatchedPath::as_str);
    let method = request.method().clone();
    let room = match WAITS_OR_WATCHES.contains(&route) {
        true => Some(None),
        false => doorway.restraint.load.request(doorway.options.most_requests).map(Some),
    };
    let mut response = match (limits::oversized(&request), &room) {
        // Row T-01 comes before T-02, and T-02 before T-03.
        (Some(_), _) if route == TOKEN && !serves_token(&method, doorway.options.legacy_get) => next.run(request).await,
        (Some(status), _) => refuse_by_size(&doorway, route, status, &id),
        (None, Some(_)) => keyfob_authority::request::named(id.bytes(), next.run(request)).await,
        (None, None) => {
            doorway.metrics.shed.inc();
            turn_away(&doorway, route, &method, &id)
        }
    };
    drop(room);
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

/// One request too many, in the language of whoever asks at that route (matrix RL-03; row T-03).
fn turn_away(doorway: &Doorway, route: &str, method: &Method, id: &RequestId) -> Response {
    match route {
        TOKEN if serves_token(method, doorway.options.legacy_get) => {
            let shape = if method == Method::POST { ReplyShape::Rfc6749 } else { ReplyShape::Legacy };
            token::refused(doorway, &TokenRefusal::Overloaded { retry_after: 1 }, shape)
        }
        "/oauth/revoke" | "/oauth/introspect" => {
            token::spelled(TokenRefusal::Overloaded { retry_after: 1 }.answer(ReplyShape::Rfc6749, false))
        }
        _ if route.starts_with("/v1/") => oauth_apps::unavailable(),
        _ => refusal_pages::overloaded(doorway, id),
    }
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
