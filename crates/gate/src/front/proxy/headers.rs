//! Which headers end at the gate, and which it sets.

use crate::front::identity::{alike, is_identity_header};
use http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, HOST, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING,
    UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use std::net::IpAddr;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// For one connection only, whether `Connection` names them or not (RFC 9110 section 7.6.1).
const HOP_BY_HOP: [HeaderName; 9] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Removes what was meant for the connection that it came over.
pub(super) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .filter_map(|token| HeaderName::from_bytes(token.trim_ascii()).ok())
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        // How long a body is was settled when it was read; an answer to HEAD has nothing but the header to say it.
        if *name != CONTENT_LENGTH && *name != HOST {
            headers.remove(name);
        }
    }
}

/// Says who is connected, to which host and how. Headers of that kind that came in are kept, and continued, from a trusted proxy only.
pub(super) fn set_forwarded(headers: &mut HeaderMap, peer: Option<IpAddr>, trusted: bool, tls: bool) {
    remove_where(headers, |name| {
        let plain = alike(name);
        let forwarded = plain == "forwarded" || plain == "x-real-ip" || plain.starts_with("x-forwarded-");
        // With an underscore it is nobody's but a forger's.
        forwarded && !(trusted && plain == name.as_str())
    });
    let host = headers.get(HOST).cloned();
    if let Some(peer) = peer {
        let earlier = headers.get_all(X_FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok());
        let chain: Vec<String> = earlier.map(str::to_owned).chain([peer.to_string()]).collect();
        let chain = HeaderValue::try_from(chain.join(", ")).expect("invariant: header values and an address");
        headers.insert(X_FORWARDED_FOR, chain);
    }
    if let Some(host) = host {
        headers.entry(X_FORWARDED_HOST).or_insert(host);
    }
    headers.entry(X_FORWARDED_PROTO).or_insert(HeaderValue::from_static(if tls { "https" } else { "http" }));
}

/// Replaces whatever could be taken for the identity of the caller.
pub(super) fn set_identity(headers: &mut HeaderMap, identity: HeaderMap) {
    remove_where(headers, |name| {
        // `Proxy` becomes the variable HTTP_PROXY in CGI and its successors, which some clients obey.
        is_identity_header(name) || name.as_str() == "proxy"
    });
    // Answered by this server when it reads the body.
    headers.remove(EXPECT);
    // Set from the body when it is sent.
    headers.remove(CONTENT_LENGTH);
    headers.extend(identity);
}

fn remove_where(headers: &mut HeaderMap, condition: impl Fn(&HeaderName) -> bool) {
    let found: Vec<HeaderName> = headers.keys().filter(|name| condition(name)).cloned().collect();
    for name in found {
        headers.remove(name);
    }
}
