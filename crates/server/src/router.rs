//! Every route, as a table: from a URL you know the file.

use crate::around::around;
use crate::cors;
use crate::doorway::Doorway;
use crate::routes::{
    about_token, assets, authorize, connections, decision, hand_off, health, identity, jwks, metadata, not_found,
    oauth_apps, openapi, openid, platform, protected_resource, revocations, sign_in, token,
};
use axum::Router;
use axum::http::Method;
use axum::middleware;
use axum::routing::{any, get, post, put};
use keyfob_authority::hand_off::RETURN_PATH;
use keyfob_authority::hand_off::openid::CALLBACK_PATH;
use keyfob_authority::sign_in::SignInWay;
use std::sync::Arc;

/// The token endpoint, which is counted by row of table T instead of by status.
pub(crate) const TOKEN: &str = "/oauth/token";

/// Of the API that is served here, and of those beneath a path.
const RESOURCE: &str = keyfob_gate::protected_resource::WELL_KNOWN;
const RESOURCE_PATHS: &str = "/.well-known/oauth-protected-resource/{*path}";

/// The authority's routes, `/v1/identity` among them. Paths match exactly (matrix SE-06).
pub fn router(doorway: Arc<Doorway>) -> Router {
    finished(routes(&doorway).route("/v1/identity", get(identity::identity)), doorway)
}

/// The same for a platform that answers `/v1/identity` itself.
pub fn router_without_identity(doorway: Arc<Doorway>) -> Router {
    finished(routes(&doorway), doorway)
}

fn finished(routes: Router<Arc<Doorway>>, doorway: Arc<Doorway>) -> Router {
    routes
        .fallback(not_found::not_found)
        .layer(middleware::from_fn_with_state(doorway.clone(), around))
        .with_state(doorway)
}

fn routes(doorway: &Doorway) -> Router<Arc<Doorway>> {
    let signing_in = match &doorway.sign_in {
        SignInWay::Passwords(_) => Router::new()
            .route("/oauth/authorize/sign-in", post(sign_in::for_interaction))
            .route("/sign-in", post(sign_in::on_its_own)),
        SignInWay::Platform(_) => Router::new()
            .route(RETURN_PATH, get(hand_off::come_back))
            .route(hand_off::REFUSED_PATH, get(hand_off::refused))
            .route(hand_off::CONTINUE_PATH, get(hand_off::go_on))
            .route("/platform/users/{id}", put(platform::user))
            .route("/platform/accounts/{id}", put(platform::account)),
        SignInWay::OpenId(_) => Router::new()
            .route(CALLBACK_PATH, get(openid::callback))
            .route(hand_off::REFUSED_PATH, get(hand_off::refused))
            .route(hand_off::CONTINUE_PATH, get(hand_off::go_on)),
    };
    signing_in
        .route("/oauth/authorize", get(authorize::by_query).post(authorize::by_form))
        .route("/oauth/authorize/decision", post(decision::decide))
        .route(TOKEN, any(token::token))
        .route("/oauth/jwks", get(jwks::jwks).options(cors::of_a_public_document))
        .route("/oauth/revoke", any(about_token::revoke))
        .route("/oauth/introspect", post(about_token::introspect))
        .route("/oauth/revocations", get(revocations::revocations))
        .route(
            "/.well-known/oauth-authorization-server",
            get(metadata::authorization_server).options(cors::of_a_public_document),
        )
        .route(RESOURCE, any(protected_resource::protected_resource))
        .route(RESOURCE_PATHS, any(protected_resource::protected_resource))
        .route("/sign-out", post(connections::sign_out))
        .route("/connections", get(connections::list))
        .route("/connections/revoke", post(connections::revoke))
        .route("/assets/{file}", get(assets::asset))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/openapi.json", get(openapi::openapi))
        .route("/v1/oauthApps", get(oauth_apps::list).post(oauth_apps::register))
        .route("/v1/oauthApps/revokeAccess", axum::routing::delete(oauth_apps::revoke_access))
        .route("/v1/oauthApps/{id}", get(oauth_apps::show).put(oauth_apps::update))
}

/// The methods of the token endpoint, as `Allow` names them.
pub(crate) fn token_methods(legacy_get: bool) -> &'static str {
    if legacy_get { "GET, POST" } else { "POST" }
}

/// Whether the token endpoint serves a method.
pub(crate) fn serves_token(method: &Method, legacy_get: bool) -> bool {
    method == Method::POST || (legacy_get && method == Method::GET)
}
