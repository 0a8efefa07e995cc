//! Refuses requests whose end or whose addressee two servers could read in two ways (RFC 9112 sections 3.2 and 6.3).
//!
//! Of a request with both lengths hyper keeps `Transfer-Encoding` alone and closes the connection behind it, as section 6.1 asks; it refuses
//! other malformed framing itself. The tests hold it to that.

use super::failure::Failure;
use axum::extract::Request;
use http::Method;
use http::header::{CONTENT_LENGTH, HOST};

/// Whether it has one end, one host, and a target in origin form.
pub(super) fn check(request: &Request) -> Result<(), Failure> {
    let headers = request.headers();
    if headers.get_all(CONTENT_LENGTH).iter().count() > 1 {
        return Err(Failure::Ambiguous("it has more than one Content-Length"));
    }
    if headers.get_all(HOST).iter().count() != 1 {
        return Err(Failure::Ambiguous("it must have exactly one Host"));
    }
    let uri = request.uri();
    let origin_form = uri.scheme().is_none() && uri.authority().is_none() && uri.path().starts_with('/');
    if request.method() == Method::CONNECT || !origin_form {
        return Err(Failure::Ambiguous("its target must begin with a slash"));
    }
    Ok(())
}
