//! `POST /connections/start`: a link for a user.

use super::Service;
use super::answer::{Problem, body_of, fresh};
use crate::callers::Right;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    app: String,
    id: Option<String>,
    return_to: Option<String>,
}

pub(crate) async fn start(
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, Problem> {
    // Who may not ask is not told what is wrong with the question.
    service.caller(&headers)?;
    let body = body_of(request).await?;
    let body: Body = serde_json::from_slice(&body).map_err(|error| {
        Problem::bad_request(format!(
            "The body must be JSON like {{\"app\":\"…\",\"id\":\"…\",\"return_to\":\"…\"}}: {error}."
        ))
    })?;
    service.caller_who_may(Right::Connect, &body.app, &headers)?;
    let started = service.vault.start(&body.app, body.id, body.return_to.as_deref()).await?;
    Ok(fresh(json!({
        "app": body.app,
        "id": started.id,
        "url": service.link(started.ticket.expose()),
        "expires_at": started.expires_at.to_utc(),
    })))
}

impl Service {
    /// The link of a ticket.
    pub(crate) fn link(&self, ticket: &str) -> String {
        let base = self.settings.public_url.as_str().trim_end_matches('/');
        format!("{base}/connect/{ticket}")
    }
}
