//! The layer around the routes: which of them a request is for, and what is done instead of it, before its answer and to its answer.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{StatusCode, header};
use keyfob_protocol::bearer;
use keyfob_protocol::token_request::ReplyShape;

use super::about::About;
use super::entry::{At, Entry, Name};
use super::{Faults, answers, approval, response_type, token};

/// `Retry-After` of a refusal that does not say otherwise, in seconds.
const RETRY_AFTER: u32 = 1;

/// Every request passes here; without a fault that could fire, untouched.
pub(crate) async fn around(State(faults): State<Arc<Faults>>, request: Request, next: Next) -> Response {
    if faults.is_idle() {
        return next.run(request).await;
    }
    match request.uri().path() {
        "/oauth/token" => token::around(&faults, request, next).await,
        "/oauth/authorize" => response_type::of_a_browser(&faults, request, next).await,
        "/oauth/authorize/decision" => approval::of_a_browser(&faults, next.run(request).await).await,
        "/sandbox/authorize" => {
            approval::of_a_script(&faults, response_type::of_a_script(&faults, request, next).await).await
        }
        path if path == "/v1" || path.starts_with("/v1/") => call(&faults, request, next).await,
        _ => next.run(request).await,
    }
}

/// A call of the API.
async fn call(faults: &Faults, request: Request, next: Next) -> Response {
    let about = About::call(request.headers());
    if let Some(response) = instead(faults, At::Api, &about, ReplyShape::Rfc6749) {
        return response;
    }
    // Who is not known has no account.
    if about.client_id.is_some() && faults.fire(Name::ExpiredAccount, None, &about).is_some() {
        return answers::expired_account();
    }
    // Also one that says nothing of itself; a fault for one app meets it as little as any other request of nobody.
    let has_token = request
        .headers()
        .get(header::AUTHORIZATION)
        .is_some_and(|value| matches!(bearer::parse(value.as_bytes()), bearer::PresentedBearer::Token(_)));
    let mut response = next.run(request).await;
    if response.status() == StatusCode::UNAUTHORIZED
        && has_token
        && let Some(mode) = faults.mode(Name::BearerRefusal, &about)
    {
        response = answers::bearer_refusal(mode);
    }
    after(faults, At::Api, &about, response).await
}

/// What is answered without carrying the request out: of the faults that do so, the one that was asked for first.
pub(super) fn instead(faults: &Faults, at: At, about: &About, shape: ReplyShape) -> Option<Response> {
    let fired = faults.fire_one_of(&[Name::ServerError, Name::RateLimited, Name::BadGateway], at, about)?;
    Some(match fired.fault {
        Name::RateLimited => answers::rate_limited(at, shape, fired.retry_after.unwrap_or(RETRY_AFTER)),
        Name::BadGateway => answers::bad_gateway(),
        _ => answers::server_error(at, shape),
    })
}

/// What happens to the answer of a request that was carried out.
pub(super) async fn after(faults: &Faults, at: At, about: &About, response: Response) -> Response {
    if let Some(Entry { milliseconds: Some(length), .. }) = faults.fire(Name::Delay, Some(at), about) {
        tokio::time::sleep(Duration::from_millis(length)).await;
    }
    match faults.fire(Name::DropReply, Some(at), about) {
        Some(_) => answers::broken_off(),
        None => response,
    }
}

/// An answer for a request whose body could not be read.
pub(super) fn unreadable() -> Response {
    answers::json(StatusCode::PAYLOAD_TOO_LARGE, &serde_json::json!({ "errorMessage": "The body is too large." }))
}
