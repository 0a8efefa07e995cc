//! A token request under faults. Its body is read here, since it says which app and connection the request is about.

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::{Method, header};
use keyfob_protocol::Clock;
use keyfob_protocol::token_refusal::TokenRefusal;
use keyfob_protocol::token_request::ReplyShape;
use serde_json::Value;

use super::about::{About, pairs};
use super::entry::{At, Name};
use super::{Faults, answers, layer};

/// Longest body that is looked at, in bytes: more than the authority takes, so that the refusal of a longer one is its own.
const MAX_BODY: usize = 128 * 1024;

pub(super) async fn around(faults: &Faults, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_BODY).await else { return layer::unreadable() };
    let is_post = parts.method == Method::POST;
    let form = if is_post { pairs(&body) } else { pairs(parts.uri.query().unwrap_or_default().as_bytes()) };
    let about = About::token(&parts.headers, &form);
    let shape = answers::shape(&parts.method);
    if let Some(response) = layer::instead(faults, At::Token, &about, shape) {
        return response;
    }
    if faults.fire(Name::ExpiredSecret, None, &about).is_some() {
        return answers::refusal(&TokenRefusal::ClientAuthenticationFailed, shape, faults.fub_status);
    }
    let mut response = next.run(Request::from_parts(parts, Body::from(body))).await;
    if shape == ReplyShape::Rfc6749 && faults.fire(Name::LegacyEnvelope, None, &about).is_some() {
        response = in_the_envelope(faults, response).await;
    }
    layer::after(faults, At::Token, &about, response).await
}

/// The same answer in the spelling of the legacy GET.
async fn in_the_envelope(faults: &Faults, response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    let body = to_bytes(body, MAX_BODY).await.unwrap_or_default();
    let spelled = match serde_json::from_slice::<Value>(&body) {
        Ok(reply) => Bytes::from(answers::enveloped(&reply, faults.clock.now()).to_string()),
        Err(_) => body,
    };
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(spelled))
}
