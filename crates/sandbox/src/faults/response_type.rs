//! What `response_type=code` leads to: nobody has written down what Follow Up Boss does with it.
//!
//! The parameter is changed before the authority reads the request, so that the answer is one that the authority gives.

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::response::Response;
use http::{Uri, header};
use keyfob_protocol::form;
use serde_json::{Value, json};

use super::about::{About, pairs};
use super::entry::{Mode, Name};
use super::{Faults, layer};

/// Longest body of `/sandbox/authorize` that is looked at, in bytes; the route takes less.
const MAX_BODY: usize = 128 * 1024;

/// The authorize request of a browser, by GET.
pub(super) fn of_a_browser(faults: &Faults, mut request: Request) -> Request {
    let target = request.uri().to_string();
    if let Some(Ok(uri)) = rewritten(faults, &target).map(|target| target.parse::<Uri>()) {
        *request.uri_mut() = uri;
    }
    request
}

/// The same in the body of `POST /sandbox/authorize`.
pub(super) async fn of_a_script(faults: &Faults, request: Request) -> Result<Request, Box<Response>> {
    let (mut parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_BODY).await else { return Err(Box::new(layer::unreadable())) };
    let mut asked: Value = serde_json::from_slice(&body).unwrap_or_default();
    let Some(url) = asked["url"].as_str().and_then(|url| rewritten(faults, url)) else {
        return Ok(Request::from_parts(parts, Body::from(body)));
    };
    asked["url"] = json!(url);
    parts.headers.remove(header::CONTENT_LENGTH);
    Ok(Request::from_parts(parts, Body::from(asked.to_string())))
}

/// The URL with another `response_type`, if it says `code` and a switch is set.
fn rewritten(faults: &Faults, url: &str) -> Option<String> {
    let (path, query) = url.split_once('?')?;
    let mut query = pairs(query.as_bytes());
    let client_id = query.iter().find(|(name, _)| name == "client_id").map(|(_, value)| value.clone());
    let said = query.iter_mut().find(|(name, value)| name == "response_type" && value == "code")?;
    let mode = faults.mode(Name::ResponseTypeCode, &About { client_id, grant: None })?;
    // A word that the authority does not know is refused as it refuses every such word.
    said.1 = if mode == Mode::AsAuthCode { "auth_code" } else { "code-is-refused" }.to_owned();
    Some(format!("{path}?{}", form::encode(query.iter().map(|(name, value)| (name.as_str(), value.as_str())))))
}
