//! Answers that no route gives.

use axum::body::{Body, Bytes};
use axum::response::Response;
use http::{HeaderValue, Method, StatusCode, header};
use keyfob_protocol::Timestamp;
use keyfob_protocol::token_refusal::{BASIC_CHALLENGE, TokenRefusal};
use keyfob_protocol::token_request::ReplyShape;
use serde_json::{Value, json};

use super::entry::{At, Mode};

pub(super) fn json(status: StatusCode, body: &Value) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// What the authority would say to a token request.
pub(super) fn refusal(refusal: &TokenRefusal, shape: ReplyShape, fub_status: bool) -> Response {
    let answer = refusal.answer(shape, fub_status);
    let body = serde_json::from_str(&answer.body).unwrap_or_default();
    let mut response = json(StatusCode::from_u16(answer.status).unwrap_or(StatusCode::BAD_REQUEST), &body);
    if answer.challenge {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(BASIC_CHALLENGE));
    }
    if let Some(seconds) = answer.retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

/// The shape that a method asks for.
pub(super) fn shape(method: &Method) -> ReplyShape {
    if method == Method::POST { ReplyShape::Rfc6749 } else { ReplyShape::Legacy }
}

pub(super) fn server_error(at: At, shape: ReplyShape) -> Response {
    match at {
        At::Token => refusal(&TokenRefusal::ServerError, shape, false),
        At::Api => {
            json(StatusCode::INTERNAL_SERVER_ERROR, &json!({ "errorMessage": "The sandbox was asked to fail." }))
        }
    }
}

pub(super) fn rate_limited(at: At, shape: ReplyShape, retry_after: u32) -> Response {
    let mut response = match at {
        At::Token => refusal(&TokenRefusal::Overloaded { retry_after }, shape, false),
        At::Api => json(
            StatusCode::TOO_MANY_REQUESTS,
            &json!({ "errorMessage": "The sandbox was asked to refuse this as one too many." }),
        ),
    };
    response.headers_mut().insert(header::RETRY_AFTER, retry_after.into());
    response
}

/// As a proxy whose backend is away.
pub(super) fn bad_gateway() -> Response {
    let page = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>\n";
    let mut response = Response::new(Body::from(page));
    *response.status_mut() = StatusCode::BAD_GATEWAY;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
    response
}

/// An answer that breaks off: the server closes the connection before the body that it promised.
pub(super) fn broken_off() -> Response {
    let gone = std::io::Error::new(std::io::ErrorKind::ConnectionReset, "the sandbox was asked to drop this reply");
    let body = futures_util::stream::once(async move { Err::<Bytes, _>(gone) });
    let mut response = Response::new(Body::from_stream(body));
    // Without it HTTP/1.0 would take the end of the connection for the end of an empty body.
    response.headers_mut().insert(header::CONTENT_LENGTH, 1.into());
    response
}

pub(super) fn expired_account() -> Response {
    json(
        StatusCode::FORBIDDEN,
        &json!({ "errorMessage": "The account's subscription has expired; its owner can renew it. The credentials are still good." }),
    )
}

/// A 401 of the API in another form.
pub(super) fn bearer_refusal(mode: Mode) -> Response {
    const CHALLENGE: HeaderValue = HeaderValue::from_static("Basic realm=\"Follow Up Boss API\"");
    match mode {
        Mode::BasicChallenge => {
            let mut response =
                json(StatusCode::UNAUTHORIZED, &json!({ "errorMessage": "The access token is not good." }));
            response.headers_mut().insert(header::WWW_AUTHENTICATE, CHALLENGE);
            response
        }
        Mode::LegacyEnvelope => json(
            StatusCode::UNAUTHORIZED,
            &json!({ "success": false, "errorMessage": "The access token has expired.", "errorCode": "expired-access-token" }),
        ),
        _ => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::UNAUTHORIZED;
            response
        }
    }
}

/// The legacy envelope of a reply of RFC 6749, a success or an error.
pub(super) fn enveloped(reply: &Value, now: Timestamp) -> Value {
    let text = |key: &str| reply[key].as_str().unwrap_or_default();
    if reply.get("access_token").is_none() {
        let code = if text("error") == "invalid_grant" { "code-exchange-failed" } else { text("error") };
        return json!({ "success": false, "errorMessage": text("error_description"), "errorCode": code });
    }
    let lifetime = reply["expires_in"].as_i64().unwrap_or_default();
    json!({ "success": true, "data": {
        "access_token": text("access_token"),
        "token_type": "bearer",
        "refresh_token": text("refresh_token"),
        "ttl": lifetime.to_string(),
        "issued_at": now.to_utc(),
        "expires_at": now.plus(lifetime).to_utc(),
    } })
}

/// A page that opens the callback and a second later opens it again: once for a picture that is none, once by itself.
pub(super) fn twice(callback: &str) -> Response {
    let escaped = callback.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;");
    let page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Sent twice</title><meta http-equiv=\"refresh\" content=\"1;url={escaped}\"></head><body><p>The sandbox was asked to send the browser to the callback twice. The first visit is under way; the second follows in a second.</p><p><a href=\"{escaped}\">Go on</a></p><img src=\"{escaped}\" alt=\"\" width=\"1\" height=\"1\"></body></html>"
    );
    let mut response = Response::new(Body::from(page));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; img-src *"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
