//! What one client did and got, as the wire saw it, and the words for it in the table.

use axum::http::Method;
use axum::http::request::Parts;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use keyfob_protocol::form::{self, Form};
use serde_json::Value;
use std::collections::BTreeSet;

/// The steps of one client, in order.
#[derive(Debug, Clone, Default)]
pub(super) struct Story {
    pub(super) steps: Vec<Step>,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// The authorize request, and whether it had a challenge and a scope.
    Asked { response_type: String, challenge: bool, scope: Option<String> },
    /// Where the browser ended: the query of the callback.
    Landed(String),
    /// A request of the token endpoint that granted tokens.
    Granted { how: Sent, refresh: bool },
    /// One of the token endpoint that did not: status and error code.
    Refused { status: u16, error: String },
    /// A call with a token of this client: the status.
    Called(u16),
    /// RFC 7009: the status.
    Revoked(u16),
}

/// How a token request travelled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sent {
    method: String,
    credentials: Credentials,
    /// Whether the state went along.
    state: bool,
}

/// How the client said who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Credentials {
    /// The secret of a Basic header, as it stood there.
    Basic(String),
    Body,
    None,
}

/// A request and its answer.
pub(super) struct Request<'r> {
    pub(super) parts: &'r Parts,
    pub(super) body: &'r [u8],
    pub(super) status: u16,
    pub(super) answer: &'r [u8],
}

impl Request<'_> {
    /// Whose step it is, and which.
    pub(super) fn step(&self) -> Option<(String, Step)> {
        let query = self.parts.uri.query().unwrap_or_default();
        match self.parts.uri.path() {
            "/oauth/authorize" => {
                let form = Form::parse(query.as_bytes()).ok()?;
                let one = |name| form.one(name).ok().flatten().map(str::to_owned);
                let scope = form.pairs().find(|(name, _)| *name == "scope").map(|(_, value)| value.to_owned());
                let challenge = form.names("code_challenge");
                Some((one("client_id")?, Step::Asked { response_type: one("response_type")?, challenge, scope }))
            }
            "/oauth/token" => self.token(if self.parts.method == Method::GET { query.as_bytes() } else { self.body }),
            "/oauth/revoke" => Some((self.client(&Form::parse(self.body).ok()?)?.0, Step::Revoked(self.status))),
            path if path.starts_with("/v1/") => {
                let token = self.authorization()?.strip_prefix("Bearer ")?;
                let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
                let claims: Value = serde_json::from_slice(&claims).ok()?;
                Some((claims["client_id"].as_str()?.to_owned(), Step::Called(self.status)))
            }
            _ => None,
        }
    }

    fn authorization(&self) -> Option<&str> {
        self.parts.headers.get("authorization")?.to_str().ok()
    }

    fn client(&self, form: &Form<'_>) -> Option<(String, Credentials)> {
        if let Some(basic) = self.authorization() {
            let joined = STANDARD.decode(basic.strip_prefix("Basic ")?).ok()?;
            let (id, secret) = std::str::from_utf8(&joined).ok()?.split_once(':')?;
            return Some((id.to_owned(), Credentials::Basic(secret.to_owned())));
        }
        let credentials = if form.names("client_secret") { Credentials::Body } else { Credentials::None };
        Some((form.one("client_id").ok()??.to_owned(), credentials))
    }

    fn token(&self, form: &[u8]) -> Option<(String, Step)> {
        let form = Form::parse(form).ok()?;
        let (client_id, credentials) = self.client(&form)?;
        let answer: Value = serde_json::from_slice(self.answer).unwrap_or_default();
        let step = match self.status {
            200 => {
                let how = Sent { method: self.parts.method.to_string(), credentials, state: form.names("state") };
                Step::Granted { how, refresh: form.names("refresh_token") }
            }
            status => {
                let error = answer["error"].as_str().or(answer["errorCode"].as_str()).unwrap_or_default().to_owned();
                Step::Refused { status, error }
            }
        };
        Some((client_id, step))
    }
}

impl Sent {
    /// In words; the secret that the client was given tells raw from form-encoded.
    fn words(&self, secret: Option<&str>) -> String {
        let credentials = match &self.credentials {
            Credentials::Basic(sent) if Some(sent.as_str()) == secret => "Basic, raw",
            Credentials::Basic(sent) if form::decode(sent.as_bytes()).ok().as_deref() == secret => {
                "Basic, form-encoded"
            }
            Credentials::Basic(_) => "Basic, otherwise",
            Credentials::Body => "secret in the body",
            Credentials::None => "no secret",
        };
        format!("`{}` ({credentials}{})", self.method, if self.state { ", with `state`" } else { "" })
    }
}

impl Story {
    /// What it sent, each way once.
    pub(super) fn settings(&self, secret: Option<&str>) -> String {
        let asked = self.steps.iter().filter_map(|step| match step {
            Step::Asked { response_type, challenge, scope } => {
                let scope = scope.as_ref().map(|scope| format!(", `scope={scope}`")).unwrap_or_default();
                Some(format!("`response_type={response_type}`{scope}, {}PKCE", if *challenge { "" } else { "no " }))
            }
            _ => None,
        });
        let ways = |refreshes: bool| {
            let granted = self.steps.iter().filter_map(move |step| match step {
                Step::Granted { how, refresh } if *refresh == refreshes => Some(how.words(secret)),
                _ => None,
            });
            granted.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(" and ")
        };
        let asked = asked.collect::<BTreeSet<String>>().into_iter().collect::<Vec<_>>().join(" and ");
        format!("{asked}; exchange {}; refresh {}", ways(false), ways(true))
    }

    /// The dialect of its authorize requests.
    pub(super) fn dialect(&self) -> String {
        let dialects = self.steps.iter().filter_map(|step| match step {
            Step::Asked { response_type, .. } if response_type == "auth_code" => Some("followupboss"),
            Step::Asked { .. } => Some("oauth"),
            _ => None,
        });
        dialects.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(" and ")
    }

    /// What came of it, step by step.
    pub(super) fn result(&self) -> String {
        self.steps.iter().filter_map(Step::words).collect::<Vec<_>>().join(", ")
    }
}

impl Step {
    fn words(&self) -> Option<String> {
        Some(match self {
            Step::Asked { .. } => return None,
            Step::Landed(query) => {
                let form = Form::parse(query.as_bytes()).expect("a query of ours");
                let one = |name| form.one(name).expect("once");
                match (one("response"), one("error"), one("code")) {
                    (Some("denied"), None, None) => "`response=denied`".to_owned(),
                    (None, Some(error), None) => format!("`error={error}`"),
                    (Some("approved"), None, Some(_)) => "`response=approved`".to_owned(),
                    (None, None, Some(_)) => "`code`".to_owned(),
                    _ => panic!("a callback of no dialect"),
                }
            }
            Step::Granted { refresh: false, .. } => "tokens".to_owned(),
            Step::Granted { refresh: true, .. } => "refreshed".to_owned(),
            Step::Refused { status, error } => format!("`{status} {error}`"),
            Step::Called(200) => "called".to_owned(),
            Step::Called(status) => format!("called: {status}"),
            Step::Revoked(200) => "revoked".to_owned(),
            Step::Revoked(status) => format!("revoked: {status}"),
        })
    }
}
