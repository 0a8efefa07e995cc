//! One HTTP message each way, as plain data, so that every step can be built, looked at and tested without a socket.
//!
//! Whatever can hold a code, a token or a credential is a [`Secret`]: printing a message shows where it goes and what kind of
//! thing it carries, never the values. A page that reveals them on request calls [`Secret::expose`] in plain sight.

use keyfob_protocol::Secret;
use std::fmt;

/// The methods this client uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// GET.
    Get,
    /// POST.
    Post,
    /// PUT.
    Put,
    /// PATCH.
    Patch,
    /// DELETE.
    Delete,
}

impl Method {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
        }
    }
}

/// The value of a header.
#[derive(Clone, Debug)]
pub enum HeaderValue {
    /// May be printed.
    Plain(String),
    /// A credential, or something that may hold one.
    Secret(Secret<String>),
}

impl HeaderValue {
    /// The value as it stands on the wire. Every call site is a place to review.
    pub fn expose(&self) -> &str {
        match self {
            HeaderValue::Plain(text) => text,
            HeaderValue::Secret(secret) => secret.expose(),
        }
    }
}

/// A header field.
#[derive(Clone, Debug)]
pub struct Header {
    /// The name, as written for a request and in lower case for a response.
    pub name: String,
    /// The value.
    pub value: HeaderValue,
}

impl Header {
    /// A header that may be printed.
    pub fn plain(name: &str, value: impl Into<String>) -> Header {
        Header { name: name.to_owned(), value: HeaderValue::Plain(value.into()) }
    }

    /// A header that may not.
    pub fn secret(name: &str, value: Secret<String>) -> Header {
        Header { name: name.to_owned(), value: HeaderValue::Secret(value) }
    }

    /// A header of a response: plain where it is known to be harmless, otherwise a secret (`Location`, `Set-Cookie`).
    pub fn received(name: &str, value: &str) -> Header {
        let name = name.to_ascii_lowercase();
        let harmless =
            HARMLESS.contains(&name.as_str()) || name.starts_with("x-ratelimit-") || name.starts_with("fub-");
        match harmless {
            true => Header::plain(&name, value),
            false => Header::secret(&name, Secret::from(value)),
        }
    }
}

/// Response headers whose values say nothing secret.
const HARMLESS: [&str; 11] = [
    "allow",
    "cache-control",
    "connection",
    "content-length",
    "content-type",
    "date",
    "pragma",
    "retry-after",
    "server",
    "vary",
    "www-authenticate",
];

/// A request, complete but for `Host` and `Content-Length`, which the transport adds.
#[derive(Clone)]
pub struct HttpRequest {
    /// The method.
    pub method: Method,
    /// The whole URL. A secret, since the legacy exchange and refresh carry code and token in the query.
    pub url: Secret<String>,
    /// The header fields, in the order of the wire.
    pub headers: Vec<Header>,
    /// The body; empty for none.
    pub body: Secret<Vec<u8>>,
}

impl HttpRequest {
    /// The URL before `?`: where the request goes, fit for a log.
    pub fn endpoint(&self) -> &str {
        self.url.expose().split('?').next().unwrap_or_default()
    }

    /// The query behind `?`, if there is one.
    pub fn query(&self) -> Option<&str> {
        self.url.expose().split_once('?').map(|(_, query)| query)
    }

    /// The value of the first header of this name, whatever its case.
    pub fn header(&self, name: &str) -> Option<&HeaderValue> {
        find(&self.headers, name)
    }
}

impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method.as_str(), self.endpoint())?;
        if self.query().is_some() {
            f.write_str("?[redacted]")?;
        }
        f.write_str(" ")?;
        f.debug_map().entries(self.headers.iter().map(|header| (&header.name, &header.value))).finish()?;
        write!(f, " [{} bytes]", self.body.expose().len())
    }
}

/// A response.
#[derive(Clone)]
pub struct HttpResponse {
    /// The status.
    pub status: u16,
    /// The header fields.
    pub headers: Vec<Header>,
    /// The body. A secret, since it may be a token reply.
    pub body: Secret<Vec<u8>>,
}

impl HttpResponse {
    /// The value of the first header of this name that may be printed.
    pub fn header(&self, name: &str) -> Option<&str> {
        match find(&self.headers, name) {
            Some(HeaderValue::Plain(value)) => Some(value),
            Some(HeaderValue::Secret(_)) | None => None,
        }
    }

    /// Whether the status is 200 to 299.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// What the JSON reader says; 204 and 5xx answers often have no JSON.
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(self.body.expose())
    }
}

impl fmt::Debug for HttpResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.status)?;
        f.debug_map().entries(self.headers.iter().map(|header| (&header.name, &header.value))).finish()?;
        write!(f, " [{} bytes]", self.body.expose().len())
    }
}

fn find<'h>(headers: &'h [Header], name: &str) -> Option<&'h HeaderValue> {
    headers.iter().find(|header| header.name.eq_ignore_ascii_case(name)).map(|header| &header.value)
}
