//! One attempt to connect: the URL to send the user to, and what must be remembered until the answer comes back.
//!
//! The way is one-directional and each stage is a type: [`Attempt::begin`] gives a [`PendingAttempt`], the callback turns it into a
//! [`ReadyExchange`], and that is the only thing that can be exchanged. So a code cannot be sent without the state of its request,
//! to another authority, or from another browser session. The callback's query is hostile until `accept` has passed.

use crate::exchange::ReadyExchange;
use crate::provider::{App, CallbackIssuer, ClientAuthentication, Pkce, Provider, UnansweredExchange};
use crate::safe_url::{self, UnsafeUrl};
use crate::token_request::with_query;
use aws_lc_rs::{constant_time, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keyfob_protocol::callback::{self, Callback, CallbackError};
use keyfob_protocol::form::{Form, encode};
use keyfob_protocol::pkce::CodeVerifier;
use keyfob_protocol::time::MINUTE;
use keyfob_protocol::token_request::ReplyShape;
use keyfob_protocol::{Entropy, EntropyFailed, Secret, Timestamp, entropy};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Seconds from the beginning of an attempt to the last moment its callback is accepted (matrix CL-01).
pub const ATTEMPT_LIFETIME: i64 = 15 * MINUTE;

/// What ties an attempt to one browser: any value that only this browser presents, such as its session cookie. Kept as a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BrowserSession([u8; 32]);

impl BrowserSession {
    /// From the session's value. It should hold 128 random bits or more, like any session cookie.
    pub fn from_value(value: &str) -> BrowserSession {
        BrowserSession(sha256(value.as_bytes()))
    }
}

/// What to ask for beside the standard.
#[derive(Clone, Debug, Default)]
pub struct AuthorizeOptions {
    /// Force a new sign-in, also where the browser has a session.
    pub prompt: Prompt,
    /// A narrower scope than the app's default. Not every authority knows scopes.
    pub scope: Option<String>,
}

/// Whether the user has to sign in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Prompt {
    /// If there is no session.
    #[default]
    IfNeeded,
    /// Always: `prompt=login`.
    Login,
}

/// An attempt that has begun.
#[derive(Debug)]
pub struct Attempt {
    /// Where to send the browser. Holds the state: not for logs.
    pub url: Secret<String>,
    /// What to keep until the callback, in an [`crate::AttemptStore`] or a store of yours.
    pub pending: PendingAttempt,
}

impl Attempt {
    /// Begins an attempt with the default options.
    ///
    /// # Errors
    /// [`EntropyFailed`]; nothing was sent or kept.
    pub fn begin(
        provider: &Provider,
        app: &App,
        session: BrowserSession,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<Attempt, EntropyFailed> {
        Attempt::begin_with(&AuthorizeOptions::default(), provider, app, session, now, entropy)
    }

    /// Begins an attempt.
    ///
    /// # Errors
    /// [`EntropyFailed`]; nothing was sent or kept.
    pub fn begin_with(
        options: &AuthorizeOptions,
        provider: &Provider,
        app: &App,
        session: BrowserSession,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<Attempt, EntropyFailed> {
        let state = URL_SAFE_NO_PAD.encode(entropy::random::<32>(entropy)?);
        let verifier = match provider.pkce_for(app) {
            Pkce::Always => Some(CodeVerifier::generate(entropy)?),
            Pkce::Never => None,
        };
        let url = authorize_url(options, provider, app, &state, verifier.as_ref());
        let pending = PendingAttempt {
            state: Secret::new(state),
            verifier,
            session,
            expires_at: now.plus(ATTEMPT_LIFETIME),
            token_endpoint: provider.token_endpoint().clone(),
            shape: provider.exchange_shape(app),
            authentication: provider.authentication(),
            issuer: provider.callback_issuer().clone(),
            unanswered: provider.unanswered_exchange(),
            client_id: app.client_id.clone(),
            redirect_uri: app.redirect_uri.clone(),
        };
        Ok(Attempt { url: Secret::new(url), pending })
    }
}

/// The authorize request (RFC 6749 section 4.1.1, RFC 7636 section 4.3), its parameters in the order of the documents.
fn authorize_url(
    options: &AuthorizeOptions,
    provider: &Provider,
    app: &App,
    state: &str,
    verifier: Option<&CodeVerifier>,
) -> String {
    let challenge = verifier.map(|verifier| verifier.challenge().to_text());
    let mut pairs = vec![
        ("response_type", provider.dialect().response_type()),
        ("client_id", &app.client_id),
        ("redirect_uri", &app.redirect_uri),
        ("state", state),
    ];
    pairs.extend(options.scope.as_deref().map(|scope| ("scope", scope)));
    if let Some(challenge) = &challenge {
        pairs.extend([("code_challenge", challenge.as_str()), ("code_challenge_method", "S256")]);
    }
    if options.prompt == Prompt::Login {
        pairs.push(("prompt", "login"));
    }
    with_query(provider.authorize_endpoint(), &encode(pairs))
}

/// An attempt whose callback has not come yet. Not `Clone`: [`PendingAttempt::accept`] consumes it, so it answers once.
#[derive(Debug)]
pub struct PendingAttempt {
    state: Secret<String>,
    verifier: Option<CodeVerifier>,
    session: BrowserSession,
    expires_at: Timestamp,
    token_endpoint: url::Url,
    shape: ReplyShape,
    authentication: ClientAuthentication,
    issuer: CallbackIssuer,
    unanswered: UnansweredExchange,
    client_id: String,
    redirect_uri: String,
}

/// What became of a callback that leads to no exchange. No token endpoint was called and an earlier connection stays as it is.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum CallbackOutcome {
    /// The user said no. Say so in your own words and offer to try again (matrix CL-14).
    #[error("the user declined; offer to try again")]
    Denied,
    /// The authority refused the request, or the callback is not an answer. The developer's or the authority's fault.
    #[error("the callback cannot be used: {0}")]
    ProtocolError(#[from] CallbackError),
    /// The answer came too late. Nobody's fault: offer to try again.
    #[error("the attempt is older than 15 minutes; offer to try again")]
    Expired,
    /// The state is missing or is not the attempt's: a forged or mixed-up callback.
    #[error("the state is not the one of this attempt; begin a new one")]
    StateMismatch,
    /// Another authority answered than the one that was asked, or it does not say who it is although it announced to (RFC 9207 section 2.4):
    /// an attempt to have a code sent to the wrong place.
    #[error("the callback is from {}, not from {expected}; nothing was sent, begin a new attempt", .received.as_deref().map_or("an authority that does not name itself".to_owned(), |iss| format!("{iss:?}")))]
    WrongIssuer {
        /// The issuer that was asked.
        expected: String,
        /// The `iss` that came.
        received: Option<String>,
    },
    /// Another browser began this attempt: a callback that was handed on, perhaps to plant an account.
    #[error("another browser session began this attempt; begin a new one in this browser")]
    WrongSession,
    /// No attempt has this state: never begun here, or long past.
    #[error("no attempt is waiting for this callback; begin a new one")]
    Unknown,
    /// The callback was here before: a reload, the back button, a prefetch. Show what the first visit led to.
    #[error("this callback was already used; the first time, {0}")]
    AlreadyUsed(FirstVisit),
}

/// What the first visit of a callback led to.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub enum FirstVisit {
    /// To an exchange.
    #[error("the user approved")]
    Approved,
    /// To a denial.
    #[error("the user declined")]
    Denied,
    /// To nothing: refused by the authority or by us.
    #[error("it was refused")]
    Refused,
}

impl PendingAttempt {
    /// Reads the callback: the query behind `?` of the redirect URI, and the session of the browser that brought it.
    ///
    /// # Errors
    /// [`CallbackOutcome`]. Whatever it is, this attempt is over.
    pub fn accept(
        self,
        query: &str,
        session: BrowserSession,
        now: Timestamp,
    ) -> Result<ReadyExchange, CallbackOutcome> {
        // Before anything else is believed, the state must be ours: an error or a denial can be forged as well.
        let state = presented_state(query)?.ok_or(CallbackOutcome::StateMismatch)?;
        if constant_time::verify_slices_are_equal(state.as_bytes(), self.state.expose().as_bytes()).is_err() {
            return Err(CallbackOutcome::StateMismatch);
        }
        if session != self.session {
            return Err(CallbackOutcome::WrongSession);
        }
        if now >= self.expires_at {
            return Err(CallbackOutcome::Expired);
        }
        // Before the outcome is believed, too: a denial by a stranger is none.
        self.check_issuer(query)?;
        match callback::read(query)?.callback {
            Callback::Denied => Err(CallbackOutcome::Denied),
            Callback::Approved { code } => Ok(ReadyExchange {
                code: Secret::new(code),
                state: self.state,
                verifier: self.verifier,
                token_endpoint: self.token_endpoint,
                shape: self.shape,
                authentication: self.authentication,
                unanswered: self.unanswered,
                client_id: self.client_id,
                redirect_uri: self.redirect_uri,
            }),
        }
    }

    /// Whether who answers is who was asked (RFC 9207 section 2.4; matrix CL-08).
    fn check_issuer(&self, query: &str) -> Result<(), CallbackOutcome> {
        let form = Form::parse(query.as_bytes()).map_err(CallbackError::from)?;
        let received = form.one("iss").map_err(CallbackError::from)?;
        let expected = match (&self.issuer, received) {
            (CallbackIssuer::Unknown, _) | (CallbackIssuer::IfPresent(_), None) => return Ok(()),
            (CallbackIssuer::IfPresent(expected) | CallbackIssuer::Required(expected), _) => expected,
        };
        match received == Some(expected) {
            true => Ok(()),
            false => {
                Err(CallbackOutcome::WrongIssuer { expected: expected.clone(), received: received.map(str::to_owned) })
            }
        }
    }

    /// The name to look the attempt up by: a digest of its state, so that the store's lookup needs no secret.
    pub fn key(&self) -> AttemptKey {
        AttemptKey(sha256(self.state.expose().as_bytes()))
    }

    /// The session that began it.
    pub(crate) fn session(&self) -> BrowserSession {
        self.session
    }

    /// When the attempt is over, whatever comes.
    pub fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// As text, for a store of yours. Holds the state and the verifier: keep it as you keep sessions, and hand it out once.
    pub fn to_stored(&self) -> Secret<String> {
        let stored = Stored {
            state: self.state.expose().clone(),
            verifier: self.verifier.as_ref().map(|verifier| verifier.expose().to_owned()),
            session: URL_SAFE_NO_PAD.encode(self.session.0),
            expires_at: self.expires_at,
            token_endpoint: self.token_endpoint.to_string(),
            legacy: self.shape == ReplyShape::Legacy,
            post: self.authentication == ClientAuthentication::Post,
            issuer: match &self.issuer {
                CallbackIssuer::Unknown => None,
                CallbackIssuer::IfPresent(issuer) | CallbackIssuer::Required(issuer) => Some(issuer.clone()),
            },
            issuer_required: matches!(self.issuer, CallbackIssuer::Required(_)),
            idempotent: self.unanswered == UnansweredExchange::AuthorityIsIdempotentSendOnceMore,
            client_id: self.client_id.clone(),
            redirect_uri: self.redirect_uri.clone(),
        };
        Secret::new(serde_json::to_string(&stored).expect("invariant: strings, numbers and booleans"))
    }

    /// Reads what [`PendingAttempt::to_stored`] wrote.
    ///
    /// # Errors
    /// [`MalformedAttempt`], when the text is something else.
    pub fn from_stored(text: &str) -> Result<PendingAttempt, MalformedAttempt> {
        let stored: Stored = serde_json::from_str(text).map_err(|_| MalformedAttempt::NotOurs)?;
        let session = URL_SAFE_NO_PAD.decode(&stored.session).ok().and_then(|bytes| bytes.try_into().ok());
        let verifier =
            stored.verifier.map(|text| CodeVerifier::parse(&text).ok_or(MalformedAttempt::NotOurs)).transpose()?;
        Ok(PendingAttempt {
            state: Secret::new(stored.state),
            verifier,
            session: BrowserSession(session.ok_or(MalformedAttempt::NotOurs)?),
            expires_at: stored.expires_at,
            token_endpoint: safe_url::parse(&stored.token_endpoint)?,
            shape: if stored.legacy { ReplyShape::Legacy } else { ReplyShape::Rfc6749 },
            authentication: if stored.post { ClientAuthentication::Post } else { ClientAuthentication::Basic },
            issuer: match stored.issuer {
                None => CallbackIssuer::Unknown,
                Some(issuer) if stored.issuer_required => CallbackIssuer::Required(issuer),
                Some(issuer) => CallbackIssuer::IfPresent(issuer),
            },
            unanswered: match stored.idempotent {
                true => UnansweredExchange::AuthorityIsIdempotentSendOnceMore,
                false => UnansweredExchange::GiveUp,
            },
            client_id: stored.client_id,
            redirect_uri: stored.redirect_uri,
        })
    }
}

/// The name of an attempt in a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AttemptKey([u8; 32]);

impl AttemptKey {
    /// The name of the attempt that a callback belongs to.
    ///
    /// # Errors
    /// [`CallbackOutcome::ProtocolError`] for a query that cannot be read, [`CallbackOutcome::StateMismatch`] without a state.
    pub fn of_callback(query: &str) -> Result<AttemptKey, CallbackOutcome> {
        let state = presented_state(query)?.ok_or(CallbackOutcome::StateMismatch)?;
        Ok(AttemptKey(sha256(state.as_bytes())))
    }

    /// As text, for a key-value store.
    pub fn to_text(self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }
}

/// The text is not a stored attempt.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum MalformedAttempt {
    /// Not what `to_stored` writes.
    #[error("the stored attempt cannot be read; begin a new one")]
    NotOurs,
    /// Its token endpoint is one that no secret is sent to.
    #[error("the stored attempt names a token endpoint that cannot be used: {0}")]
    Unsafe(#[from] UnsafeUrl),
}

#[derive(Serialize, Deserialize)]
struct Stored {
    state: String,
    verifier: Option<String>,
    session: String,
    expires_at: Timestamp,
    token_endpoint: String,
    legacy: bool,
    post: bool,
    issuer: Option<String>,
    issuer_required: bool,
    idempotent: bool,
    client_id: String,
    redirect_uri: String,
}

fn presented_state(query: &str) -> Result<Option<String>, CallbackError> {
    let form = Form::parse(query.as_bytes())?;
    Ok(form.one("state")?.map(str::to_owned))
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let digest = digest::digest(&digest::SHA256, bytes);
    digest.as_ref().try_into().expect("invariant: SHA-256 has 32 bytes")
}
