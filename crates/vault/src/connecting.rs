//! Connecting a user: a link, the trip to the authority, and what came of it.
//!
//! The link is the vault's own and good for fifteen minutes. Whoever opens it gets an attempt bound to their browser by a cookie (matrix CL-01), so that a
//! callback counts only in the browser that was sent away. Everything lies in the store, sealed: a restart or another node goes on. The caller hands
//! the link to a user that it knows; whoever else opens it would connect their own account under that user's id.

use crate::callers::is_plain;
use crate::connection_id::{RULE, is_id};
use crate::store::TakenAttempt;
use crate::vault::{NoSuchApp, Vault};
use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keyfob_client::{
    ATTEMPT_LIFETIME, Attempt, AttemptKey, AuthorizeOptions, BrowserSession, CallbackOutcome, ConnectError,
    PendingAttempt, Secret, StoreUnavailable, Timestamp, TokenFailure,
};
use keyfob_protocol::{EntropyFailed, base62, entropy};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use thiserror::Error;
use url::Url;

/// How often, and how far apart, a second visit looks for what the first one led to.
const LOOKS: usize = 20;
const LOOK: Duration = Duration::from_millis(250);

/// A link for a user.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) id: String,
    pub(crate) ticket: Secret<String>,
    pub(crate) expires_at: Timestamp,
}

/// Why there is no link.
#[derive(Debug, Error)]
pub(crate) enum StartProblem {
    #[error("there is no app of this name; GET /apps lists those there are")]
    NoSuchApp,
    #[error("an id {RULE}")]
    Id,
    #[error(
        "the return_to must begin with one of the app's return_prefixes, so that the vault redirects to nobody else's site"
    )]
    ReturnTo,
    #[error(transparent)]
    Store(#[from] StoreUnavailable),
    #[error(transparent)]
    Entropy(#[from] EntropyFailed),
}

/// What a link is about.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Begun {
    app: String,
    id: String,
    return_to: Option<String>,
}

/// What lies in the store while the user is away.
#[derive(Serialize, Deserialize)]
struct Away {
    begun: Begun,
    pending: String,
    ticket: String,
}

/// What lies there when they are back.
#[derive(Serialize, Deserialize)]
struct Back {
    begun: Begun,
    ticket: String,
    session: String,
    result: Option<(EndKind, Option<Why>)>,
}

/// How a trip ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EndKind {
    Connected,
    Denied,
    /// The link or the attempt is past, or was never ours.
    Expired,
    /// Another browser began it.
    WrongBrowser,
    /// Another account or user than before.
    OtherIdentity,
    /// The authority or the network; the partner is told why.
    Failed,
    /// It is being worked on, by another visit of the same callback.
    Pending,
}

impl EndKind {
    /// In an address.
    pub(crate) fn word(self) -> &'static str {
        match self {
            EndKind::Connected => "connected",
            EndKind::Denied => "denied",
            EndKind::Expired => "expired",
            EndKind::WrongBrowser => "wrong-browser",
            EndKind::OtherIdentity => "other-identity",
            EndKind::Failed => "failed",
            EndKind::Pending => "pending",
        }
    }

    /// Whether the page has the link again. Never for another browser: the link stands for the user, and whoever got hold of a callback is
    /// perhaps somebody else, or was sent it by somebody else.
    pub(crate) fn may_try_again(self) -> bool {
        matches!(self, EndKind::Denied | EndKind::Failed | EndKind::OtherIdentity | EndKind::Pending)
    }

    pub(crate) fn of_word(word: &str) -> Option<EndKind> {
        let all = [
            EndKind::Connected,
            EndKind::Denied,
            EndKind::Expired,
            EndKind::WrongBrowser,
            EndKind::OtherIdentity,
            EndKind::Failed,
            EndKind::Pending,
        ];
        all.into_iter().find(|kind| kind.word() == word)
    }
}

/// Why somebody who did not decline is not connected, in the word that the partner is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Why {
    /// Another account or user than before.
    OtherPerson,
    /// The authority refuses the app: its id, secret or redirect URI is wrong here.
    AppRefused,
    /// The authority, its API or the vault's store could not be used at that moment.
    Unavailable,
    /// The authority refused this one trip.
    Refused,
}

impl Why {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Why::OtherPerson => "other_person",
            Why::AppRefused => "app_refused",
            Why::Unavailable => "unavailable",
            Why::Refused => "refused",
        }
    }

    fn of(error: &ConnectError) -> Why {
        match error {
            ConnectError::OtherIdentity { .. } => Why::OtherPerson,
            ConnectError::Store(_) | ConnectError::IdentityUnknown { .. } => Why::Unavailable,
            ConnectError::Exchange(exchange) => match exchange.failure {
                TokenFailure::Operator(_) => Why::AppRefused,
                TokenFailure::Transient { .. } | TokenFailure::Ambiguous(_) => Why::Unavailable,
                TokenFailure::Permanent(_) | TokenFailure::Suspect(_) => Why::Refused,
            },
        }
    }
}

/// Where a browser goes from the callback.
pub(crate) struct End {
    pub(crate) kind: EndKind,
    pub(crate) why: Option<Why>,
    /// The partner's place.
    pub(crate) return_to: Option<Url>,
    /// The link to try again, where that makes sense.
    pub(crate) ticket: Option<String>,
}

impl End {
    fn of(kind: EndKind) -> End {
        End { kind, why: None, return_to: None, ticket: None }
    }
}

impl Vault {
    /// Makes a link for a user of the caller's. Without an id the connection gets one.
    pub(crate) async fn start(
        &self,
        app: &str,
        id: Option<String>,
        return_to: Option<&str>,
    ) -> Result<Started, StartProblem> {
        let held = self.app(app).map_err(|NoSuchApp| StartProblem::NoSuchApp)?;
        let source = &*self.outside.entropy;
        let id = match id {
            Some(id) if is_id(&id) => id,
            Some(_) => return Err(StartProblem::Id),
            None => format!("c{}", base62::encode(&entropy::random::<12>(source)?)),
        };
        let return_to = match return_to {
            Some(text) => Some(held.settings.return_to(text).ok_or(StartProblem::ReturnTo)?),
            None => held.settings.after.clone(),
        };
        let ticket = base62::encode(&entropy::random::<32>(source)?);
        let expires_at = self.now().plus(ATTEMPT_LIFETIME);
        let begun = Begun { app: app.to_owned(), id: id.clone(), return_to: return_to.map(String::from) };
        self.store.keep_attempt(&ticket_name(&ticket), &stored(&begun), expires_at).await?;
        Ok(Started { id, ticket: Secret::new(ticket), expires_at })
    }

    /// The user has opened the link: where to send them. May be done again until the link is past, since browsers and chat programs open links on
    /// their own.
    pub(crate) async fn visit(
        &self,
        ticket: &str,
        browser: &str,
    ) -> Result<Result<Secret<String>, EndKind>, StartProblem> {
        let name = ticket_name(ticket);
        let now = self.now();
        let content = match self.store.take_attempt(&name, &Secret::from(""), now).await? {
            TakenAttempt::First(content) => {
                self.store.leave(&name, &content).await?;
                content
            }
            TakenAttempt::Again(content) if content.expose().is_empty() => return Ok(Err(EndKind::Pending)),
            TakenAttempt::Again(content) => content,
            TakenAttempt::Unknown => return Ok(Err(EndKind::Expired)),
        };
        let Some(begun) = read::<Begun>(&content) else { return Ok(Err(EndKind::Expired)) };
        let Ok(held) = self.app(&begun.app) else { return Ok(Err(EndKind::Expired)) };
        let settings = &held.settings;
        let options = AuthorizeOptions { scope: settings.scope.clone(), ..AuthorizeOptions::default() };
        let session = BrowserSession::from_value(browser);
        let source = &*self.outside.entropy;
        let Attempt { url, pending } =
            Attempt::begin_with(&options, &settings.provider, &settings.app, session, now, source)?;
        // Remembered beyond its end, for the second visit of a callback.
        let until = pending.expires_at().plus(ATTEMPT_LIFETIME);
        let away = Away { begun, pending: pending.to_stored().expose().clone(), ticket: ticket.to_owned() };
        self.store.keep_attempt(&state_name(pending.key()), &stored(&away), until).await?;
        Ok(Ok(url))
    }

    /// The user is back. Whatever comes, the attempt is over; a second visit of the same callback learns what the first one led to, and waits a few
    /// seconds for it. `at`: the app that the callback's path names.
    pub(crate) async fn finish(
        &self,
        at: Option<&str>,
        query: &str,
        browser: Option<&str>,
    ) -> Result<End, StoreUnavailable> {
        let mut end = self.finish_once(at, query, browser).await?;
        for _ in 0..LOOKS {
            if end.kind != EndKind::Pending {
                break;
            }
            self.outside.pause.pause(LOOK).await;
            end = self.finish_once(at, query, browser).await?;
        }
        Ok(end)
    }

    async fn finish_once(&self, at: Option<&str>, query: &str, browser: Option<&str>) -> Result<End, StoreUnavailable> {
        // Without a state it was never ours.
        let Ok(key) = AttemptKey::of_callback(query) else { return Ok(End::of(EndKind::Expired)) };
        let name = state_name(key);
        let now = self.now();
        let session = browser.map(|browser| name_of("browser", browser)).unwrap_or_default();
        // Taken first and read then, so that of two at once one redeems.
        let taken = self.store.take_attempt(&name, &Secret::from("{}"), now).await?;
        let away: Away = match taken {
            TakenAttempt::Unknown => return Ok(End::of(EndKind::Expired)),
            TakenAttempt::Again(left) => return Ok(again(&left, &session)),
            TakenAttempt::First(content) => match read(&content) {
                Some(away) => away,
                None => return Ok(End::of(EndKind::Expired)),
            },
        };
        let mut back = Back { begun: away.begun, ticket: away.ticket, session, result: None };
        self.store.leave(&name, &stored(&back)).await?;
        let (kind, why) = self.came_back(&back.begun, &away.pending, (at, query), browser, now).await?;
        back.result = Some((kind, why));
        self.store.leave(&name, &stored(&back)).await?;
        if kind == EndKind::Connected {
            // What a link was for is done; whoever finds it later begins nothing.
            self.store.leave(&ticket_name(&back.ticket), &Secret::from("done")).await?;
        }
        Ok(back.end())
    }

    async fn came_back(
        &self,
        begun: &Begun,
        pending: &str,
        (at, query): (Option<&str>, &str),
        browser: Option<&str>,
        now: Timestamp,
    ) -> Result<(EndKind, Option<Why>), StoreUnavailable> {
        let failed = |kind, why: Why, reason: String| {
            let (app, connection) = (begun.app.as_str(), begun.id.as_str());
            match why {
                // Nobody can connect until it is mended.
                Why::AppRefused => tracing::error!(
                    app,
                    connection,
                    reason,
                    "the authority refuses the app, so a user was not connected"
                ),
                _ => tracing::warn!(app, connection, reason, "a user came back and was not connected"),
            }
            Ok((kind, Some(why)))
        };
        let refused = |reason: String| failed(EndKind::Failed, Why::Refused, reason);
        let Ok(held) = self.app(&begun.app) else { return refused("the app is no longer configured".to_owned()) };
        if !held.settings.is_answered_at(at) {
            return refused(
                "the answer arrived at a callback that is not this app's: perhaps another authority's (a mix-up)"
                    .to_owned(),
            );
        }
        let pending = match PendingAttempt::from_stored(pending) {
            Ok(pending) => pending,
            Err(malformed) => return refused(malformed.to_string()),
        };
        let session = BrowserSession::from_value(browser.unwrap_or_default());
        let ready = match pending.accept(query, session, now) {
            Ok(ready) => ready,
            Err(CallbackOutcome::Denied) => {
                held.connections.denied(&begun.id).await?;
                return Ok((EndKind::Denied, None));
            }
            Err(CallbackOutcome::Expired) => return Ok((EndKind::Expired, None)),
            Err(CallbackOutcome::WrongSession) => return Ok((EndKind::WrongBrowser, None)),
            Err(other) => return refused(other.to_string()),
        };
        match held.connections.connect(&begun.id, ready).await {
            Ok(_) => Ok((EndKind::Connected, None)),
            Err(error) => {
                let why = Why::of(&error);
                let kind = if why == Why::OtherPerson { EndKind::OtherIdentity } else { EndKind::Failed };
                failed(kind, why, error.to_string())
            }
        }
    }
}

/// What a second visit of a callback is told.
fn again(left: &Secret<String>, session: &str) -> End {
    match read::<Back>(left) {
        Some(back) if back.session == session => back.end(),
        Some(_) => End::of(EndKind::WrongBrowser),
        None => End::of(EndKind::Pending),
    }
}

impl Back {
    fn end(&self) -> End {
        let (kind, why) = self.result.unwrap_or((EndKind::Pending, None));
        let mut return_to = self.begun.return_to.as_deref().and_then(|url| Url::parse(url).ok());
        let told = match kind {
            EndKind::Connected | EndKind::Denied => kind.word(),
            EndKind::OtherIdentity | EndKind::Failed => "failed",
            // Only a page can help the person in front of it.
            EndKind::Expired | EndKind::WrongBrowser | EndKind::Pending => {
                return_to = None;
                ""
            }
        };
        if let Some(url) = &mut return_to {
            let (app, id) = (self.begun.app.as_str(), self.begun.id.as_str());
            url.query_pairs_mut().append_pair("app", app).append_pair("connection", id).append_pair("result", told);
            if let Some(why) = why {
                url.query_pairs_mut().append_pair("reason", why.word());
            }
        }
        End { kind, why, return_to, ticket: Some(self.ticket.clone()).filter(|_| kind.may_try_again()) }
    }
}

impl crate::vault::AppSettings {
    /// The place that a caller names, if it may. Compared after parsing, so that no spelling gets around the prefix.
    fn return_to(&self, text: &str) -> Option<Url> {
        let url = Url::parse(text).ok()?;
        let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
        // The server there may read what is escaped in a path as a separator.
        let path = url.path();
        let allowed =
            |prefix: &Url| url.origin() == prefix.origin() && path.starts_with(prefix.path()) && is_plain(path);
        let allowed = self.return_prefixes.iter().any(allowed) || self.after.as_ref() == Some(&url);
        (plain && allowed).then_some(url)
    }
}

fn ticket_name(ticket: &str) -> String {
    name_of("ticket", ticket)
}

fn state_name(key: AttemptKey) -> String {
    format!("state:{}", key.to_text())
}

/// A name that gives nothing back.
fn name_of(kind: &str, secret: &str) -> String {
    format!("{kind}:{}", URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, secret.as_bytes())))
}

fn stored(content: &impl Serialize) -> Secret<String> {
    Secret::new(serde_json::to_string(content).expect("invariant: plain data has a JSON form"))
}

fn read<T: for<'de> Deserialize<'de>>(content: &Secret<String>) -> Option<T> {
    serde_json::from_str(content.expose()).ok()
}
