//! Whether it lives, whether it is ready, and counts in the text format of Prometheus. No label holds what a caller sent.

use super::Service;
use super::answer::VAULT_ERROR;
use crate::vault::Vault;
use axum::extract::{MatchedPath, Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;
use keyfob_protocol::base62;
use keyfob_protocol::entropy;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::sync::Arc;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Answered {
    route: String,
    status: u16,
    /// The code of a refusal of the vault's own.
    error: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(crate) struct Delivered {
    pub(crate) webhook: String,
    pub(crate) outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(crate) struct CameBack {
    pub(crate) result: &'static str,
    pub(crate) reason: &'static str,
}

/// What is counted.
pub(crate) struct Counts {
    registry: Registry,
    answered: Family<Answered, Counter>,
    /// Users who came back from an authority.
    pub(crate) came_back: Family<CameBack, Counter>,
    /// Webhook deliveries.
    pub(crate) delivered: Family<Delivered, Counter>,
    /// Connections that there are.
    pub(crate) connections: Gauge,
    /// Connections whose new tokens the store has not taken yet.
    pub(crate) unwritten: Gauge,
    /// Idle connections refreshed.
    pub(crate) tended: Counter,
    /// Idle connections not refreshed although it was time.
    pub(crate) tending_failed: Counter,
}

impl Counts {
    /// Of this vault.
    pub(crate) fn of(vault: &Vault) -> Counts {
        let mut registry = Registry::with_prefix("keyfob_vault");
        let mut counts = Counts {
            registry: Registry::default(),
            answered: Family::default(),
            came_back: Family::default(),
            delivered: Family::default(),
            connections: Gauge::default(),
            unwritten: Gauge::default(),
            tended: Counter::default(),
            tending_failed: Counter::default(),
        };
        registry.register(
            "requests",
            "Requests by route, status and the vault's own error code",
            counts.answered.clone(),
        );
        registry.register("callbacks", "Callbacks by how they ended, and why", counts.came_back.clone());
        registry.register("webhook_deliveries", "Deliveries of events by outcome", counts.delivered.clone());
        registry.register("connections", "Connections, counted twice a minute", counts.connections.clone());
        let unwritten = "Connections whose new tokens are in this process's memory alone";
        registry.register("unwritten", unwritten, counts.unwritten.clone());
        registry.register("tended", "Idle connections refreshed to keep them alive", counts.tended.clone());
        registry.register(
            "tending_failed",
            "Idle connections that could not be refreshed",
            counts.tending_failed.clone(),
        );
        registry.register(
            "app_refused",
            "Times that an authority refused an app, so that nothing of it could be refreshed for a minute",
            vault.refusals.clone(),
        );
        counts.registry = registry;
        counts
    }

    pub(crate) fn render(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("invariant: writing into a String does not fail");
        text
    }
}

/// Around every request: an id, a count, one line in the log. Never the address, which may be a link or a callback.
pub(crate) async fn count(State(service): State<Arc<Service>>, request: Request, next: Next) -> Response {
    let matched = request.extensions().get::<MatchedPath>().cloned();
    let route = matched.as_ref().map_or("unmatched", MatchedPath::as_str).to_owned();
    let method = request.method().clone();
    let mut response = next.run(request).await;
    let status = response.status();
    let id = entropy::random::<8>(&*service.vault.outside.entropy).map(|bytes| base62::encode(&bytes));
    if let Ok(id) = &id
        && let Ok(value) = axum::http::HeaderValue::try_from(id)
    {
        // On the proxy's paths the API's own id, if it has one, stands first.
        response.headers_mut().append("x-request-id", value);
    }
    let id = id.unwrap_or_default();
    // A refusal of the vault's own; without it what the API says was passed on.
    let error = response.headers().get(VAULT_ERROR).and_then(|code| code.to_str().ok()).unwrap_or_default().to_owned();
    if status.is_success() || status.is_redirection() {
        tracing::debug!(request_id = id, %method, route, status = status.as_u16(), "answered");
    } else {
        tracing::info!(request_id = id, %method, route, status = status.as_u16(), error, "answered");
    }
    service.counts.answered.get_or_create(&Answered { route, status: status.as_u16(), error }).inc();
    response
}

pub(crate) async fn healthz() -> &'static str {
    "alive\n"
}

pub(crate) async fn readyz(State(service): State<Arc<Service>>) -> (StatusCode, &'static str) {
    if service.is_stopping() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n");
    }
    match service.vault.store.cursor(READINESS).await {
        Ok(_) if service.store_takes_writes() => (StatusCode::OK, "ready\n"),
        _ => (StatusCode::SERVICE_UNAVAILABLE, "store\n"),
    }
}

/// A reader of events that reads none. No webhook is called so by accident.
const READINESS: &str = ":readiness";

impl Service {
    /// Writes something small, so that a full disk is known before a user meets it.
    pub(crate) async fn probe(&self) {
        let store = &self.vault.store;
        let wrote = match store.cursor(READINESS).await {
            // A conflict: another node has just written.
            Ok(at) => store.move_cursor(READINESS, at, at + 1).await.map(drop),
            Err(unavailable) => Err(unavailable),
        };
        let takes = wrote.is_ok();
        if self.note_store(takes) == takes {
            return;
        }
        match wrote {
            Ok(()) => tracing::info!("the store can be written to again"),
            Err(cause) => tracing::error!(cause = cause.0, "the store cannot be written to; this node is not ready"),
        }
    }
}
