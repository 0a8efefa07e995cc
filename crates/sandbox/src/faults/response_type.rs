//! What `response_type=code` leads to: nobody has written down what Follow Up Boss does with it.
//!
//! The parameter is changed before the authority reads the request, so that the answer is one that the authority gives. Only the reason
//! is ours: the authority's would name a mistake that nobody made.

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::{Uri, header};
use keyfob_protocol::form;
use serde_json::{Value, json};

use super::about::{About, pairs};
use super::entry::{Mode, Name};
use super::{Faults, layer};

/// Longest body of `/sandbox/authorize` that is looked at, in bytes; the route takes less.
const MAX_BODY: usize = 128 * 1024;
/// Why the app is refused.
const REASON: &str = "response_type=code is refused by the fault response-type-code of this sandbox; send auth_code";

/// An authorize URL as the authority is to read it.
struct Rewritten {
    url: String,
    mode: Mode,
}

/// The authorize request of a browser, by GET.
pub(super) async fn of_a_browser(faults: &Faults, mut request: Request, next: Next) -> Response {
    let Some(rewritten) = rewritten(faults, &request.uri().to_string()) else { return next.run(request).await };
    if let Ok(uri) = rewritten.url.parse::<Uri>() {
        *request.uri_mut() = uri;
    }
    let mut response = next.run(request).await;
    let location = response.headers().get(header::LOCATION).and_then(|value| value.to_str().ok()).map(explained);
    if let (Mode::Refused, Some(Ok(location))) = (rewritten.mode, location.map(|location| location.parse())) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// The same in the body of `POST /sandbox/authorize`.
pub(super) async fn of_a_script(faults: &Faults, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_BODY).await else { return layer::unreadable() };
    let mut asked: Value = serde_json::from_slice(&body).unwrap_or_default();
    let Some(rewritten) = asked["url"].as_str().and_then(|url| rewritten(faults, url)) else {
        return next.run(Request::from_parts(parts, Body::from(body))).await;
    };
    asked["url"] = json!(rewritten.url);
    parts.headers.remove(header::CONTENT_LENGTH);
    let response = next.run(Request::from_parts(parts, Body::from(asked.to_string()))).await;
    if rewritten.mode != Mode::Refused {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let body = to_bytes(body, MAX_BODY).await.unwrap_or_default();
    let mut answer: Value = serde_json::from_slice(&body).unwrap_or_default();
    if answer["errorDescription"].is_null() {
        return Response::from_parts(parts, Body::from(body));
    }
    answer["errorDescription"] = json!(REASON);
    if let Some(redirect) = answer["redirect"].as_str().map(explained) {
        answer["redirect"] = json!(redirect);
    }
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(answer.to_string()))
}

/// The URL with another `response_type`, if it says `code` and a switch is set.
fn rewritten(faults: &Faults, url: &str) -> Option<Rewritten> {
    let (path, query) = url.split_once('?')?;
    let mut query = pairs(query.as_bytes());
    let client_id = query.iter().find(|(name, _)| name == "client_id").map(|(_, value)| value.clone());
    let said = query.iter_mut().find(|(name, value)| name == "response_type" && value == "code")?;
    let mode = faults.mode(Name::ResponseTypeCode, &About { client_id, grant: None })?;
    // A word that the authority does not know is refused as it refuses every such word.
    said.1 = if mode == Mode::AsAuthCode { "auth_code" } else { "code-is-refused" }.to_owned();
    Some(Rewritten { url: with_query(path, &query), mode })
}

/// The redirect with the reason, if it is one that has a reason.
fn explained(redirect: &str) -> String {
    let Some((address, query)) = redirect.split_once('?') else { return redirect.to_owned() };
    let mut query = pairs(query.as_bytes());
    match query.iter_mut().find(|(name, _)| name == "error_description") {
        Some(description) => description.1 = REASON.to_owned(),
        None => return redirect.to_owned(),
    }
    with_query(address, &query)
}

fn with_query(address: &str, query: &[(String, String)]) -> String {
    format!("{address}?{}", form::encode(query.iter().map(|(name, value)| (name.as_str(), value.as_str()))))
}
