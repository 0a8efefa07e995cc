//! The check endpoint that a web server asks before it lets a request through (BR-10): nginx `auth_request`, Traefik `ForwardAuth`,
//! Caddy `forward_auth`, Envoy `ext_authz` over HTTP.
//!
//! Any method, since some ask with the method of the request. The web server knows 2xx, 401 and 403 only, so what would be 400 elsewhere
//! is 401 here.

use super::checkpoint::Checkpoint;
use crate::challenge::Challenge;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use keyfob_protocol::form::Form;
use keyfob_protocol::scope::Scope;
use std::sync::Arc;

/// Where it answers. Envoy appends the path of the request that it asks about.
const PATH: &str = "/check";

/// The endpoint.
#[derive(Clone, Debug)]
pub struct ForwardAuth {
    checkpoint: Arc<Checkpoint>,
    passed: StatusCode,
}

impl ForwardAuth {
    /// Answers `passed` where a request may pass: 204, or 200 for those who want exactly that (Envoy).
    pub fn new(checkpoint: Arc<Checkpoint>, passed: StatusCode) -> ForwardAuth {
        ForwardAuth { checkpoint, passed }
    }

    /// Its route, and that of the announced resource, to which the web server passes the API's well-known path (RFC 9728).
    pub fn router(self) -> Router {
        Router::new().fallback(answer).with_state(self)
    }

    fn refuse(&self, challenge: &Challenge) -> Response {
        let mut response = self.checkpoint.refuse(challenge);
        if response.status() == StatusCode::BAD_REQUEST {
            *response.status_mut() = StatusCode::UNAUTHORIZED;
        }
        response
    }
}

async fn answer(State(endpoint): State<ForwardAuth>, request: Request) -> Response {
    if let Some(document) = endpoint.checkpoint.document(&request) {
        return document;
    }
    let beneath = match request.uri().path().strip_prefix(PATH) {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => !matches!(rest, "" | "/"),
        _ => return status(StatusCode::NOT_FOUND),
    };
    // Beneath the path the query is that of the request asked about, written by whoever sends it.
    let query = request.uri().query().filter(|_| !beneath).unwrap_or_default();
    let Some(required) = required_scope(query) else {
        tracing::error!(
            "the query of the check URL is malformed, so no request passes; write it like /check?scope=a%20b"
        );
        return endpoint.refuse(&Challenge::CannotDecide);
    };
    match endpoint.checkpoint.check(request.headers(), &required) {
        Ok(identity) => {
            let mut response = status(endpoint.passed);
            *response.headers_mut() = identity;
            response
        }
        Err(challenge) => endpoint.refuse(&challenge),
    }
}

/// What the location requires: every `scope` of the query. `None` where the query cannot be read, or a scope is empty: a variable that
/// was never filled in must not open a location.
fn required_scope(query: &str) -> Option<Scope> {
    let form = Form::parse(query.as_bytes()).ok()?;
    let mut scopes = form.pairs().filter(|(name, _)| *name == "scope");
    scopes.try_fold(Scope::empty(), |required, (_, text)| {
        let scope = Scope::parse(text).ok().filter(|scope| !scope.is_empty())?;
        Some(required.union(&scope))
    })
}

fn status(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}
