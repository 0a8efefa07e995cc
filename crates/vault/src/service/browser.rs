//! What browsers get: pages with a strict policy, redirects, two stylesheets, and the cookies.

use super::Service;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use keyfob_pages::{BRAND_STYLESHEET_PATH, STYLESHEET, STYLESHEET_PATH, brand_stylesheet};
use std::sync::Arc;

/// A cookie of the vault's.
#[derive(Clone, Copy)]
pub(crate) enum Cookie {
    /// Which browser was sent to the authority.
    Browser,
    /// Who looks at the overview.
    Overview,
}

impl Cookie {
    /// `__Host-` binds a cookie to this host and to TLS; some cookie jars do not send such cookies back over plain loopback http.
    fn name(self, secure: bool) -> &'static str {
        match (self, secure) {
            (Cookie::Browser, true) => "__Host-keyfob-vault-browser",
            (Cookie::Browser, false) => "keyfob-vault-browser",
            (Cookie::Overview, true) => "__Host-keyfob-vault",
            (Cookie::Overview, false) => "keyfob-vault",
        }
    }

    /// The value, if the browser sent exactly one; a second one is somebody's attempt to plant it.
    pub(crate) fn read(self, service: &Service, headers: &HeaderMap) -> Option<String> {
        let name = self.name(service.secure_cookies()).as_bytes();
        let pairs = headers.get_all(COOKIE).iter().flat_map(|header| header.as_bytes().split(|byte| *byte == b';'));
        let mut found = pairs.map(<[u8]>::trim_ascii).filter_map(|pair| pair.strip_prefix(name)?.strip_prefix(b"="));
        let value = std::str::from_utf8(found.next()?).ok()?;
        let plausible = (1..=256).contains(&value.len());
        (plausible && found.next().is_none()).then(|| value.to_owned())
    }

    /// `Set-Cookie` for `seconds`; 0 makes the browser forget it.
    pub(crate) fn set(self, service: &Service, value: &str, seconds: i64) -> HeaderValue {
        let secure = service.secure_cookies();
        let attributes = if secure { "; Secure" } else { "" };
        let name = self.name(secure);
        let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{attributes}; Max-Age={seconds}");
        let mut header =
            HeaderValue::try_from(text).expect("invariant: cookie values are letters, digits, dots and hyphens");
        header.set_sensitive(true);
        header
    }
}

/// A page.
pub(crate) fn page(status: StatusCode, html: String, cookies: impl IntoIterator<Item = HeaderValue>) -> Response {
    let mut response = Response::new(Body::from(html));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    for cookie in cookies {
        headers.append(SET_COOKIE, cookie);
    }
    guarded(response)
}

/// A redirect. Nothing of the address that it came from goes along.
pub(crate) fn see_other(to: &str, cookies: impl IntoIterator<Item = HeaderValue>) -> Response {
    let Ok(to) = HeaderValue::try_from(to) else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    response.headers_mut().insert(LOCATION, to);
    for cookie in cookies {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    guarded(response)
}

fn guarded(mut response: Response) -> Response {
    for (name, value) in [
        (
            "content-security-policy",
            "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
        ),
        ("x-frame-options", "DENY"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cache-control", "no-store"),
    ] {
        response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}

pub(crate) async fn asset(State(service): State<Arc<Service>>, Path(file): Path<String>) -> Response {
    let css = (CONTENT_TYPE, "text/css; charset=utf-8");
    match format!("/assets/{file}").as_str() {
        // Its name holds a digest of its bytes.
        STYLESHEET_PATH => ([css, (CACHE_CONTROL, "public, max-age=31536000, immutable")], STYLESHEET).into_response(),
        BRAND_STYLESHEET_PATH => {
            ([css, (CACHE_CONTROL, "no-cache")], brand_stylesheet(&service.settings.brand)).into_response()
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}
