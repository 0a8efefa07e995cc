//! An authority by what it publishes about itself (RFC 8414), so that an integration needs nothing but its issuer.
//!
//! The document is hostile until [`SentDiscovery::read`] has passed: it must name the very issuer that was asked, and every URL in it must
//! be one that secrets may be sent to. Only what it lists is used; nothing is guessed from the issuer's host.

use crate::http::{Header, HttpRequest, HttpResponse, Method};
use crate::provider::{App, CallbackIssuer, ClientAuthentication, Pkce, Provider};
use crate::safe_url::{self, UnsafeUrl};
use crate::transport::{SendFailure, Transport};
use keyfob_protocol::{Dialect, Secret};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use url::Url;

/// Longest document that is read, in bytes. Those in use have a few thousand.
const MAX_DOCUMENT: usize = 64 * 1024;
/// Longest URL in it, in bytes.
const MAX_URL: usize = 2048;
/// The well-known path (RFC 8414 section 3).
const WELL_KNOWN: &str = "/.well-known/oauth-authorization-server";

/// What an authority says about itself, checked, as far as this client uses it. Its JSON is the document's, for a store of yours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// Who it is, byte for byte.
    pub issuer: String,
    /// Where the browser is sent.
    pub authorization_endpoint: String,
    /// Where codes and refresh tokens are sent.
    pub token_endpoint: String,
    /// Where tokens are given back (RFC 7009), where it offers that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revocation_endpoint: Option<String>,
    /// What may be asked for. The document must say it.
    pub response_types_supported: Vec<String>,
    /// `authorization_code` and `implicit` where it does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant_types_supported: Option<Vec<String>>,
    /// `client_secret_basic` where it does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_endpoint_auth_methods_supported: Option<Vec<String>>,
    /// No PKCE where it does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_challenge_methods_supported: Option<Vec<String>>,
    /// Whether the callback names the issuer (RFC 9207 section 3).
    #[serde(default)]
    pub authorization_response_iss_parameter_supported: bool,
}

/// Why an authority cannot be used by its metadata.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum DiscoveryError {
    /// The issuer is not one. The caller's error: nothing was sent.
    #[error("the issuer cannot be used: {0}")]
    Issuer(#[from] UnsafeUrl),
    /// The issuer has a query (RFC 8414 section 2). The caller's error: nothing was sent.
    #[error("an issuer has no query; write it as the authority names itself")]
    IssuerWithQuery,
    /// No answer. Worth a retry.
    #[error("the authority gave no answer: {0}")]
    NoAnswer(#[from] SendFailure),
    /// Something else than 200. A redirect counts, too: it is not followed.
    #[error("{url} was answered with status {status}, not with the metadata of RFC 8414; check the issuer")]
    Status {
        /// What was asked.
        url: String,
        /// What came.
        status: u16,
    },
    /// Longer than 64 KiB.
    #[error("the metadata is longer than {MAX_DOCUMENT} bytes")]
    TooLong,
    /// Something else than JSON, at an address that was expected to have the document.
    #[error("{url} was answered with {}, not with the metadata of RFC 8414; check the issuer", if *.is_page { "a page (HTML)" } else { "something that is not JSON" })]
    NotJson {
        /// What was asked.
        url: String,
        /// Whether it is HTML, as of a website or a proxy.
        is_page: bool,
    },
    /// JSON without a field that RFC 8414 requires, or with one of another form.
    #[error("the metadata cannot be read: {0}")]
    Unreadable(String),
    /// Another issuer speaks there (RFC 8414 section 3.3): whoever wrote the document could send codes elsewhere.
    #[error(
        "the metadata is of the issuer {found:?}, not of {asked:?}; use the issuer exactly as the authority writes it, if you trust it"
    )]
    OtherIssuer {
        /// The issuer that was asked for.
        asked: String,
        /// The issuer in the document, cut to a readable length.
        found: String,
    },
    /// An endpoint that no secret may be sent to.
    #[error("{field} in the metadata cannot be used: {problem}")]
    Endpoint {
        /// Which.
        field: &'static str,
        /// Why.
        problem: UnsafeUrl,
    },
    /// It does not list what this client needs.
    #[error("the authority does not offer {needed} ({field} in its metadata), which this client needs")]
    NotOffered {
        /// The field of the document.
        field: &'static str,
        /// What is missing from it.
        needed: &'static str,
    },
}

/// A question whose request is out.
#[derive(Debug)]
pub struct SentDiscovery {
    issuer: String,
    url: String,
}

/// The request for the metadata of `issuer`: the well-known path goes between its host and its path (RFC 8414 section 3.1).
///
/// # Errors
/// [`DiscoveryError::Issuer`] and [`DiscoveryError::IssuerWithQuery`], before anything was sent.
pub fn request(issuer: &str) -> Result<(HttpRequest, SentDiscovery), DiscoveryError> {
    let mut url: Url = safe_url::parse(issuer)?;
    if url.query().is_some() {
        return Err(DiscoveryError::IssuerWithQuery);
    }
    let path = format!("{WELL_KNOWN}{}", url.path().trim_end_matches('/'));
    url.set_path(&path);
    let request = HttpRequest {
        method: Method::Get,
        url: Secret::from(url.as_str()),
        headers: vec![Header::plain("Accept", "application/json")],
        body: Secret::new(Vec::new()),
    };
    Ok((request, SentDiscovery { issuer: issuer.to_owned(), url: url.to_string() }))
}

/// Asks an authority about itself.
///
/// # Errors
/// [`DiscoveryError`].
pub async fn discover(issuer: &str, transport: &dyn Transport) -> Result<Metadata, DiscoveryError> {
    let (request, sent) = request(issuer)?;
    sent.read(transport.send(&request).await)
}

impl SentDiscovery {
    /// Reads the document and checks it.
    ///
    /// # Errors
    /// [`DiscoveryError`].
    pub fn read(self, answer: Result<HttpResponse, SendFailure>) -> Result<Metadata, DiscoveryError> {
        let response = answer?;
        if response.status != 200 {
            return Err(DiscoveryError::Status { url: self.url, status: response.status });
        }
        if response.body.expose().len() > MAX_DOCUMENT {
            return Err(DiscoveryError::TooLong);
        }
        if response.json::<IgnoredAny>().is_err() {
            let is_page = response.body.expose().trim_ascii_start().starts_with(b"<");
            return Err(DiscoveryError::NotJson { url: self.url, is_page });
        }
        let unreadable = |error: serde_json::Error| {
            let error: String = error.to_string().chars().take(200).collect();
            DiscoveryError::Unreadable(format!("{error}; asked: {}", self.url))
        };
        let metadata: Metadata = response.json().map_err(unreadable)?;
        if metadata.issuer != self.issuer {
            let found = metadata.issuer.chars().take(200).collect();
            return Err(DiscoveryError::OtherIssuer { asked: self.issuer, found });
        }
        metadata.check_endpoints()?;
        Ok(metadata)
    }
}

impl Metadata {
    /// The authority as this app can use it, with the API at `api_base`: the document says nothing about that.
    ///
    /// # Errors
    /// [`DiscoveryError`]: an endpoint that cannot be used, or nothing on offer that this app can use.
    pub fn provider(&self, app: &App, api_base: &str) -> Result<Provider, DiscoveryError> {
        // Again, since a stored document may have been changed.
        self.check_endpoints()?;
        let offers = |list: &Option<Vec<String>>, name: &str| list.iter().flatten().any(|offered| offered == name);
        if !self.response_types_supported.iter().any(|offered| offered == "code") {
            return Err(DiscoveryError::NotOffered { field: "response_types_supported", needed: "code" });
        }
        if self.grant_types_supported.is_some() && !offers(&self.grant_types_supported, "authorization_code") {
            return Err(DiscoveryError::NotOffered { field: "grant_types_supported", needed: "authorization_code" });
        }
        let methods = &self.token_endpoint_auth_methods_supported;
        let authentication = match &app.client_secret {
            // Not every authority that knows public clients lists `none`; one that does not will say so itself.
            None => ClientAuthentication::Basic,
            Some(_) if methods.is_none() || offers(methods, "client_secret_basic") => ClientAuthentication::Basic,
            Some(_) if offers(methods, "client_secret_post") => ClientAuthentication::Post,
            Some(_) => {
                return Err(DiscoveryError::NotOffered {
                    field: "token_endpoint_auth_methods_supported",
                    needed: "client_secret_basic or client_secret_post",
                });
            }
        };
        let pkce = match offers(&self.code_challenge_methods_supported, "S256") {
            true => Pkce::Always,
            false => Pkce::Never,
        };
        let issuer = match self.authorization_response_iss_parameter_supported {
            true => CallbackIssuer::Required(self.issuer.clone()),
            false => CallbackIssuer::IfPresent(self.issuer.clone()),
        };
        let provider = Provider::new(&self.authorization_endpoint, &self.token_endpoint, api_base, Dialect::OAuth)?
            .with_pkce(pkce)
            .authenticating_by(authentication)
            .expecting_issuer(issuer);
        match &self.revocation_endpoint {
            Some(revocation) => Ok(provider.revoking_at(revocation)?),
            None => Ok(provider),
        }
    }

    fn check_endpoints(&self) -> Result<(), DiscoveryError> {
        let endpoints = [
            ("authorization_endpoint", Some(&self.authorization_endpoint)),
            ("token_endpoint", Some(&self.token_endpoint)),
            ("revocation_endpoint", self.revocation_endpoint.as_ref()),
        ];
        for (field, url) in endpoints {
            let Some(url) = url else { continue };
            if url.len() > MAX_URL {
                return Err(DiscoveryError::Unreadable(format!("{field} is longer than {MAX_URL} bytes")));
            }
            safe_url::parse(url).map_err(|problem| DiscoveryError::Endpoint { field, problem })?;
        }
        Ok(())
    }
}
