//! One user's live grant: gives out API calls, not tokens, and keeps the tokens fresh behind them.
//!
//! This file is what callers see and how an API call deals with 401 and 403; 429 is in `rate_hold.rs`, the refresh in `refreshing.rs`. The
//! bearer token goes to the provider's API origin and nowhere else (matrix CL-04).

use crate::api_request::ApiRequest;
use crate::connections::{ConnectError, Shared};
use crate::http::HttpResponse;
use crate::identify::{IDENTITY, Identified};
use crate::identity::Identity;
use crate::provider::ApiShape;
use crate::refresh::NoRefreshToken;
use crate::refreshing::{Flight, Reason, Waiting};
use crate::revocation::{self, Revoked};
use crate::safe_url;
use crate::seen::{OpenQuestions, Seen, live};
use crate::store::StoreUnavailable;
use crate::stored::{LostReply, ReauthRequired, Standing, TroubleKind};
use crate::token_failure::{Evidence, TokenFailure};
use crate::tokens::TokenSet;
use crate::transport::SendFailure;
use keyfob_protocol::Timestamp;
use serde::Deserialize;
use std::fmt;
use std::sync::{Arc, Mutex, Weak};
use thiserror::Error;
use url::Url;

/// Seconds without a forced refresh after the API refused a token that was just refreshed.
const REFUSED_FRESH: i64 = 60;

/// Seconds between two questions whether the account is locked.
const IDENTITY_AGAIN: i64 = 60;

/// A connection. Cheap to clone; all clones share one refresh.
#[derive(Clone)]
pub struct Connection {
    pub(crate) held: Arc<Held>,
}

/// What the clones of a connection share.
pub(crate) struct Held {
    /// Itself.
    pub(crate) me: Weak<Held>,
    pub(crate) id: String,
    pub(crate) shared: Arc<Shared>,
    /// The row as last seen: saves a read of the store per call.
    pub(crate) seen: Mutex<Seen>,
    /// Whoever holds it is the one who refreshes.
    pub(crate) flight: tokio::sync::Mutex<Flight>,
    /// Set as long as the last refresh failed in passing.
    waiting: Mutex<Option<Waiting>>,
    /// Until when calls wait (429) and until when a 401 forces no refresh.
    holds: Mutex<Holds>,
}

#[derive(Default)]
pub(crate) struct Holds {
    pub(crate) rate_until: Option<Timestamp>,
    no_forced_refresh_until: Option<Timestamp>,
    no_identity_until: Option<Timestamp>,
}

/// Why a call has no answer to give.
#[derive(Debug, Error, Clone)]
pub enum ConnectionError {
    /// No connection of this name is kept. The caller's error: connect first.
    #[error("there is no connection of this name; the user has to connect first")]
    NotConnected,
    /// Only the user can help: send them through a new attempt. Asking again changes nothing and sends nothing.
    #[error("the user has to connect again ({})", .0.evidence)]
    ReauthRequired(Box<ReauthRequired>),
    /// Only the user can help, though nobody revoked anything: the answer to a refresh was lost and the authority gives it once only.
    #[error("the answer to a refresh was lost and the authority gives none again, so the user has to connect again ({})", .0.evidence)]
    LostReply(Box<LostReply>),
    /// The user said no when they were asked to connect.
    #[error("the user declined to connect on {}", .since.to_utc())]
    Denied {
        /// When.
        since: Timestamp,
    },
    /// Another node has been refreshing for longer than a call waits. Try again at `retry_at`.
    #[error("another node is refreshing this connection; next try at {}", .retry_at.to_utc())]
    RefreshElsewhere {
        /// When its lease ends.
        retry_at: Timestamp,
    },
    /// The token ended and the authority never gave a refresh token.
    #[error(transparent)]
    NoRefreshToken(#[from] NoRefreshToken),
    /// The access token has ended and cannot be replaced now. The connection is healthy: try again at `retry_at`.
    #[error("{failure}; next try at {}", .retry_at.to_utc())]
    RefreshFailed {
        /// Why.
        failure: TokenFailure,
        /// When a call will try again.
        retry_at: Timestamp,
    },
    /// The authority refuses the app, so no user of it can be refreshed. The operator corrects id, secret or URL.
    #[error("the authority refuses the app, so nothing can be refreshed ({evidence}); check client id and secret; next try at {}", .retry_at.to_utc())]
    AppRefused {
        /// What it said.
        evidence: Evidence,
        /// When a call will ask it again.
        retry_at: Timestamp,
    },
    /// The API refused a fresh token, or the store's: not a matter of age. Look at the host, the scheme and the audience.
    #[error("the API refused a fresh token with 401; check that the token belongs to this API")]
    Unauthorized(Box<HttpResponse>),
    /// Too many calls; this one was not processed and may be sent again at `retry_at`.
    #[error("the API's rate limit is reached; try again at {}", .retry_at.to_utc())]
    RateLimited {
        /// When calls go out again.
        retry_at: Timestamp,
    },
    /// The target is not on the API's origin: the token was not sent. The caller's error, or a hostile `nextLink`.
    #[error("{target} is not at {origin}, the only place the token goes to; nothing was sent")]
    OtherOrigin {
        /// Where it pointed, without query.
        target: String,
        /// Where the API is.
        origin: String,
    },
    /// No answer from the API. A GET may be repeated; anything else only if the caller knows that it is idempotent.
    #[error("the API gave no answer: {0}")]
    NoAnswer(#[from] SendFailure),
    /// The API answers, but not with what was asked for: another API than was thought, or one that refuses.
    #[error("the API answered {what} with status {status}, which says nothing that can be used{}", .message.as_deref().map(|message| format!(" ({message})")).unwrap_or_default())]
    Unexpected {
        /// Which call.
        what: &'static str,
        /// The status.
        status: u16,
        /// Its `errorMessage`, where there is one.
        message: Option<String>,
    },
    /// The authority's revocation endpoint refuses.
    #[error("the authority did not take the token back: {0}")]
    NotRevoked(TokenFailure),
    /// Our store is down, so it is not known which tokens are current.
    #[error(transparent)]
    Store(StoreUnavailable),
}

/// Why a connection is called locked.
pub(crate) const LOCKED: &str = "the API refuses everything with 403, even the identity; the token is good";

/// How a connection stands, for a page or a health check. Asks nobody but the store.
#[derive(Clone, Debug)]
pub enum ConnectionState {
    /// No connection of this name.
    NotConnected,
    /// Tokens are there.
    Healthy(TokenSet),
    /// Tokens are there; the last refresh failed in passing.
    Degraded {
        /// The tokens in use.
        tokens: TokenSet,
        /// Why the refresh failed.
        reason: String,
        /// When it is tried again, if it was this process that tried.
        retry_at: Option<Timestamp>,
    },
    /// Tokens are there and good; the API refuses the account.
    AccountLocked {
        /// The tokens in use.
        tokens: TokenSet,
        /// Since when.
        since: Timestamp,
    },
    /// The user has to connect again: the access token has ended and there is no refresh token.
    Unrenewable {
        /// Since when that is known.
        since: Timestamp,
    },
    /// The user has to connect again.
    ReauthRequired(ReauthRequired),
    /// The user has to connect again, because an answer was lost.
    LostReply(LostReply),
    /// The user said no.
    Denied {
        /// When.
        since: Timestamp,
    },
}

impl Connection {
    /// The name it was opened by.
    pub fn id(&self) -> &str {
        &self.held.id
    }

    /// GETs from the API.
    ///
    /// # Errors
    /// As [`Connection::send`].
    pub async fn get(&self, target: &str) -> Result<HttpResponse, ConnectionError> {
        self.send(&ApiRequest::get(target)).await
    }

    /// Calls the API with a good access token and the system's headers. Any answer but 401 and 429 is given as it is; in particular a 403 is
    /// about permission, never about the connection.
    ///
    /// A GET that meets a 429 with a `Retry-After` of at most [`SHORT_HOLD`](crate::SHORT_HOLD) seconds waits for it and is sent once more. Anything else is not: that a
    /// 429 was carried out is unlikely, and no standard excludes it (RFC 6585 section 4).
    ///
    /// # Errors
    /// [`ConnectionError`].
    pub async fn send(&self, call: &ApiRequest) -> Result<HttpResponse, ConnectionError> {
        // First, so that a wrong target costs no refresh.
        let url = self.resolve(&call.target)?;
        let held = &self.held;
        let hold = held.holds().rate_until;
        if let Some(retry_at) = hold
            && !held.outlasts(retry_at).await
        {
            return Err(ConnectionError::RateLimited { retry_at });
        }
        let (generation, tokens) = self.good_tokens().await?;
        let refused = match self.send_with(call, &url, &tokens).await? {
            response if response.status != 401 => return self.judged(&url, generation, &tokens, response).await,
            refused => refused,
        };
        let replacement = match held.reload().await? {
            Some(row) if row.generation != generation => live(Some(row))?,
            _ if held.holds().no_forced_refresh_until.is_some_and(|until| held.now() < until) => {
                return Err(ConnectionError::Unauthorized(Box::new(refused)));
            }
            _ => self.refreshed(generation, Reason::Refused).await?,
        };
        let response = self.send_with(call, &url, &replacement.1).await?;
        if response.status == 401 {
            held.holds().no_forced_refresh_until = Some(held.now().plus(REFUSED_FRESH));
            return Err(ConnectionError::Unauthorized(Box::new(response)));
        }
        self.judged(&url, replacement.0, &replacement.1, response).await
    }

    /// What an answer says about the connection itself: after a 403 the identity tells a lack of permission from a locked account, and
    /// any success says that the account is open and the token good.
    async fn judged(
        &self,
        url: &Url,
        generation: u64,
        tokens: &TokenSet,
        response: HttpResponse,
    ) -> Result<HttpResponse, ConnectionError> {
        let held = &self.held;
        let OpenQuestions { troubled, unidentified } = held.open_questions();
        // Nearly every call ends here.
        if response.status != 403 && !(response.is_success() && (troubled || unidentified)) {
            return self.unless_rate_limited(response);
        }
        let identity_url = held.shared.identity_url();
        let is_identity = identity_url.as_ref() == Some(url);
        let is_unknown = identity_url.is_some() && unidentified;
        if response.status == 403 && held.holds().no_identity_until.is_none_or(|until| until <= held.now()) {
            held.holds().no_identity_until = Some(held.now().plus(IDENTITY_AGAIN));
            let identified = match is_identity {
                true => Identified::by(&response),
                false => held.shared.identify(&held.id, tokens).await,
            };
            match identified {
                Identified::As(identity) if troubled || is_unknown => held.works(generation, Some(&identity)).await,
                Identified::Refused(403) => held.note(generation, TroubleKind::AccountLocked, LOCKED.to_owned()).await,
                _ => {}
            }
        } else if response.is_success() && (troubled || (is_unknown && is_identity)) {
            let identified = match is_identity {
                true => Identified::by(&response),
                // It was locked when its user connected, and nobody could say whose it is.
                false if is_unknown => held.shared.identify(&held.id, tokens).await,
                false => Identified::NotOffered,
            };
            match identified {
                Identified::As(identity) => held.works(generation, Some(&identity)).await,
                _ if troubled => held.works(generation, None).await,
                _ => {}
            }
        }
        self.unless_rate_limited(response)
    }

    /// Refreshes now, whatever the age of the token.
    ///
    /// # Errors
    /// [`ConnectionError`].
    pub async fn refresh_now(&self) -> Result<(), ConnectionError> {
        let (generation, _) = self.held.current().await?;
        self.refreshed(generation, Reason::Asked).await.map(drop)
    }

    /// Whose connection this is, where the API is known to say it (`GET identity`).
    ///
    /// # Errors
    /// [`ConnectionError`]; a 403 is [`ConnectionError::Unexpected`]: the account may be locked, the connection is not at fault.
    pub async fn identity(&self) -> Result<Option<Identity>, ConnectionError> {
        if self.held.shared.provider.api_shape() == ApiShape::Unknown {
            return Ok(None);
        }
        let response = self.get(IDENTITY).await?;
        match response.json() {
            Ok(identity) if response.is_success() => Ok(Some(identity)),
            _ => Err(unexpected("/identity", &response)),
        }
    }

    /// Tokens that are good now, refreshed where it is time to. For handing over to another program; calls need none of it.
    ///
    /// # Errors
    /// As [`Connection::send`].
    pub async fn fresh_tokens(&self) -> Result<TokenSet, ConnectionError> {
        self.good_tokens().await.map(|(_, tokens)| tokens)
    }

    /// Gives the connection back to the authority. What the store keeps stays: remove it when this has succeeded.
    ///
    /// # Errors
    /// [`ConnectionError`]. [`ConnectionError::ReauthRequired`] says that the authority ended it before.
    pub async fn revoke(&self) -> Result<Revoked, ConnectionError> {
        let shared = &self.held.shared;
        let (_, tokens) = self.held.current().await?;
        if let Some(request) = revocation::request(&shared.provider, &shared.app, &tokens) {
            let response = shared.outside.transport.send(&request).await?;
            return revocation::read(&response, self.held.now()).map_err(ConnectionError::NotRevoked);
        }
        if shared.provider.api_shape() == ApiShape::Unknown || shared.provider.system().is_none() {
            return Ok(Revoked::NotOffered);
        }
        let response = self.send(&ApiRequest::delete("oauthApps/revokeAccess")).await?;
        let nothing =
            || response.json().is_ok_and(|Sentence { error_message }| error_message.contains("not connected"));
        match response.status {
            200..300 => Ok(Revoked::Ended),
            400..500 if nothing() => Ok(Revoked::NothingToEnd),
            _ => Err(unexpected("oauthApps/revokeAccess", &response)),
        }
    }

    /// How the connection stands, by the store.
    ///
    /// # Errors
    /// [`ConnectionError::Store`].
    pub async fn state(&self) -> Result<ConnectionState, ConnectionError> {
        let Some(row) = self.held.reload().await? else { return Ok(ConnectionState::NotConnected) };
        let waiting = self.held.waiting().clone();
        Ok(match (row.standing, row.trouble, waiting) {
            (Standing::ReauthRequired(why), ..) => ConnectionState::ReauthRequired(why),
            (Standing::LostReply(why), ..) => ConnectionState::LostReply(why),
            (Standing::Denied, ..) => ConnectionState::Denied { since: row.since },
            (Standing::Live(_), Some(trouble), _) if trouble.kind == TroubleKind::Unrenewable => {
                ConnectionState::Unrenewable { since: trouble.since }
            }
            (Standing::Live(tokens), Some(trouble), _) if trouble.kind == TroubleKind::AccountLocked => {
                ConnectionState::AccountLocked { tokens, since: trouble.since }
            }
            (Standing::Live(tokens), _, Some(Waiting { failure, retry_at, .. })) => {
                ConnectionState::Degraded { tokens, reason: failure.to_string(), retry_at: Some(retry_at) }
            }
            (Standing::Live(tokens), Some(trouble), None) => {
                ConnectionState::Degraded { tokens, reason: trouble.reason, retry_at: None }
            }
            (Standing::Live(tokens), None, None) => ConnectionState::Healthy(tokens),
        })
    }

    /// Tokens that can be used now, refreshed where it is time to.
    async fn good_tokens(&self) -> Result<(u64, TokenSet), ConnectionError> {
        let (held, now) = (&self.held, self.held.now());
        let (generation, tokens) = held.current().await?;
        if !tokens.is_due(now) {
            return Ok((generation, tokens));
        }
        // While the token lives nobody waits for a refresh that another caller is doing, or that is not to be tried yet.
        let refreshing = held.flight.try_lock().is_err();
        let waits = held.waiting().as_ref().is_some_and(|waiting| now < waiting.until(Reason::Due));
        if tokens.is_alive(now) && (refreshing || waits) {
            return Ok((generation, tokens));
        }
        self.refreshed(generation, Reason::Due).await
    }

    pub(crate) async fn refreshed(&self, generation: u64, reason: Reason) -> Result<(u64, TokenSet), ConnectionError> {
        let held = self.held.clone();
        self.held.shared.working.carried_to_its_end(async move { held.refresh(generation, reason).await }).await
    }

    /// New tokens after a consent. Waits for a refresh in flight in this process, so that it does not use what is replaced.
    pub(crate) async fn replace_tokens(&self, tokens: TokenSet, identified: &Identified) -> Result<(), ConnectError> {
        let mut flight = self.held.flight.lock().await;
        let (from, row) = self.held.shared.overwrite(&self.held.id, &tokens, identified).await?;
        *flight = Flight::default();
        *self.held.waiting() = None;
        *self.held.holds() = Holds::default();
        self.held.see(Some(row.clone()));
        self.held.tell(from, &row);
        Ok(())
    }

    /// The URL of a call, if it is on the API's origin.
    fn resolve(&self, target: &str) -> Result<Url, ConnectionError> {
        let base = self.held.shared.provider.api_base();
        let other = |target: &str| ConnectionError::OtherOrigin {
            target: target.split(['?', '#']).next().unwrap_or_default().to_owned(),
            origin: base.origin().ascii_serialization(),
        };
        let url = base.join(target).map_err(|_| other(target))?;
        match safe_url::check(&url).is_ok() && url.origin() == base.origin() {
            true => Ok(url),
            false => Err(other(target)),
        }
    }
}

/// An error of the API.
#[derive(Deserialize)]
struct Sentence {
    #[serde(rename = "errorMessage")]
    error_message: String,
}

fn unexpected(what: &'static str, response: &HttpResponse) -> ConnectionError {
    let message = response.json().ok().map(|Sentence { error_message }| error_message.chars().take(200).collect());
    ConnectionError::Unexpected { what, status: response.status, message }
}

impl Held {
    pub(crate) fn new(id: &str, shared: Arc<Shared>) -> Arc<Held> {
        Arc::new_cyclic(|me| Held {
            me: me.clone(),
            id: id.to_owned(),
            shared,
            seen: Mutex::default(),
            flight: tokio::sync::Mutex::default(),
            waiting: Mutex::default(),
            holds: Mutex::default(),
        })
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.shared.outside.clock.now()
    }

    pub(crate) fn waiting(&self) -> std::sync::MutexGuard<'_, Option<Waiting>> {
        self.waiting.lock().expect("invariant: nothing panics while the lock is held")
    }

    pub(crate) fn holds(&self) -> std::sync::MutexGuard<'_, Holds> {
        self.holds.lock().expect("invariant: nothing panics while the lock is held")
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("id", &self.held.id).finish_non_exhaustive()
    }
}
