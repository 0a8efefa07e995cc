//! `/sandbox/…`: driving the sandbox from somebody's own integration tests (matrix SB-05). These routes exist nowhere else.
//!
//! They do what a browser or the passing of time would do, through the same law. JSON only, and no foreign `Origin`, so that no web
//! page can drive the sandbox of the developer who looks at it.

mod authorize;
mod clock;
mod faults;
mod openapi;
mod reset;

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use keyfob_authority::{Authority, Fault};
use keyfob_protocol::Entropy;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::api::ApiState;
use crate::clock::SandboxClock;
use crate::demo::Demo;
use crate::faults::Faults;
use crate::start::seeding::Seeding;
use crate::start::{Addresses, Announcement};

/// Largest body, in bytes: an authorize URL of the longest kind fits.
const MAX_BODY: usize = 64 * 1024;

/// What the routes drive.
pub(crate) struct Control {
    pub(crate) authority: Arc<Authority>,
    pub(crate) clock: Arc<SandboxClock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) api: ApiState,
    pub(crate) seeding: Seeding,
    pub(crate) demo: Arc<Demo>,
    pub(crate) faults: Arc<Faults>,
    pub(crate) addresses: Arc<Addresses>,
    pub(crate) announcement: Announcement,
    /// Two resets at once would end each other's work half-way.
    pub(crate) resetting: tokio::sync::Mutex<()>,
}

/// The routes.
pub(crate) fn router(control: Arc<Control>) -> Router {
    Router::new()
        .route("/sandbox/authorize", post(authorize::authorize))
        .route("/sandbox/clock", post(clock::advance))
        .route("/sandbox/faults", get(faults::list).post(faults::add).delete(faults::clear))
        .route("/sandbox/reset", post(reset::reset))
        .route("/sandbox/credentials", get(credentials))
        .route("/sandbox/openapi.json", get(openapi::openapi))
        .method_not_allowed_fallback(no_such_method)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::from_fn_with_state(control.clone(), refuse_foreign))
        .with_state(control)
}

/// `GET /sandbox/credentials`: what `--json` printed at the start.
async fn credentials(State(control): State<Arc<Control>>) -> Response {
    answer(StatusCode::OK, &control.announcement)
}

async fn no_such_method(request: Request) -> Response {
    refusal(
        StatusCode::METHOD_NOT_ALLOWED,
        &format!("{} does not take {}; see the Allow header.", request.uri().path(), request.method()),
    )
}

/// A page of another origin may not drive the sandbox. Tools send no `Origin`.
async fn refuse_foreign(State(control): State<Arc<Control>>, request: Request, next: Next) -> Response {
    let Addresses { authority, api, demo, .. } = &*control.addresses;
    let own = |origin: &HeaderValue| [authority, api, demo].iter().any(|own| origin.as_bytes() == own.as_bytes());
    if request.headers().get_all(header::ORIGIN).iter().all(own) {
        return next.run(request).await;
    }
    refusal(StatusCode::FORBIDDEN, "Pages of another origin may not drive the sandbox.")
}

/// The body as JSON, or the refusal.
fn read<T: DeserializeOwned>(headers: &HeaderMap, body: &Bytes, example: &str) -> Result<T, Box<Response>> {
    let refuse = |what: &str| Err(Box::new(refusal(StatusCode::BAD_REQUEST, &format!("{what} Send {example}."))));
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        return refuse("The body must be JSON, with the header Content-Type: application/json.");
    }
    match serde_json::from_slice(body) {
        Ok(read) => Ok(read),
        Err(error) => refuse(&format!("The body cannot be read: {error}.")),
    }
}

fn answer(status: StatusCode, body: &impl Serialize) -> Response {
    let body = serde_json::to_vec(body).expect("invariant: answers are plain data");
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A refusal: one sentence.
pub(crate) fn refusal(status: StatusCode, message: &str) -> Response {
    answer(status, &json!({ "errorMessage": message }))
}

/// Our own failure.
fn fault(fault: &Fault) -> Response {
    tracing::error!(%fault, "a control request failed");
    let status = match fault.is_temporary() {
        true => StatusCode::SERVICE_UNAVAILABLE,
        false => StatusCode::INTERNAL_SERVER_ERROR,
    };
    refusal(status, "The sandbox failed; its log says why.").into_response()
}
