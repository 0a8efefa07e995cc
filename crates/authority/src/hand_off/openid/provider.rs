//! What the provider says of itself (OpenID Connect Discovery 1.0) and its keys: fetched when first needed, kept, and fetched again when it
//! is old or a key is missing. A provider that is down stops sign-ins, and never the start.

use super::OpenId;
use super::back_channel::{BackAnswer, BackRequest};
use super::key_set::KeySet;
use crate::hand_off::claims::Claims;
use arc_swap::ArcSwapOption;
use keyfob_protocol::time::HOUR;
use keyfob_protocol::{Secret, Timestamp, origin};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use thiserror::Error;
use tokio::sync::Mutex;

/// Seconds that what was fetched is used without asking again.
const KEPT_FOR: i64 = HOUR;
/// Seconds between two fetches for a key that is missing: tokens with invented key ids must not make us a load on the provider.
const LEAST_INTERVAL: i64 = 60;
/// Seconds without another try after a failed one: people that come meanwhile need not wait for it.
const PAUSE_AFTER_FAILURE: i64 = 5;

/// Why the provider cannot be used. It may pass.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum ProviderProblem {
    /// No connection, no certificate, or no answer in time.
    #[error("no answer: {0}")]
    Unreachable(String),
    /// A status that says nothing about our request.
    #[error("{1} for {0}")]
    Status(&'static str, u16),
    /// An answer in no form that the specification knows.
    #[error("{0} cannot be read")]
    Unreadable(&'static str),
    /// A discovery document of somebody else (Discovery section 4.3).
    #[error("its discovery document names another issuer than the configuration")]
    OtherIssuer,
    /// It would take codes and secrets in clear.
    #[error("its {0} is not https")]
    UnsafeEndpoint(&'static str),
    /// It says so itself (RFC 6749 section 4.1.2.1).
    #[error("it says {0}")]
    SaysSo(&'static str),
}

/// What of the discovery document is used (Discovery section 3, RFC 9207 section 3).
#[derive(Debug, Deserialize)]
pub(super) struct Metadata {
    issuer: String,
    pub(super) authorization_endpoint: String,
    pub(super) token_endpoint: String,
    jwks_uri: String,
    pub(super) userinfo_endpoint: Option<String>,
    #[serde(default)]
    pub(super) authorization_response_iss_parameter_supported: bool,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

impl Metadata {
    fn check(self, issuer: &str) -> Result<Metadata, ProviderProblem> {
        if self.issuer != issuer {
            return Err(ProviderProblem::OtherIssuer);
        }
        for (name, url) in [
            ("authorization_endpoint", Some(&self.authorization_endpoint)),
            ("token_endpoint", Some(&self.token_endpoint)),
            ("jwks_uri", Some(&self.jwks_uri)),
            ("userinfo_endpoint", self.userinfo_endpoint.as_ref()),
        ] {
            if url.is_some_and(|url| !is_safe(url)) {
                return Err(ProviderProblem::UnsafeEndpoint(name));
            }
        }
        Ok(self)
    }

    /// Whether the secret goes into the body because the provider does not read it in the header (Core section 9).
    pub(super) fn wants_secret_in_body(&self) -> bool {
        let methods = self.token_endpoint_auth_methods_supported.as_deref();
        let names = |method: &str| methods.is_some_and(|methods| methods.iter().any(|known| known == method));
        names("client_secret_post") && !names("client_secret_basic")
    }
}

/// https, or http on a literal loopback address.
pub(super) fn is_safe(url: &str) -> bool {
    origin::of(url).is_some_and(|origin| origin::is_origin(&origin))
}

impl OpenId {
    /// What it says of itself.
    pub(super) async fn metadata(&self, now: Timestamp) -> Result<Arc<Metadata>, ProviderProblem> {
        let fetch = async {
            const WHAT: &str = "its discovery document";
            let issuer = &self.settings.issuer;
            let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
            self.document::<Metadata>(url, WHAT).await?.check(issuer)
        };
        self.metadata.get(now, |_| true, fetch).await
    }

    /// Its keys, fetched again where they are not `enough`, unless they were just now.
    pub(super) async fn keys(
        &self,
        metadata: &Metadata,
        now: Timestamp,
        enough: impl Fn(&KeySet) -> bool,
    ) -> Result<Arc<KeySet>, ProviderProblem> {
        self.keys.get(now, enough, self.document(metadata.jwks_uri.clone(), "its key set")).await
    }

    /// Further claims about whom this access token was given for (Core section 5.3). Whose they are is to be compared.
    pub(super) async fn user_info(&self, url: &str, token: &Secret<String>) -> Result<Claims, ProviderProblem> {
        let authorization = Some(Secret::new(format!("Bearer {}", token.expose())));
        let request = BackRequest { url: url.to_owned(), authorization, form: None };
        self.read(request, "the answer of its userinfo endpoint").await
    }

    async fn document<T: DeserializeOwned>(&self, url: String, what: &'static str) -> Result<T, ProviderProblem> {
        self.read(BackRequest { url, authorization: None, form: None }, what).await
    }

    async fn read<T: DeserializeOwned>(&self, request: BackRequest, what: &'static str) -> Result<T, ProviderProblem> {
        let BackAnswer { status, body } = self.ask(request).await?;
        match status {
            200 => serde_json::from_slice(body.expose()).map_err(|_| ProviderProblem::Unreadable(what)),
            _ => Err(ProviderProblem::Status(what, status)),
        }
    }

    /// POSTs a form to the token endpoint.
    pub(super) async fn post(
        &self,
        url: &str,
        authorization: Option<Secret<String>>,
        form: Secret<String>,
    ) -> Result<BackAnswer, ProviderProblem> {
        self.ask(BackRequest { url: url.to_owned(), authorization, form: Some(form) }).await
    }

    async fn ask(&self, request: BackRequest) -> Result<BackAnswer, ProviderProblem> {
        self.channel.send(request).await.map_err(|none| ProviderProblem::Unreachable(none.to_string()))
    }
}

/// Something of the provider's that is kept. One asks, and whoever comes meanwhile waits for that.
pub(super) struct Kept<T> {
    held: ArcSwapOption<Held<T>>,
    failed: Mutex<Option<(Timestamp, ProviderProblem)>>,
}

struct Held<T> {
    value: Arc<T>,
    fetched_at: Timestamp,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Kept { held: ArcSwapOption::empty(), failed: Mutex::new(None) }
    }
}

impl<T> Kept<T> {
    /// What was fetched last, however long ago.
    pub(super) fn held(&self) -> Option<Arc<T>> {
        self.held.load().as_ref().map(|held| held.value.clone())
    }

    async fn get(
        &self,
        now: Timestamp,
        enough: impl Fn(&T) -> bool,
        fetch: impl Future<Output = Result<T, ProviderProblem>>,
    ) -> Result<Arc<T>, ProviderProblem> {
        let usable = || {
            let held = self.held.load();
            let held = held.as_ref()?;
            let age = now.since(held.fetched_at);
            (age < LEAST_INTERVAL || (age < KEPT_FOR && enough(&held.value))).then(|| held.value.clone())
        };
        if let Some(value) = usable() {
            return Ok(value);
        }
        let mut failed = self.failed.lock().await;
        if let Some(value) = usable() {
            return Ok(value);
        }
        let problem = match failed.take().filter(|(at, _)| now.since(*at) < PAUSE_AFTER_FAILURE) {
            Some(earlier) => earlier,
            None => match fetch.await {
                Ok(value) => {
                    let value = Arc::new(value);
                    self.held.store(Some(Arc::new(Held { value: value.clone(), fetched_at: now })));
                    return Ok(value);
                }
                Err(problem) => (now, problem),
            },
        };
        let told = problem.1.clone();
        *failed = Some(problem);
        // What it said last is still what it said: a document that is down for a moment stops nobody.
        self.held().ok_or(told)
    }
}
