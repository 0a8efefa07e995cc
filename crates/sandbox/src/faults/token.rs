//! A token request under faults. Its body is read here, since it says which app and connection the request is about.

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{Method, header};
use keyfob_authority::model::EndReason;
use keyfob_protocol::Clock;
use keyfob_protocol::token_refusal::TokenRefusal;
use keyfob_protocol::token_request::ReplyShape;
use serde_json::{Value, json};

use super::about::{About, pairs};
use super::entry::{At, Mode, Name};
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
    let value = |name: &str| form.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
    let refresh_token = value("refresh_token").filter(|_| value("grant_type") == Some("refresh_token"));
    let mode = refresh_token.and_then(|_| faults.mode(Name::Refresh, &about));
    let single_use = refresh_token.filter(|_| matches!(mode, Some(Mode::Rotating | Mode::Strict)));
    if let Some(token) = single_use
        && !faults.spent.take(token)
    {
        return spent_before(faults, mode, &about, shape).await;
    }
    if value("code").is_some() {
        // The law does it; here it is counted.
        faults.mode(Name::State, &about);
    }
    let mut response = next.run(Request::from_parts(parts, Body::from(body))).await;
    let succeeded = response.status().is_success();
    if let Some(token) = single_use.filter(|_| !succeeded) {
        faults.spent.give_back(token);
    }
    if shape == ReplyShape::Rfc6749 && succeeded && faults.fire(Name::IdToken, None, &about).is_some() {
        response = with_id_token(response).await;
    }
    if shape == ReplyShape::Rfc6749 && faults.fire(Name::LegacyEnvelope, None, &about).is_some() {
        response = in_the_envelope(faults, response).await;
    }
    layer::after(faults, At::Token, &about, response).await
}

/// The second use of a refresh token that works once. Only tokens that the authority took stay marked, so a forgery ends nothing.
async fn spent_before(faults: &Faults, mode: Option<Mode>, about: &About, shape: ReplyShape) -> Response {
    if let (Some(Mode::Strict), Some(grant)) = (mode, about.grant)
        && let Err(fault) = faults.authority().end_grant(grant, EndReason::RefreshReused, faults.clock.now()).await
    {
        tracing::error!(%fault, "a family of tokens could not be revoked");
        return answers::server_error(At::Token, shape);
    }
    answers::refusal(&TokenRefusal::InvalidRefreshToken, shape, faults.fub_status)
}

/// The same reply with an `id_token` that says nothing and is signed by nobody.
async fn with_id_token(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    let body = to_bytes(body, MAX_BODY).await.unwrap_or_default();
    let Ok(mut reply) = serde_json::from_slice::<Value>(&body) else {
        return Response::from_parts(parts, Body::from(body));
    };
    let part = |claims: &str| URL_SAFE_NO_PAD.encode(claims);
    reply["id_token"] = json!(format!("{}.{}.", part(r#"{"alg":"none"}"#), part(r#"{"iss":"keyfob-sandbox"}"#)));
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(reply.to_string()))
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
