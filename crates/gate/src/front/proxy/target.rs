//! Refuses requests whose addressee two servers could read in two ways (RFC 9112 section 3.2).
//!
//! Where a request ends is hyper's to say: with both lengths it keeps `Transfer-Encoding` alone and closes the connection behind it (section
//! 6.1), makes one of equal lengths, and refuses other malformed framing. The tests hold it to that.

use super::failure::Failure;
use axum::extract::Request;
use http::Method;
use http::header::HOST;

/// Whether it has one host, and a target in origin form.
pub(super) fn check(request: &Request) -> Result<(), Failure> {
    let headers = request.headers();
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
