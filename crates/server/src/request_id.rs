//! A request's id: in the answer, on error pages and in the log. Made here, never taken from the client.

use crate::doorway::Doorway;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use keyfob_protocol::{base62, entropy};
use std::fmt;
use std::sync::Arc;

/// Names one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(String);

impl RequestId {
    /// Reads it from a request's extensions.
    pub(crate) fn of(request: &Request) -> RequestId {
        request.extensions().get::<RequestId>().cloned().unwrap_or_else(|| RequestId("unknown".to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The header that carries it.
const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// Gives every request an id. Without randomness the request has none, and whatever needs randomness will say so itself.
pub(crate) async fn assign(State(doorway): State<Arc<Doorway>>, mut request: Request, next: Next) -> Response {
    let Ok(bytes) = entropy::random::<8>(&*doorway.entropy) else { return next.run(request).await };
    let id = base62::encode(&bytes);
    let header = HeaderValue::try_from(id.as_str()).expect("invariant: base62 fits a header");
    request.extensions_mut().insert(RequestId(id));
    let mut response = next.run(request).await;
    response.headers_mut().insert(HEADER, header);
    response
}
