//! Where clients learn which authority guards this API (RFC 9728): a document beside the API, and a pointer to it in every challenge.
//!
//! The resource is the audience: what a client reads as `resource` is what it asks the authority for (RFC 8707) and what its token must be
//! meant for. So there is nothing to configure twice, and an audience that is no URL is announced nowhere.

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ALLOW, CACHE_CONTROL,
    CONTENT_TYPE,
};
use http::{HeaderValue, Method, Response, StatusCode};
use serde::Serialize;

/// Where the document lies; the path of the resource follows (RFC 9728 section 3.1).
pub const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// The announcement of one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProtectedResource {
    path: String,
    url: String,
    document: String,
}

#[derive(Serialize)]
struct Document<'d> {
    resource: &'d str,
    authorization_servers: [&'d str; 1],
    bearer_methods_supported: [&'static str; 1],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    scopes_supported: &'d [String],
}

impl ProtectedResource {
    /// Announces `audience`, guarded by `issuer`. `scopes`: what tokens may be asked for; may be empty.
    ///
    /// `None` where the audience is not a URL that a client could have sent its request to: https, or http on a literal loopback address,
    /// with host and path only (RFC 9728 section 1.2).
    pub fn new(issuer: &str, audience: &str, scopes: &[String]) -> Option<ProtectedResource> {
        let (scheme, rest) = audience.split_once("://")?;
        let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\' | b'?' | b'#' | b'@');
        let reachable = match scheme {
            "https" => true,
            "http" => ["127.0.0.1", "[::1]"]
                .iter()
                .any(|host| authority.strip_prefix(host).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))),
            _ => false,
        };
        if !reachable || authority.is_empty() || !rest.bytes().all(plain) {
            return None;
        }
        // A slash that ends the host is not part of a path (section 3.1).
        let path = format!("{WELL_KNOWN}{}", if path == "/" { "" } else { path });
        let document = Document {
            resource: audience,
            authorization_servers: [issuer],
            bearer_methods_supported: ["header"],
            scopes_supported: scopes,
        };
        let document = serde_json::to_string(&document).expect("invariant: plain strings");
        Some(ProtectedResource { url: format!("{scheme}://{authority}{path}"), path, document })
    }

    /// The URL of the document: what a challenge names as `resource_metadata` (section 5.1). Holds nothing that a quoted string escapes.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The path of that URL.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The answer to a request, if it is for the document. Any other path is not ours to answer, also beneath [`WELL_KNOWN`]: there is no
    /// other resource here.
    pub fn answer<B: From<String>>(&self, method: &Method, path: &str) -> Option<Response<B>> {
        if path != self.path {
            return None;
        }
        let body = if *method == Method::GET { self.document.clone() } else { String::new() };
        // Public, and asked for by clients in browsers (matrix MD-06).
        let (status, headers) = match *method {
            Method::GET | Method::HEAD => (
                StatusCode::OK,
                &[
                    (CONTENT_TYPE, "application/json"),
                    (CACHE_CONTROL, "public, max-age=300"),
                    (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
                ][..],
            ),
            Method::OPTIONS => (
                StatusCode::NO_CONTENT,
                &[
                    (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
                    (ACCESS_CONTROL_ALLOW_METHODS, "GET"),
                    (ACCESS_CONTROL_ALLOW_HEADERS, "*"),
                ][..],
            ),
            _ => (StatusCode::METHOD_NOT_ALLOWED, &[(ALLOW, "GET, HEAD, OPTIONS")][..]),
        };
        let mut response = Response::new(B::from(body));
        *response.status_mut() = status;
        for (name, value) in headers {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        Some(response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(audience: &str) -> Option<String> {
        ProtectedResource::new("https://id.example.com", audience, &[]).map(|resource| resource.url)
    }

    #[test]
    fn md_05_the_well_known_part_stands_between_host_and_path() {
        for (audience, expected) in [
            ("https://api.example.com", "https://api.example.com/.well-known/oauth-protected-resource"),
            ("https://api.example.com/", "https://api.example.com/.well-known/oauth-protected-resource"),
            (
                "https://api.example.com:8443/crm",
                "https://api.example.com:8443/.well-known/oauth-protected-resource/crm",
            ),
            ("https://api.example.com/crm/", "https://api.example.com/.well-known/oauth-protected-resource/crm/"),
            ("http://127.0.0.1:4000", "http://127.0.0.1:4000/.well-known/oauth-protected-resource"),
            ("http://[::1]/v1", "http://[::1]/.well-known/oauth-protected-resource/v1"),
        ] {
            assert_eq!(url(audience).as_deref(), Some(expected), "{audience}");
        }
    }

    #[test]
    fn md_05_an_audience_that_no_request_is_sent_to_is_not_announced() {
        for audience in [
            "people-api",
            "urn:example:api",
            "https://",
            "https:///crm",
            "http://api.example.com",
            "http://127.0.0.1.example.com",
            "https://api.example.com/?tenant=1",
            "https://api.example.com/#a",
            "https://user@api.example.com",
            "https://api.example.com/\"x",
        ] {
            assert_eq!(url(audience), None, "{audience}");
        }
    }
}
