//! A request's id: in the answer, on error pages and in the log. Made here, never taken from the client.

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue};
use keyfob_protocol::{Entropy, base62, entropy};
use std::fmt;

/// The header that carries it.
pub(crate) const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// Names one request. Kept as the header it becomes, which is cheap to copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// A fresh one. Without randomness the request has none worth the name, and whatever needs randomness will say so itself.
    pub(crate) fn draw(source: &dyn Entropy) -> RequestId {
        match entropy::random::<8>(source) {
            Ok(bytes) => {
                RequestId(HeaderValue::try_from(base62::encode(&bytes)).expect("invariant: base62 fits a header"))
            }
            Err(_) => RequestId(HeaderValue::from_static("unknown")),
        }
    }

    /// Reads it from a request's extensions.
    pub(crate) fn of(request: &Request) -> RequestId {
        request.extensions().get::<RequestId>().cloned().unwrap_or(RequestId(HeaderValue::from_static("unknown")))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        self.0.to_str().expect("invariant: base62 is text")
    }

    /// The header's value.
    pub(crate) fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
