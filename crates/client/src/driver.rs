//! The transport for real use: reqwest, without redirects, retries or proxies, with certificates checked.
//!
//! Not configurable into anything weaker: a redirect is an answer like any other, so credentials cannot follow it to another
//! host (matrix CL-04, RFC 9700 section 4.11), and there is no switch that skips the certificate check.

use crate::http::{Header, HttpRequest, HttpResponse, Method};
use crate::safe_url;
use crate::transport::{SendFailure, Transport};
use async_trait::async_trait;
use keyfob_protocol::Secret;
use reqwest::redirect::Policy;
use std::error::Error as _;
use std::time::Duration;
use thiserror::Error;

/// Time to open a connection, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Time from the first byte sent to the last byte received.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest body that is read. Token replies are below 10 KiB and a page of 100 people below 1 MiB.
const MAX_BODY: usize = 8 * 1024 * 1024;

/// The driver cannot start.
#[derive(Debug, Error)]
pub enum DriverError {
    /// A certificate that was handed in is not one.
    #[error("a certificate is not well-formed PEM: {0}")]
    Certificate(String),
    /// Mostly: this machine has no certificate authorities installed.
    #[error("the HTTP client could not be built: {0}; on Debian, install ca-certificates")]
    Build(String),
}

/// Sends over HTTP/1.1 and keeps connections alive. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Driver {
    client: reqwest::Client,
    max_body: usize,
}

impl Driver {
    /// Trusts the certificate authorities of this machine.
    ///
    /// # Errors
    /// [`DriverError::Build`] where there are none.
    pub fn new() -> Result<Driver, DriverError> {
        Driver::build(builder())
    }

    /// Trusts the machine's certificate authorities and those in `pem` as well: for a private authority.
    ///
    /// # Errors
    /// [`DriverError`].
    pub fn trusting_also(pem: &[u8]) -> Result<Driver, DriverError> {
        let certificates =
            reqwest::Certificate::from_pem_bundle(pem).map_err(|error| DriverError::Certificate(chain(&error)))?;
        Driver::build(builder().tls_certs_merge(certificates))
    }

    /// Trusts no certificate authority at all, so that only `http://` on loopback can be reached: for a sandbox, also on a machine
    /// without certificates.
    ///
    /// # Errors
    /// [`DriverError::Build`].
    pub fn loopback_only() -> Result<Driver, DriverError> {
        Driver::build(builder().tls_certs_only([]))
    }

    fn build(builder: reqwest::ClientBuilder) -> Result<Driver, DriverError> {
        let client = builder.build().map_err(|error| DriverError::Build(chain(&error)))?;
        Ok(Driver { client, max_body: MAX_BODY })
    }

    /// Reads bodies of so many bytes at most, instead of 8 MiB.
    #[must_use]
    pub fn reading_at_most(self, max_body: usize) -> Driver {
        Driver { max_body, ..self }
    }
}

fn builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .redirect(Policy::none())
        .retry(reqwest::retry::never())
        // A proxy from the environment would see loopback requests, credentials included.
        .no_proxy()
        .referer(false)
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(TOTAL_TIMEOUT)
}

#[async_trait]
impl Transport for Driver {
    async fn send(&self, request: &HttpRequest) -> Result<HttpResponse, SendFailure> {
        let url = safe_url::parse(request.url.expose())?;
        let method = match request.method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
            Method::Put => reqwest::Method::PUT,
            Method::Patch => reqwest::Method::PATCH,
            Method::Delete => reqwest::Method::DELETE,
        };
        let mut building = self.client.request(method, url);
        for header in &request.headers {
            building = building.header(header.name.as_str(), header.value.expose());
        }
        if !request.body.expose().is_empty() {
            building = building.body(request.body.expose().clone());
        }
        let mut response = building.send().await.map_err(failure)?;
        let headers = response.headers().iter();
        let headers =
            headers.map(|(name, value)| Header::received(name.as_str(), &String::from_utf8_lossy(value.as_bytes())));
        let (status, headers) = (response.status().as_u16(), headers.collect());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failure)? {
            if body.len() + chunk.len() > self.max_body {
                let longest = self.max_body;
                return Err(SendFailure::Unanswered(format!("the answer is longer than {longest} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(HttpResponse { status, headers, body: Secret::new(body) })
    }
}

/// Before the connection stood, or after: the difference decides whether a code may be sent again.
fn failure(error: reqwest::Error) -> SendFailure {
    let error = error.without_url();
    let text = chain(&error);
    if error.is_connect() || error.is_builder() { SendFailure::NotSent(text) } else { SendFailure::Unanswered(text) }
}

/// The error and what caused it, outermost first.
fn chain(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
