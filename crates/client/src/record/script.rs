//! The one who asks: sends what the probes say, reads what comes, and writes both down redacted.
//!
//! Requests are put together here and not by the library's own steps, since half of them are wrong on purpose.

use super::probes;
use super::question::{PROBES, Probe};
use super::redaction::{Redaction, error_word};
use super::transcript::{AnswerShape, Recorded, RequestShape, Step, Transcript};
use crate::http::{Header, HttpRequest, HttpResponse, Method};
use crate::provider::{App, Pkce, Provider};
use crate::token_request::with_query;
use crate::transport::{SendFailure, Surroundings};
use async_trait::async_trait;
use keyfob_protocol::form::{self, Form};
use keyfob_protocol::pkce::CodeVerifier;
use keyfob_protocol::{Dialect, EntropyFailed, Secret, Timestamp, base62, basic, entropy};
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;

/// What the user is to decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// To let the app in.
    Approve,
    /// To send it away.
    Decline,
}

/// A decision that the script needs.
#[derive(Debug)]
pub struct Asked {
    /// Where the user is sent.
    pub url: Secret<String>,
    /// What they are to decide.
    pub choice: Choice,
}

/// What became of it.
#[derive(Debug)]
pub enum Callback {
    /// The query that came to the redirect URI.
    Query(Secret<String>),
    /// The authority showed an error page and sent nobody back.
    NoReturn,
    /// Nobody is there to decide any more.
    GivenUp,
}

/// Whoever takes the user to the authority and brings the callback.
#[async_trait]
pub trait Consent: Send + Sync {
    /// Has the user decide.
    async fn decide(&self, asked: Asked) -> Callback;
}

/// Whoever is told what is going on. The texts hold no secret.
pub trait Telling: Send + Sync {
    /// A probe begins; it says what it will send.
    fn begins(&self, probe: &Probe);
    /// A wait begins.
    fn waits(&self, seconds: u32);
}

/// A finished recording.
#[derive(Debug)]
pub struct Recording {
    /// What can be shown to anybody.
    pub transcript: Transcript,
    /// Keys that came and are on no list, so that the transcript shows a label for them. They may be anything: for the terminal only.
    pub unlisted_keys: BTreeSet<String>,
}

/// Why a probe came to no end. The texts stand in the transcript.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stopped {
    NotSent,
    NoAnswer,
    NoReturn,
    NoCode,
    NoTokens,
    NoRefreshToken,
    GivenUp,
    NoRandomness,
    NotAsked,
    NoSystem,
    NoSecret,
}

impl Stopped {
    fn text(self) -> &'static str {
        match self {
            Stopped::NotSent => "a request could not be sent",
            Stopped::NoAnswer => "a request got no answer",
            Stopped::NoReturn => "the authority showed an error page instead of the callback",
            Stopped::NoCode => "the callback carried no code",
            Stopped::NoTokens => "the exchange gave no tokens",
            Stopped::NoRefreshToken => "there is no refresh token",
            Stopped::GivenUp => "nobody decided",
            Stopped::NoRandomness => "no randomness",
            Stopped::NotAsked => "not asked",
            Stopped::NoSystem => "needs a system's name and key",
            Stopped::NoSecret => "needs an app with a secret",
        }
    }
}

impl From<SendFailure> for Stopped {
    fn from(failure: SendFailure) -> Stopped {
        match failure {
            SendFailure::Unanswered(_) => Stopped::NoAnswer,
            SendFailure::Refused(_) | SendFailure::NotSent(_) => Stopped::NotSent,
        }
    }
}

impl From<EntropyFailed> for Stopped {
    fn from(_: EntropyFailed) -> Stopped {
        Stopped::NoRandomness
    }
}

/// A token reply that was read, in either shape.
pub(super) struct Tokens {
    pub(super) access: Secret<String>,
    pub(super) refresh: Option<Secret<String>>,
}

/// An answer and its redacted form.
pub(super) struct Reply {
    pub(super) response: HttpResponse,
    pub(super) shape: AnswerShape,
}

/// What the user brought back, and what belongs to it.
pub(super) struct Consented {
    pub(super) parameters: Vec<(String, Secret<String>)>,
    pub(super) state: String,
    verifier: Option<CodeVerifier>,
}

/// How a request to the token endpoint travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    Post,
    Get,
}

/// The script at work.
pub(super) struct Script<'r> {
    pub(super) provider: &'r Provider,
    pub(super) app: &'r App,
    pub(super) outside: &'r Surroundings,
    consent: &'r dyn Consent,
    telling: &'r dyn Telling,
    redaction: Redaction,
    transcript: Transcript,
    steps: Vec<Step>,
    started: Timestamp,
}

/// Asks what `chosen` says of `app` at the authority, in the order of [`PROBES`]. A probe that fails leaves its questions open, and the others
/// go on; where nobody decides any more, those that need nobody still run.
pub async fn record(
    (provider, app): (&Provider, &App),
    outside: &Surroundings,
    (consent, telling): (&dyn Consent, &dyn Telling),
    chosen: impl Fn(&Probe) -> bool,
) -> Recording {
    let started = outside.clock.now();
    let day = started.to_utc().chars().take(10).collect();
    let transcript = Transcript::new(day);
    let (redaction, steps) = Default::default();
    let mut script = Script { provider, app, outside, consent, telling, redaction, transcript, steps, started };
    let mut given_up = false;
    for probe in PROBES {
        let ended = if !chosen(probe) {
            Err(Stopped::NotAsked)
        } else if given_up && probe.demand.consents > 0 {
            Err(Stopped::GivenUp)
        } else {
            telling.begins(probe);
            probes::run(probe, &mut script).await
        };
        given_up |= ended == Err(Stopped::GivenUp);
        script.close(probe, ended);
    }
    Recording { transcript: script.transcript, unlisted_keys: script.redaction.unlisted }
}

impl Script<'_> {
    /// Writes an answer down.
    pub(super) fn answer(&mut self, question: &str, answer: impl Into<Value>) {
        self.transcript.answers.insert(question.to_owned(), answer.into());
    }

    fn close(&mut self, probe: &Probe, ended: Result<(), Stopped>) {
        let why = ended.err().unwrap_or(Stopped::NotAsked).text();
        for question in probe.questions {
            if !self.transcript.answers.contains_key(question.id) {
                self.transcript.unanswered.insert(question.id.to_owned(), why.to_owned());
            }
        }
        let steps = std::mem::take(&mut self.steps);
        if !steps.is_empty() {
            self.transcript.probes.push(Recorded { probe: probe.id.to_owned(), steps });
        }
    }

    /// Waits, and says so.
    pub(super) async fn wait(&self, seconds: u32) {
        self.telling.waits(seconds);
        self.outside.pause.pause(Duration::from_secs(seconds.into())).await;
    }

    /// Something that nobody issued.
    pub(super) fn made_up(&self) -> Result<String, Stopped> {
        Ok(base62::encode(&entropy::random::<32>(self.outside.entropy.as_ref())?))
    }

    /// The `Authorization` of the app; an app without a secret names itself in the parameters instead.
    pub(super) fn own_credentials(&self) -> Option<Secret<String>> {
        self.app.client_secret.as_ref().map(|secret| basic::header(&self.app.client_id, secret))
    }

    /// Has the user decide about an ordinary authorize request.
    pub(super) async fn consented(&mut self) -> Result<Consented, Stopped> {
        let response_type = match self.provider.dialect() {
            Dialect::FollowUpBoss => "auth_code",
            Dialect::OAuth => "code",
        };
        self.decided(response_type, Choice::Approve).await
    }

    /// Has the user decide.
    pub(super) async fn decided(&mut self, response_type: &str, choice: Choice) -> Result<Consented, Stopped> {
        let state = self.made_up()?;
        let verifier = match self.provider.pkce_for(self.app) {
            Pkce::Always => Some(CodeVerifier::generate(self.outside.entropy.as_ref())?),
            Pkce::Never => None,
        };
        let challenge = verifier.as_ref().map(|verifier| verifier.challenge().to_text());
        let mut pairs = vec![
            ("response_type", response_type),
            ("client_id", &self.app.client_id),
            ("redirect_uri", &self.app.redirect_uri),
            ("state", &state),
        ];
        if let Some(challenge) = &challenge {
            pairs.extend([("code_challenge", challenge.as_str()), ("code_challenge_method", "S256")]);
        }
        let url = with_query(self.provider.authorize_endpoint(), &form::encode(pairs.iter().copied()));
        let parameters = pairs.iter().map(|(name, value)| self.redaction.parameter(name, value)).collect();
        let request = RequestShape {
            method: "GET".to_owned(),
            path: "authorize endpoint".to_owned(),
            headers: Vec::new(),
            parameters,
        };
        let came = self.consent.decide(Asked { url: Secret::new(url), choice }).await;
        let query = match &came {
            Callback::Query(query) => Some(query.expose().as_str()),
            Callback::NoReturn => None,
            Callback::GivenUp => return Err(Stopped::GivenUp),
        };
        let parameters: Option<Vec<(String, Secret<String>)>> =
            query.map(|query| match Form::parse(query.as_bytes()) {
                Ok(form) => form.pairs().map(|(name, value)| (name.to_owned(), Secret::from(value))).collect(),
                Err(_) => Vec::new(),
            });
        let callback = parameters.as_ref().map(|parameters| {
            parameters.iter().map(|(name, value)| self.redaction.parameter(name, value.expose())).collect()
        });
        let what = match choice {
            Choice::Approve => "a user approves",
            Choice::Decline => "a user declines",
        };
        let step = Step { what: what.to_owned(), at: self.seconds(), request, answer: None, callback };
        self.steps.push(step);
        Ok(Consented { parameters: parameters.ok_or(Stopped::NoReturn)?, state, verifier })
    }

    /// Sends a code of this consent, right in everything but what `change` makes wrong.
    pub(super) async fn exchange(
        &mut self,
        what: &str,
        by: By,
        consented: &Consented,
        change: impl FnOnce(&mut Vec<(&'static str, String)>),
    ) -> Result<Reply, Stopped> {
        let code = consented.parameter("code").ok_or(Stopped::NoCode)?;
        let grant_type = match by {
            By::Post => "authorization_code",
            By::Get => "auth_code",
        };
        let mut fields = vec![
            ("grant_type", grant_type.to_owned()),
            ("code", code.to_owned()),
            ("redirect_uri", self.app.redirect_uri.clone()),
            ("state", consented.state.clone()),
        ];
        if let Some(verifier) = &consented.verifier {
            fields.push(("code_verifier", verifier.expose().to_owned()));
        }
        change(&mut fields);
        let credentials = self.own_credentials();
        self.token(what, by, credentials, fields).await
    }

    /// A connection by POST, as the library would make it.
    pub(super) async fn connected(&mut self) -> Result<Tokens, Stopped> {
        let consented = self.consented().await?;
        let reply = self.exchange("the code", By::Post, &consented, |_| ()).await?;
        reply.tokens().ok_or(Stopped::NoTokens)
    }

    /// Sends a refresh token.
    pub(super) async fn refresh(&mut self, what: &str, by: By, token: &Secret<String>) -> Result<Reply, Stopped> {
        let fields = vec![("grant_type", "refresh_token".to_owned()), ("refresh_token", token.expose().clone())];
        let credentials = self.own_credentials();
        self.token(what, by, credentials, fields).await
    }

    /// Sends anything to the token endpoint.
    pub(super) async fn token(
        &mut self,
        what: &str,
        by: By,
        credentials: Option<Secret<String>>,
        mut fields: Vec<(&'static str, String)>,
    ) -> Result<Reply, Stopped> {
        if self.app.client_secret.is_none() {
            fields.push(("client_id", self.app.client_id.clone()));
        }
        let pairs: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let form = form::encode(pairs.iter().copied());
        let mut headers = vec![Header::plain("Accept", "application/json")];
        headers.extend(credentials.map(|credentials| Header::secret("Authorization", credentials)));
        let endpoint = self.provider.token_endpoint();
        let request = match by {
            By::Get => HttpRequest {
                method: Method::Get,
                url: Secret::new(with_query(endpoint, &form)),
                headers,
                body: Secret::new(Vec::new()),
            },
            By::Post => {
                headers.push(Header::plain("Content-Type", "application/x-www-form-urlencoded"));
                HttpRequest {
                    method: Method::Post,
                    url: Secret::from(endpoint.as_str()),
                    headers,
                    body: Secret::new(form.into_bytes()),
                }
            }
        };
        self.send(what, "token endpoint", request, &pairs).await
    }

    /// Calls the API; `path` is relative to its base. System headers go along where there is a system.
    pub(super) async fn call(
        &mut self,
        what: &str,
        (method, path): (Method, &str),
        credentials: Option<Secret<String>>,
    ) -> Result<Reply, Stopped> {
        let mut headers = vec![Header::plain("Accept", "application/json")];
        headers.extend(credentials.map(|credentials| Header::secret("Authorization", credentials)));
        if let Some(system) = self.provider.system() {
            headers.push(Header::plain("X-System", system.name()));
            headers.push(Header::secret("X-System-Key", system.key().clone()));
        }
        // The base ends in `/`, and every path of the script is a plain relative one.
        let url = Secret::new(format!("{}{path}", self.provider.api_base()));
        let request = HttpRequest { method, url, headers, body: Secret::new(Vec::new()) };
        self.send(what, path, request, &[]).await
    }

    async fn send(
        &mut self,
        what: &str,
        path: &str,
        request: HttpRequest,
        parameters: &[(&str, &str)],
    ) -> Result<Reply, Stopped> {
        let at = self.seconds();
        let answer = self.outside.transport.send(&request).await;
        let request = self.redaction.request(path, &request, parameters);
        let shape = answer.as_ref().ok().map(|response| self.redaction.answer(response));
        let step = Step { what: what.to_owned(), at, request, answer: shape.clone(), callback: None };
        self.steps.push(step);
        match (answer, shape) {
            (Ok(response), Some(shape)) => Ok(Reply { response, shape }),
            (Err(failure), _) => Err(failure.into()),
            (Ok(_), None) => Err(Stopped::NoAnswer),
        }
    }

    fn seconds(&self) -> i64 {
        (self.outside.clock.now().since(self.started) + 5) / 10 * 10
    }
}

impl Consented {
    /// The value of a parameter of the callback.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(found, _)| found == name).map(|(_, value)| value.expose().as_str())
    }
}

impl Reply {
    /// The tokens, if these are any.
    pub(super) fn tokens(&self) -> Option<Tokens> {
        let body: Value = self.response.json().ok()?;
        let text = |name: &str| [&body, &body["data"]].into_iter().find_map(|at| at[name].as_str()).map(Secret::from);
        Some(Tokens { access: text("access_token")?, refresh: text("refresh_token") })
    }

    /// Status and meaning in one line, such as `400 invalid_grant`.
    pub(super) fn outcome(&self) -> String {
        let body: Value = self.response.json().unwrap_or_default();
        let error = ["error", "errorCode"].into_iter().find_map(|name| body[name].as_str());
        let meaning = match (self.tokens(), error) {
            (Some(_), _) => "tokens",
            (None, Some(error)) => error_word(error),
            (None, None) if self.response.is_success() => "done",
            (None, None) => "no error code",
        };
        format!("{} {meaning}", self.response.status)
    }
}

/// `Authorization: Bearer`.
pub(super) fn bearer(token: &Secret<String>) -> Option<Secret<String>> {
    Some(Secret::new(format!("Bearer {}", token.expose())))
}
