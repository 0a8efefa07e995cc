//! Refuses requests whose end or whose addressee two servers could read in two ways (RFC 9112 sections 3.2 and 6.3).

use super::failure::Failure;
use axum::extract::Request;
use http::Method;
use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};

/// Whether it has one end, one host, and a target in origin form.
pub(super) fn check(request: &Request) -> Result<(), Failure> {
    let headers = request.headers();
    if headers.contains_key(TRANSFER_ENCODING) && headers.contains_key(CONTENT_LENGTH) {
        return Err(Failure::Ambiguous("it has both Transfer-Encoding and Content-Length"));
    }
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
