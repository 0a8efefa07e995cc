//! The vault over HTTP: an API for the partner's backend in any language, and pages for its users.
//!
//! Every route is in [`router`]; from a URL you know the file. Callers prove themselves with a key and get JSON; what goes wrong
//! has a stable code (`answer`). Users come by links that callers gave them and get pages.

mod answer;
mod browser;
mod connections;
#[cfg(test)]
mod documented;
pub(crate) mod events;
pub(crate) mod metrics;
mod openapi;
mod overview;
mod proxy;
mod start;
mod visit;

use crate::callers::Caller;
use crate::vault::Vault;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{any, get, post};
use keyfob_client::Secret;
use keyfob_pages::Brand;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use url::Url;

/// Largest body of a call, in bytes; it is read whole. Whoever is refused is told this number.
const MAX_BODY: usize = 8 * 1024 * 1024;
/// Largest form, in bytes. Anybody may post one.
const MAX_FORM: usize = 16 * 1024;

/// How the service behaves.
pub struct ServiceSettings {
    /// Where browsers reach it; its `/callback` is what is registered with the authority.
    pub public_url: Url,
    /// Whose pages these are.
    pub brand: Brand,
    /// Who may ask for what.
    pub callers: Vec<Caller>,
    /// Signs the sessions of the overview; fresh at every start.
    pub session_key: Secret<[u8; 32]>,
}

/// What every handler shares.
pub struct Service {
    pub(crate) vault: Arc<Vault>,
    pub(crate) settings: ServiceSettings,
    pub(crate) counts: metrics::Counts,
    stopping: AtomicBool,
    /// By the last probe.
    takes_writes: AtomicBool,
}

impl Service {
    /// A service in front of a vault.
    pub fn new(vault: Arc<Vault>, settings: ServiceSettings) -> Service {
        let counts = metrics::Counts::of(&vault);
        Service { counts, vault, settings, stopping: AtomicBool::new(false), takes_writes: AtomicBool::new(true) }
    }

    /// The process is going down: `/readyz` says so, and nobody waits for events any more.
    pub fn set_stopping(&self) {
        self.stopping.store(true, Ordering::Relaxed);
        self.vault.bell.ring();
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    pub(crate) fn store_takes_writes(&self) -> bool {
        self.takes_writes.load(Ordering::Relaxed)
    }

    /// Notes whether the store takes writes, and gives what was known before.
    pub(crate) fn note_store(&self, takes_writes: bool) -> bool {
        self.takes_writes.swap(takes_writes, Ordering::Relaxed)
    }

    /// Cookies that only https carries, unless this is a try on one machine.
    pub(crate) fn secure_cookies(&self) -> bool {
        self.settings.public_url.scheme() == "https"
    }

    /// Counts the connections for `/metrics`. Where the store fails the last count stays: others tell of that.
    pub async fn count_connections(&self) {
        if let Ok(count) = self.vault.count().await {
            self.counts.connections.set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    /// What `/metrics` says.
    pub fn metrics(&self) -> String {
        self.counts.render()
    }
}

/// What the overview posts.
fn forms() -> Router<Arc<Service>> {
    Router::new()
        .route("/sign-in", post(overview::sign_in))
        .route("/sign-out", post(overview::sign_out))
        .route("/reconnect", post(overview::reconnect))
        .layer(DefaultBodyLimit::max(MAX_FORM))
}

/// Every route.
pub fn router(service: Arc<Service>) -> Router {
    Router::new()
        .route("/apps", get(connections::apps))
        .route("/connections/start", post(start::start))
        .route("/connections", get(connections::list))
        .route("/connections/{app}/{id}", get(connections::show).delete(connections::remove))
        .route("/connections/{app}/{id}/refresh", post(connections::refresh))
        .route("/connections/{app}/{id}/token", get(connections::token))
        .route("/proxy/{app}/{id}/{*path}", any(proxy::proxy))
        .route("/events", get(events::events))
        .route("/openapi.json", get(openapi::openapi))
        .route("/connect/{ticket}", get(visit::visit))
        .route("/callback", get(visit::callback))
        .route("/callback/{app}", get(visit::callback_of_app))
        .route("/end/{kind}", get(visit::end))
        .route("/end/{kind}/{ticket}", get(visit::end_with_ticket))
        .route("/", get(overview::overview))
        .merge(forms())
        .route("/assets/{file}", get(browser::asset))
        .route("/healthz", get(metrics::healthz))
        .route("/readyz", get(metrics::readyz))
        .fallback(answer::not_found)
        .method_not_allowed_fallback(answer::method_not_allowed)
        .layer(axum::middleware::from_fn_with_state(service.clone(), metrics::count))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(service)
}
