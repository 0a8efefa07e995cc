//! What pages of other origins may read (Fetch standard, section 3.2; matrix MD-06; RFC 9700 section 2.6). Never with credentials: nothing that is
//! allowed here is a cookie's business.

use crate::doorway::Doorway;
use axum::extract::Request;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, HeaderValue, ORIGIN, VARY,
};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};

/// For how many seconds a browser may remember that it was allowed: a registration that is taken back acts within these.
const REMEMBERED: &str = "600";

/// What a page may read of an answer besides its body: what support asks for, and when to come back.
const EXPOSED: &str = "x-request-id, retry-after";

/// The preflight of a document that anybody may read.
pub(crate) async fn of_a_public_document() -> Response {
    let headers = [
        (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (ACCESS_CONTROL_ALLOW_METHODS, "GET"),
        (ACCESS_CONTROL_ALLOW_HEADERS, "*"),
        (ACCESS_CONTROL_MAX_AGE, REMEMBERED),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

/// Answers by `then`, for pages of registered origins readably. To any other origin nothing is said of it.
pub(crate) async fn for_registered_origins<F: Future<Output = Response>>(
    doorway: &Doorway,
    request: Request,
    then: impl FnOnce(Request) -> F,
) -> Response {
    let Some(origin) = request.headers().get(ORIGIN).cloned() else { return then(request).await };
    let registered = is_registered(doorway, &origin).await;
    let is_preflight =
        request.method() == Method::OPTIONS && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = match registered && is_preflight {
        true => {
            let headers = [
                (ACCESS_CONTROL_ALLOW_METHODS, "POST"),
                (ACCESS_CONTROL_ALLOW_HEADERS, "content-type"),
                (ACCESS_CONTROL_MAX_AGE, REMEMBERED),
            ];
            (StatusCode::NO_CONTENT, headers).into_response()
        }
        false => then(request).await,
    };
    let headers = response.headers_mut();
    headers.append(VARY, HeaderValue::from_name(ORIGIN));
    if registered {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    }
    response
}

async fn is_registered(doorway: &Doorway, origin: &HeaderValue) -> bool {
    let Ok(origin) = origin.to_str() else { return false };
    doorway.authority.is_registered_origin(origin).await.unwrap_or_else(|fault| {
        tracing::error!(fault = fault.to_string(), "the registered origins could not be read");
        false
    })
}
