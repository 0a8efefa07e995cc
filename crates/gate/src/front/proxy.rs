//! The reverse proxy: every request is checked before the upstream hears of it, and the caller's identity is set where the client
//! cannot (BR-10). Bodies stream both ways.
//!
//! Requests that two servers could read in two ways are refused (RFC 9112 section 11.2). HTTP/1.1 only; no upgrades.

mod failure;
mod headers;
mod scoped_paths;
mod target;
mod upload;
mod upstream;

pub use scoped_paths::{MalformedPrefix, ScopedPaths};
pub use upstream::{Upstream, UpstreamProblem};

use super::checkpoint::Checkpoint;
use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::response::Response;
use failure::Failure;
use http::Version;
use http::header::{AUTHORIZATION, HOST};
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// How a proxy behaves.
#[derive(Debug)]
pub struct ProxyConfig {
    /// The API.
    pub upstream: Upstream,
    /// Hand the access token on. Off by default: an API that does not need it cannot leak it (RFC 9700 section 4.9).
    pub forward_token: bool,
    /// Whose `X-Forwarded-*` are kept and continued; everybody else's are replaced.
    pub trusted_proxies: Vec<IpNet>,
    /// What grants must cover, by path.
    pub scoped_paths: ScopedPaths,
    /// Whether clients reach the listener by TLS: for `X-Forwarded-Proto`.
    pub tls: bool,
}

/// A reverse proxy.
pub struct Proxy {
    checkpoint: Arc<Checkpoint>,
    config: ProxyConfig,
}

impl Proxy {
    /// In front of `config.upstream`.
    pub fn new(checkpoint: Arc<Checkpoint>, config: ProxyConfig) -> Proxy {
        Proxy { checkpoint, config }
    }

    /// Answers every path; that of the announced resource itself, everything else for the upstream. Finds the client's address in the extensions, as [`ConnectInfo`].
    pub fn router(self) -> Router {
        Router::new().fallback(answer).with_state(Arc::new(self))
    }

    async fn forward(&self, mut request: Request) -> Result<Response, Failure> {
        target::check(&request)?;
        if let Some(document) = self.checkpoint.document(&request) {
            return Ok(document);
        }
        let required = self.config.scoped_paths.required(request.uri().path())?;
        let identity = self.checkpoint.check(request.headers(), &required).map_err(Failure::Challenged)?;
        self.rewrite(&mut request, identity);
        let mut response = self.config.upstream.send(request).await.inspect_err(|failure| {
            if let Some(outcome) = failure.outcome() {
                self.checkpoint.metrics().count_upstream_failure(outcome);
            }
        })?;
        headers::remove_hop_by_hop(response.headers_mut());
        *response.version_mut() = Version::HTTP_11;
        Ok(response.map(Body::new))
    }

    /// What the upstream sees beside method, target and body.
    fn rewrite(&self, request: &mut Request, identity: http::HeaderMap) {
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip().to_canonical());
        let headers = request.headers_mut();
        // First, since a client may name any header in `Connection`: ours are not there yet.
        headers::remove_hop_by_hop(headers);
        headers::set_forwarded(headers, peer, self.trusts(peer), self.config.tls);
        headers::set_identity(headers, identity);
        if !self.config.forward_token {
            headers.remove(AUTHORIZATION);
        }
        // The upstream's own is set when the request is sent.
        headers.remove(HOST);
        *request.version_mut() = Version::HTTP_11;
    }

    fn trusts(&self, peer: Option<IpAddr>) -> bool {
        peer.is_some_and(|peer| self.config.trusted_proxies.iter().any(|net| net.contains(&peer)))
    }
}

async fn answer(State(proxy): State<Arc<Proxy>>, request: Request) -> Response {
    proxy.forward(request).await.unwrap_or_else(|failure| failure.response(&proxy.checkpoint))
}
