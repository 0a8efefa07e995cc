//! Every route, as a table: from a URL you know the file.

use crate::doorway::Doorway;
use crate::routes::{
    assets, authorize, connections, decision, health, identity, jwks, metadata, not_found, oauth_apps, sign_in, token,
};
use crate::{limits, refusal_pages, request_id};
use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{HeaderValue, STRICT_TRANSPORT_SECURITY};
use axum::http::{Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{any, get, post};
use keyfob_authority::Fault;
use std::sync::Arc;

/// The authority's routes, `/v1/identity` among them. Paths match exactly (matrix SE-06).
pub fn router(doorway: Arc<Doorway>) -> Router {
    finished(routes().route("/v1/identity", get(identity::identity)), doorway)
}

/// The same for a platform that answers `/v1/identity` itself.
pub fn router_without_identity(doorway: Arc<Doorway>) -> Router {
    finished(routes(), doorway)
}

fn finished(routes: Router<Arc<Doorway>>, doorway: Arc<Doorway>) -> Router {
    routes
        .fallback(not_found::not_found)
        .layer(middleware::from_fn_with_state(doorway.clone(), count_and_limit))
        .layer(middleware::from_fn_with_state(doorway.clone(), request_id::assign))
        .with_state(doorway)
}

fn routes() -> Router<Arc<Doorway>> {
    Router::new()
        .route("/oauth/authorize", get(authorize::by_query).post(authorize::by_form))
        .route("/oauth/authorize/sign-in", post(sign_in::for_interaction))
        .route("/oauth/authorize/decision", post(decision::decide))
        .route("/oauth/token", any(token::token))
        .route("/oauth/jwks", get(jwks::jwks))
        .route("/.well-known/oauth-authorization-server", get(metadata::authorization_server))
        .route("/sign-in", post(sign_in::on_its_own))
        .route("/sign-out", post(connections::sign_out))
        .route("/connections", get(connections::list))
        .route("/connections/revoke", post(connections::revoke))
        .route("/assets/{file}", get(assets::asset))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/v1/oauthApps", get(oauth_apps::list).post(oauth_apps::register))
        .route("/v1/oauthApps/revokeAccess", axum::routing::delete(oauth_apps::revoke_access))
        .route("/v1/oauthApps/{id}", get(oauth_apps::show).put(oauth_apps::update))
}

/// Refuses oversized heads, adds what every answer carries (matrix SE-03), counts, and logs one line a request (successes at debug): method, pattern, status. Never the URL.
async fn count_and_limit(State(doorway): State<Arc<Doorway>>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.extensions.get::<MatchedPath>().cloned();
    let oversized = limits::oversized(&parts);
    let method = parts.method.clone();
    let request = Request::from_parts(parts, body);
    let id = request_id::RequestId::of(&request);
    let route = path.as_ref().map_or("unmatched", MatchedPath::as_str);
    let mut response = match oversized {
        // Row T-01 comes before T-02.
        Some(_) if route == "/oauth/token" && !serves_token(&method, doorway.options.legacy_get) => {
            next.run(request).await
        }
        Some(status) => refuse_by_size(&doorway, route, status, &id),
        None => next.run(request).await,
    };
    if doorway.options.strict_transport {
        response.headers_mut().insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    let status = response.status();
    if let Some(fault) = response.extensions().get::<Fault>() {
        tracing::error!(request_id = %id, fault = fault.to_string(), "an API request failed");
    }
    if route != "/oauth/token" {
        let answer = crate::metrics::Answer { route: route.to_owned(), status: status.as_u16() };
        doorway.metrics.requests.get_or_create(&answer).inc();
    }
    if status.is_success() || status.is_redirection() {
        tracing::debug!(request_id = %id, %method, route, status = status.as_u16(), "answered");
    } else {
        tracing::info!(request_id = %id, %method, route, status = status.as_u16(), "answered");
    }
    response
}

/// Row T-02, in the language of whoever asks at that route.
pub(crate) fn refuse_by_size(
    doorway: &Doorway,
    route: &str,
    status: StatusCode,
    id: &request_id::RequestId,
) -> Response {
    if route == "/oauth/token" {
        return token::refuse_status(status);
    }
    if route.starts_with("/v1/") {
        return oauth_apps::error(status, "The request is too large.");
    }
    let title = "This request is too large";
    let for_user = "Go back to the app. If it happens again, tell the people who make the app.";
    refusal_pages::RefusalPage::plain(status, title, for_user).answer(doorway, id)
}

/// The methods of the token endpoint, as `Allow` names them.
pub(crate) fn token_methods(legacy_get: bool) -> &'static str {
    if legacy_get { "GET, POST" } else { "POST" }
}

/// Whether the token endpoint serves a method.
pub(crate) fn serves_token(method: &Method, legacy_get: bool) -> bool {
    method == Method::POST || (legacy_get && method == Method::GET)
}
