//! HTML answers and the headers that every one of them carries (matrix SE-02).

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, LOCATION, SET_COOKIE};
use axum::http::{HeaderName, Response, StatusCode};
use axum::response::IntoResponse;

const CSP: HeaderName = HeaderName::from_static("content-security-policy");

/// A page. `form_target`: the origin that a form's answer redirects to, which some browsers hold against `form-action`.
pub(crate) fn page(
    status: StatusCode,
    html: String,
    form_target: Option<&str>,
    cookies: impl IntoIterator<Item = HeaderValue>,
) -> Response<Body> {
    let mut response = Response::new(Body::from(html));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    let target = form_target.map(|origin| format!(" {origin}")).unwrap_or_default();
    let csp = format!(
        "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'{target}; frame-ancestors 'none'; base-uri 'none'"
    );
    // An origin that does not fit a header is left out: then the browser stops at the redirect, and nothing else breaks.
    let csp =
        HeaderValue::try_from(csp).unwrap_or(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
    headers.insert(CSP, csp);
    for cookie in cookies {
        headers.append(SET_COOKIE, cookie);
    }
    browser_headers(response)
}

/// A redirect of a browser. After a form post it must be 303, so that the form's body goes nowhere else (RFC 9700 section 4.12).
pub(crate) fn see_other(location: &str, cookies: impl IntoIterator<Item = HeaderValue>) -> Response<Body> {
    let Ok(location) = HeaderValue::try_from(location) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    response.headers_mut().insert(LOCATION, location);
    for cookie in cookies {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    browser_headers(response)
}

/// What every answer to a browser carries beside its Content-Security-Policy; nobody keeps it unless it says otherwise.
pub fn browser_headers(mut response: Response<Body>) -> Response<Body> {
    let headers = response.headers_mut();
    for (name, value) in [
        ("x-frame-options", "DENY"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
    ] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
