//! The API behind the proxy: a pool of connections, and how long it may take.
//!
//! The target goes up as it came, byte for byte. Nothing is sent twice, except on a kept connection that turned out to be closed before
//! anything was written.

use super::failure::Failure;
use super::upload::Upload;
use axum::extract::Request;
use axum::response::Response;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{StatusCode, Uri};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::time::timeout;

/// To open a connection.
const CONNECT_TIME: Duration = Duration::from_secs(5);
/// To begin an answer, counted from the last piece of the request that could be sent.
const HEAD_TIME: Duration = Duration::from_secs(60);
/// A connection is kept for this long. Shorter than what common servers wait (5 s and more), so that few requests meet one just closed.
const IDLE_TIME: Duration = Duration::from_secs(4);

/// Why an upstream cannot be used. The operator's error.
#[derive(Debug, Error)]
pub enum UpstreamProblem {
    /// Not `http://` or `https://`, a host and perhaps a port.
    #[error("it must be like http://127.0.0.1:8000, without a path")]
    Malformed,
    /// No certificate authorities are installed to check its certificate with.
    #[error("this machine has no certificate authorities; on Debian, install ca-certificates")]
    NoRoots,
    /// The TLS library refuses to start.
    #[error("TLS cannot start: {0}")]
    Tls(#[from] rustls::Error),
}

/// An upstream.
pub struct Upstream {
    scheme: Scheme,
    authority: Authority,
    client: Client<HttpsConnector<HttpConnector>, Upload>,
    head_time: Duration,
}

/// Its URL.
impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.authority)
    }
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Upstream({self})")
    }
}

impl Upstream {
    /// The API at this URL; its certificate is checked with the authorities of this machine.
    ///
    /// # Errors
    /// [`UpstreamProblem`].
    pub fn new(url: &str) -> Result<Upstream, UpstreamProblem> {
        let parts = url.parse::<Uri>().map_err(|_| UpstreamProblem::Malformed)?.into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else {
            return Err(UpstreamProblem::Malformed);
        };
        let bare = parts.path_and_query.is_none_or(|path| path == "/") && !authority.as_str().contains('@');
        if !bare || !(scheme == Scheme::HTTP || scheme == Scheme::HTTPS) {
            return Err(UpstreamProblem::Malformed);
        }
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT_TIME));
        connector.set_nodelay(true);
        // The scheme is looked at by the layer above.
        connector.enforce_http(false);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls(scheme == Scheme::HTTPS)?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIME)
            .build(connector);
        Ok(Upstream { scheme, authority, client, head_time: HEAD_TIME })
    }

    /// Gives it this long to begin an answer, instead of 60 s.
    #[must_use]
    pub fn with_head_time(self, head_time: Duration) -> Upstream {
        Upstream { head_time, ..self }
    }

    /// Sends a request that passed.
    pub(super) async fn send(&self, request: Request) -> Result<Response<Incoming>, Failure> {
        let (mut head, body) = request.into_parts();
        let target = head.uri.into_parts().path_and_query.unwrap_or_else(|| PathAndQuery::from_static("/"));
        let uri = Uri::builder().scheme(self.scheme.clone()).authority(self.authority.clone()).path_and_query(target);
        head.uri = uri.build().map_err(|_| Failure::Ambiguous("its target cannot be forwarded"))?;
        head.extensions.clear();
        let (upload, progress) = Upload::new(body);
        let mut answer = pin!(self.client.request(Request::from_parts(head, upload)));
        loop {
            let before = progress.frames();
            match timeout(self.head_time, &mut answer).await {
                Ok(Ok(response)) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
                    tracing::warn!("the upstream switches protocols without being asked to");
                    return Err(Failure::Broken);
                }
                Ok(Ok(response)) => return Ok(response),
                Ok(Err(error)) => return Err(failed(error)),
                Err(_) if progress.frames() != before => {}
                Err(_) if progress.waits_for_client() => return Err(Failure::SlowClient),
                Err(_) => {
                    tracing::warn!("the upstream did not begin its answer in time");
                    return Err(Failure::TimedOut);
                }
            }
        }
    }
}

fn failed(error: Error) -> Failure {
    let told = chain(&error);
    tracing::warn!(error = told, "the upstream cannot be reached or broke off");
    if error.is_connect() && timed_out(&error) { Failure::TimedOut } else { Failure::Broken }
}

fn timed_out(error: &(dyn std::error::Error + 'static)) -> bool {
    let io = error.downcast_ref::<std::io::Error>();
    io.is_some_and(|io| io.kind() == std::io::ErrorKind::TimedOut) || error.source().is_some_and(timed_out)
}

/// The error and what caused it, outermost first.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// For a plain upstream without roots, so that a machine without certificate authorities will do.
fn tls(needed: bool) -> Result<ClientConfig, UpstreamProblem> {
    let mut roots = RootCertStore::empty();
    if needed {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            return Err(UpstreamProblem::NoRoots);
        }
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}
