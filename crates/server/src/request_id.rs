//! A request's id: in the answer, on error pages and in the log. Made here, never taken from the client.

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue};
use keyfob_protocol::{Entropy, base62, entropy};
use std::fmt;

/// The header that carries it.
pub(crate) const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// Names one request. Kept as the header it becomes, which is cheap to copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId {
    header: HeaderValue,
    bytes: Option<[u8; 8]>,
}

impl RequestId {
    /// A fresh one. Without randomness the request has none worth the name, and whatever needs randomness will say so itself.
    pub(crate) fn draw(source: &dyn Entropy) -> RequestId {
        let Ok(bytes) = entropy::random::<8>(source) else { return RequestId::unknown() };
        let header = HeaderValue::try_from(base62::encode(&bytes)).expect("invariant: base62 fits a header");
        RequestId { header, bytes: Some(bytes) }
    }

    fn unknown() -> RequestId {
        RequestId { header: HeaderValue::from_static("unknown"), bytes: None }
    }

    /// Reads it from a request's extensions.
    pub(crate) fn of(request: &Request) -> RequestId {
        request.extensions().get::<RequestId>().cloned().unwrap_or_else(RequestId::unknown)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        self.header.to_str().expect("invariant: base62 is text")
    }

    /// The header's value.
    pub(crate) fn header(&self) -> HeaderValue {
        self.header.clone()
    }

    /// What it stands for; `None` where nothing was drawn.
    pub(crate) fn bytes(&self) -> Option<[u8; 8]> {
        self.bytes
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
