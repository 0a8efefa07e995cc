//! An API that answers as Follow Up Boss's does: people, notes, events, users and webhooks under `/v1`.
//!
//! Every request passes the same three doors, in this order: who is calling (`authenticate`), how often (`rate_limit`), and
//! whether the account's subscription runs. The handlers behind them decide only what a role may see and do. It trusts the
//! gate, and nothing else that a request brings. Serves made-up data; do not put real people into it.

mod answer;
mod authenticate;
mod body;
mod caller;
mod data;
mod doors;
mod error;
mod events;
mod identity;
mod notes;
mod page;
mod people;
mod people_write;
mod person_change;
mod query;
mod rate_limit;
mod saved;
mod state;
mod users;
mod visibility;
mod webhooks;

pub use caller::{ApiCaller, Via};
pub use error::ApiError;
pub use saved::SavedError;
pub use state::{ApiOptions, ApiState};

use axum::extract::DefaultBodyLimit;
use axum::routing::{any, get};
use axum::{Router, middleware};

/// Largest request body, in bytes.
const MAX_BODY: usize = 256 * 1024;

/// The API's routes, with full paths. Everything else under `/v1` is a 404 of the API's; merge the router with one that serves
/// other fixed paths there (such as `/v1/oauthApps`), which then come first.
pub fn router(state: ApiState) -> Router {
    Router::new()
        .route("/v1/identity", get(identity::show))
        .route("/v1/me", get(users::me))
        .route("/v1/users", get(users::list))
        .route("/v1/users/{id}", get(users::show))
        .route("/v1/people", get(people::list).post(people_write::create))
        .route("/v1/people/{id}", get(people::show).put(people_write::update))
        .route("/v1/notes", get(notes::list).post(notes::create))
        .route("/v1/notes/{id}", get(notes::show))
        .route("/v1/events", get(events::list).post(events::receive))
        .route("/v1/webhooks", get(webhooks::list).post(webhooks::create))
        .route("/v1/webhooks/{id}", get(webhooks::show).delete(webhooks::remove))
        .route("/v1", any(error::no_such_path))
        .route("/v1/", any(error::no_such_path))
        .route("/v1/{*path}", any(error::no_such_path))
        .method_not_allowed_fallback(error::no_such_method)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::from_fn_with_state(state.clone(), doors::pass))
        .with_state(state)
}
