//! What a caller wants of the API. Token and system headers are the connection's to add.

use crate::http::{Header, Method};
use std::fmt;

/// A call to the API.
#[derive(Clone, Debug)]
pub struct ApiRequest {
    /// The method.
    pub method: Method,
    /// A path from the root (`/v1/people?limit=10`), a path relative to the API base (`people`), or a whole URL of the same origin, such
    /// as a `nextLink`.
    pub target: String,
    /// What to send.
    pub body: Option<ApiBody>,
    /// Further headers, such as `Accept` where that is not JSON. What the connection itself says (`Authorization`, `X-System`, `X-System-Key`,
    /// `Content-Type`) is not taken from here.
    pub headers: Vec<Header>,
}

/// The body of a call. Prints without its content.
#[derive(Clone)]
pub struct ApiBody {
    /// Of what kind it is.
    pub content_type: String,
    /// The bytes.
    pub bytes: Vec<u8>,
}

impl ApiBody {
    /// JSON.
    pub fn json(text: impl Into<String>) -> ApiBody {
        ApiBody { content_type: "application/json".to_owned(), bytes: text.into().into_bytes() }
    }
}

impl fmt::Debug for ApiBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{} bytes]", self.content_type, self.bytes.len())
    }
}

impl ApiRequest {
    /// A GET.
    pub fn get(target: impl Into<String>) -> ApiRequest {
        ApiRequest { method: Method::Get, target: target.into(), body: None, headers: Vec::new() }
    }

    /// A POST of JSON.
    pub fn post(target: impl Into<String>, json: impl Into<String>) -> ApiRequest {
        ApiRequest { method: Method::Post, target: target.into(), body: Some(ApiBody::json(json)), headers: Vec::new() }
    }

    /// A DELETE.
    pub fn delete(target: impl Into<String>) -> ApiRequest {
        ApiRequest { method: Method::Delete, target: target.into(), body: None, headers: Vec::new() }
    }
}
