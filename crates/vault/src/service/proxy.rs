//! `/proxy/{app}/{id}/…`: a call of the API as the connection's user. Token and system headers are the vault's; the caller never sees them.
//!
//! What comes back is the API's answer, whole and as it is. The vault's own answers carry `Keyfob-Vault-Error`, which the API's cannot. A GET whose
//! answer did not come is sent once more; nothing else is, since the API may have acted on it.

use super::Service;
use super::answer::{Problem, VAULT_ERROR, body_of};
use crate::callers::{is_plain, method_of};
use crate::connection_id::is_id;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::header::{ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method as HttpMethod, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use keyfob_client::{ApiBody, ApiRequest, ConnectionError, Header, HttpResponse, Method, SendFailure, redact_me};
use std::sync::Arc;

/// Headers of the API's that are about one connection, or the vault's to say.
const KEPT_BACK: [&str; 13] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "content-length",
    "content-encoding",
    "set-cookie",
    "keyfob-vault-error",
    "strict-transport-security",
];

pub(crate) async fn proxy(
    State(service): State<Arc<Service>>,
    method: HttpMethod,
    named: Result<Path<(String, String, String)>, PathRejection>,
    uri: Uri,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, Problem> {
    let caller = service.caller(&headers)?;
    let Path((app, id, _)) = named?;
    let held = match service.vault.app(&app) {
        Ok(held) if caller.may_use(&app) => held,
        _ => return Err(Problem::no_such_app()),
    };
    // A HEAD is a GET whose body the server does not send (RFC 9110 section 9.3.2); not every API knows it.
    let method = if method == HttpMethod::HEAD { HttpMethod::GET } else { method };
    let Some(method) = method_of(method.as_str()) else {
        let message = "The proxy takes GET, HEAD, POST, PUT, PATCH and DELETE.";
        let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message);
        return Ok(([(ALLOW, "GET, HEAD, POST, PUT, PATCH, DELETE")], problem).into_response());
    };
    // The path as it was sent, not as the router has read it.
    let path = behind(uri.path()).ok_or_else(|| Problem::bad_request("The path of the API is missing."))?;
    if !is_plain(path) {
        let message = "The path has dot segments, empty segments or encoded separators; write it plainly.";
        return Err(Problem::bad_request(message));
    }
    let api = held.settings.provider.api_base().path().trim_end_matches('/');
    if !path.strip_prefix(api).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
        let message = format!("The API is below {api}/: write /proxy/{app}/{id}{api}{path}.");
        return Err(Problem::bad_request(message));
    }
    if !caller.may_call(&app, method, path) {
        let message = format!("No proxy rule of this caller allows {} {path}.", method.as_str());
        return Err(Problem::forbidden(message));
    }
    let body = body_of(request).await?;
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let content_type = text(CONTENT_TYPE).unwrap_or_else(|| "application/json".to_owned());
    let request = ApiRequest {
        method,
        target: query.map_or_else(|| path.to_owned(), |query| format!("{path}?{query}")),
        body: (!body.is_empty()).then(|| ApiBody { content_type, bytes: body.to_vec() }),
        headers: text(ACCEPT).map(|accept| Header::plain("Accept", accept)).into_iter().collect(),
    };
    if !is_id(&id) {
        return Err(Problem::not_connected());
    }
    let connection = held.connection(&id);
    let mut answer = connection.send(&request).await;
    let unanswered =
        matches!(answer, Err(ConnectionError::NoAnswer(SendFailure::Unanswered(_) | SendFailure::NotSent(_))));
    let not_sent = matches!(answer, Err(ConnectionError::NoAnswer(SendFailure::NotSent(_))));
    if unanswered && (method == Method::Get || not_sent) {
        answer = connection.send(&request).await;
    }
    let now = service.vault.now();
    if reached_the_api(&answer) {
        held.called(&id, now);
    }
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return Err(Problem::of_connection(&error, held, &id, now).await),
    };
    // Whatever the API is called: one that keeps keys in its /me is told by nothing else.
    let is_me = path.trim_end_matches('/').rsplit('/').next().is_some_and(|last| last.eq_ignore_ascii_case("me"));
    Ok(passed_on(answer, is_me))
}

/// Whether the API has seen the call, or may have.
fn reached_the_api(answer: &Result<HttpResponse, ConnectionError>) -> bool {
    matches!(
        answer,
        Ok(_) | Err(ConnectionError::Unauthorized(_) | ConnectionError::NoAnswer(SendFailure::Unanswered(_)))
    )
}

/// What stands behind `/proxy/{app}/{id}`.
fn behind(path: &str) -> Option<&str> {
    let mut slashes = path.match_indices('/').map(|(at, _)| at);
    slashes.nth(3).map(|at| &path[at..])
}

fn passed_on(answer: HttpResponse, is_me: bool) -> Response {
    let HttpResponse { status, headers, body } = answer;
    let bytes = match is_me {
        // What cannot be read may hold anything.
        true => redact_me(body.expose()).unwrap_or_default(),
        false => body.expose().clone(),
    };
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    for header in &headers {
        let (Ok(name), Ok(value)) =
            (HeaderName::try_from(header.name.as_str()), HeaderValue::try_from(header.value.expose()))
        else {
            continue;
        };
        if !KEPT_BACK.contains(&name.as_str()) {
            response.headers_mut().append(name, value);
        }
    }
    response.headers_mut().remove(VAULT_ERROR);
    response.headers_mut().entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
