//! The refresh behind a connection: one at a time, never without reading the store first, never giving up a live grant.
//!
//! Runs on a task of its own while the flight's lock is held (matrix CL-05, CL-06). Order: lock, read the store, decide, send,
//! write, unlock. A lease between nodes and a journal of open refreshes have their place between "decide" and "send".

use crate::backoff::{self, Backoff};
use crate::connection::{ConnectionError, Held};
use crate::connections::SAVE_TRIES;
use crate::refresh::{self, NoRefreshToken};
use crate::store::{ReauthRequired, Saved, Standing, StoreUnavailable, StoredConnection};
use crate::token_failure::{Evidence, TokenFailure};
use crate::tokens::TokenSet;
use keyfob_protocol::Timestamp;
use std::time::Duration;

/// Tries of a refresh while a caller has no usable token and waits.
const TRIES: u32 = 3;
/// Seconds between tries after an answer that nobody understands. After the last one the user has to connect again.
const SUSPECT_SPACING: [i64; 3] = [60, 5 * 60, 30 * 60];
/// Other processes may refresh as well. Each time the store has moved on its tokens are tried, but not for ever.
const ROUNDS: u32 = 3;
/// Between tries of a durable write.
const SAVE_PAUSE: Duration = Duration::from_millis(200);

/// Why a refresh is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// The token ends soon or has ended. While it lives, it is good enough when the refresh fails.
    Due,
    /// The API refused the token: its age says nothing.
    Refused,
    /// The caller wants it.
    Asked,
}

/// What the refresher counts from one refresh to the next.
#[derive(Default)]
pub(crate) struct Flight {
    failures: u32,
    suspects: u32,
}

/// The last refresh failed in a way that leaves the connection healthy.
#[derive(Clone)]
pub(crate) struct Waiting {
    pub(crate) failure: TokenFailure,
    /// No try before.
    pub(crate) retry_at: Timestamp,
    /// After silence, no try before this while the old token lives: the one re-send comes late, when the first may have settled.
    late_until: Option<Timestamp>,
}

impl Waiting {
    pub(crate) fn until(&self, reason: Reason) -> Timestamp {
        match (reason, self.late_until) {
            (Reason::Due, Some(late)) => late.max(self.retry_at),
            _ => self.retry_at,
        }
    }
}

/// The row as last seen. Where `unwritten`, it is newer than the store, which failed when it came.
#[derive(Default)]
pub(crate) struct Seen {
    row: Option<StoredConnection>,
    unwritten: bool,
}

impl Held {
    /// The row as last seen, or else as stored. A connection that waits for its user is looked up each time: the user may have been here.
    pub(crate) async fn current(&self) -> Result<(u64, TokenSet), ConnectionError> {
        {
            let seen = self.seen();
            if let (Some(StoredConnection { generation, standing: Standing::Live(tokens) }), false) =
                (&seen.row, seen.unwritten)
            {
                return Ok((*generation, tokens.clone()));
            }
        }
        live(self.reload().await?)
    }

    /// Reads the store, after writing what could not be written before.
    pub(crate) async fn reload(&self) -> Result<Option<StoredConnection>, StoreUnavailable> {
        let unwritten = {
            let seen = self.seen();
            if seen.unwritten { seen.row.clone() } else { None }
        };
        if let Some(row) = unwritten {
            match self.shared.store.save(&self.id, Some(row.generation - 1), &row).await {
                Ok(Saved::Stored) => {
                    self.see(row.clone());
                    return Ok(Some(row));
                }
                // Somebody wrote since, perhaps this very row on another task: what stands there is the truth.
                Ok(Saved::Conflict) => {}
                Err(_) => return Ok(Some(row)),
            }
        }
        let row = self.shared.store.load(&self.id).await?;
        match &row {
            Some(row) => self.see(row.clone()),
            None => *self.seen() = Seen::default(),
        }
        Ok(row)
    }

    /// Remembers a row that was read from or written to the store. An older one never displaces one that is not written yet.
    pub(crate) fn see(&self, row: StoredConnection) {
        let mut seen = self.seen();
        let newer_unwritten =
            seen.unwritten && seen.row.as_ref().is_some_and(|unwritten| unwritten.generation > row.generation);
        if !newer_unwritten {
            *seen = Seen { row: Some(row), unwritten: false };
        }
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().expect("invariant: nothing panics while the lock is held")
    }

    /// Tokens that are newer than generation `known`, by refreshing where nobody else has.
    pub(crate) async fn refresh(&self, known: u64, reason: Reason) -> Result<(u64, TokenSet), ConnectionError> {
        let mut flight = self.flight.lock().await;
        // Held to the end: whoever gets it next reads what was written under it.
        let leased = self.shared.store.lease(&self.id).await;
        let read = match &leased {
            Ok(_) => self.reload().await,
            Err(unavailable) => Err(unavailable.clone()),
        };
        let mut row = match read {
            Ok(row) => row,
            // Without the store a refresh could lose its result, so there is none.
            Err(unavailable) => return self.old_from_memory(reason).ok_or(ConnectionError::Store(unavailable)),
        };
        for _ in 0..ROUNDS {
            let (generation, tokens) = live(row)?;
            let now = self.now();
            let wanted = tokens.is_due(now) || (generation == known && reason != Reason::Due);
            if !wanted {
                return Ok((generation, tokens));
            }
            let old = (reason == Reason::Due && tokens.is_alive(now)).then(|| (generation, tokens.clone()));
            if let Some(evidence) = self.shared.open_breaker(now) {
                return old.ok_or(ConnectionError::AppRefused(evidence));
            }
            if let Some(waiting) = self.waiting().clone().filter(|waiting| now < waiting.until(reason)) {
                return old
                    .ok_or(ConnectionError::RefreshFailed { failure: waiting.failure, retry_at: waiting.retry_at });
            }
            let evidence = match self.ask(&mut flight, &tokens, old.is_some()).await {
                Err(NoRefreshToken) => return old.ok_or(ConnectionError::NoRefreshToken(NoRefreshToken)),
                Ok(Ok(tokens)) => {
                    *flight = Flight::default();
                    *self.waiting() = None;
                    self.shared.close_breaker();
                    return self.keep(generation, tokens).await;
                }
                Ok(Err(TokenFailure::Permanent(evidence))) => evidence,
                Ok(Err(TokenFailure::Suspect(evidence))) if flight.suspects as usize > SUSPECT_SPACING.len() => {
                    evidence
                }
                Ok(Err(TokenFailure::Operator(evidence))) => {
                    self.shared.trip_breaker(self.now(), evidence.clone());
                    return old.ok_or(ConnectionError::AppRefused(evidence));
                }
                Ok(Err(failure)) => {
                    let retry_at = self.wait_after(&mut flight, &failure, &tokens);
                    return old.ok_or(ConnectionError::RefreshFailed { failure, retry_at });
                }
            };
            // The refresh token is dead, or somebody else has rotated it: only the store knows which.
            row = self.reload().await?;
            if row.as_ref().is_some_and(|row| row.generation == generation) {
                row = Some(self.give_up(generation, evidence).await?);
            }
        }
        live(row)
    }

    /// Sends the refresh. A caller who has no token to go on with gets a few tries; `has_old` means that there is no hurry.
    async fn ask(
        &self,
        flight: &mut Flight,
        tokens: &TokenSet,
        has_old: bool,
    ) -> Result<Result<TokenSet, TokenFailure>, NoRefreshToken> {
        let (shared, outside) = (&self.shared, &self.shared.outside);
        let mut unanswered = 0;
        for tried in 1.. {
            let (request, sent) = refresh::request(&shared.provider, &shared.app, tokens, self.now())?;
            let answer = outside.transport.send(&request).await;
            let failure = match sent.read(answer, self.now()) {
                Ok(tokens) => return Ok(Ok(tokens)),
                Err(failure) => failure,
            };
            match failure {
                TokenFailure::Transient { .. } | TokenFailure::Ambiguous(_) => flight.failures += 1,
                TokenFailure::Suspect(_) => flight.suspects += 1,
                TokenFailure::Permanent(_) | TokenFailure::Operator(_) => {}
            }
            unanswered += u32::from(matches!(failure, TokenFailure::Ambiguous(_)));
            let passing = matches!(failure, TokenFailure::Transient { .. } | TokenFailure::Ambiguous(_));
            let wait = Backoff::default().wait(flight.failures, &failure, outside.entropy.as_ref());
            if has_old || !passing || tried >= TRIES || unanswered > 1 || wait > backoff::PATIENCE {
                return Ok(Err(failure));
            }
            outside.pause.pause(wait).await;
        }
        unreachable!("invariant: the loop ends by return")
    }

    /// Notes when the next try is.
    fn wait_after(&self, flight: &mut Flight, failure: &TokenFailure, tokens: &TokenSet) -> Timestamp {
        let now = self.now();
        let seconds = match failure {
            TokenFailure::Suspect(_) => {
                SUSPECT_SPACING[(flight.suspects.max(1) as usize - 1).min(SUSPECT_SPACING.len() - 1)]
            }
            _ => {
                let wait = Backoff::default().wait(flight.failures, failure, self.shared.outside.entropy.as_ref());
                i64::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(i64::MAX)
            }
        };
        let retry_at = now.plus(seconds);
        let late_until = tokens.expires_at.filter(|_| matches!(failure, TokenFailure::Ambiguous(_)));
        *self.waiting() = Some(Waiting { failure: failure.clone(), retry_at, late_until });
        retry_at
    }

    /// Writes new tokens. If the store fails they stay in memory, in use, and are written as soon as it is back.
    async fn keep(&self, replaces: u64, tokens: TokenSet) -> Result<(u64, TokenSet), ConnectionError> {
        let mut replaces = replaces;
        for tried in 1..=SAVE_TRIES {
            let next = StoredConnection { generation: replaces + 1, standing: Standing::Live(tokens.clone()) };
            match self.shared.store.save(&self.id, Some(replaces), &next).await {
                Ok(Saved::Stored) => {
                    self.see(next);
                    return Ok((replaces + 1, tokens));
                }
                Ok(Saved::Conflict) => match self.shared.store.load(&self.id).await {
                    // Another process refreshed or the user has connected again: that is kept already, so use it.
                    Ok(Some(row)) if matches!(row.standing, Standing::Live(_)) => {
                        self.see(row.clone());
                        return live(Some(row));
                    }
                    // Another process was told that the token is dead, because ours had just replaced it.
                    Ok(Some(row)) => replaces = row.generation,
                    // Removed meanwhile, and that stays so.
                    Ok(None) => return Err(ConnectionError::NotConnected),
                    Err(_) => self.shared.outside.pause.pause(SAVE_PAUSE).await,
                },
                Err(_) if tried < SAVE_TRIES => self.shared.outside.pause.pause(SAVE_PAUSE).await,
                Err(_) => {}
            }
        }
        let row = StoredConnection { generation: replaces + 1, standing: Standing::Live(tokens.clone()) };
        *self.seen() = Seen { row: Some(row), unwritten: true };
        Ok((replaces + 1, tokens))
    }

    /// The authority has said no and the store knows nothing newer. Gives what stands there then.
    async fn give_up(&self, replaces: u64, evidence: Evidence) -> Result<StoredConnection, ConnectionError> {
        let standing = Standing::ReauthRequired(ReauthRequired { since: self.now(), evidence });
        let next = StoredConnection { generation: replaces + 1, standing };
        match self.shared.store.save(&self.id, Some(replaces), &next).await {
            Ok(Saved::Stored) => self.see(next.clone()),
            Ok(Saved::Conflict) => return self.reload().await?.ok_or(ConnectionError::NotConnected),
            // Kept in memory all the same: asking again with a dead token helps nobody.
            Err(_) => *self.seen() = Seen { row: Some(next.clone()), unwritten: true },
        }
        Ok(next)
    }

    /// The token from memory, for a caller who can go on with it.
    fn old_from_memory(&self, reason: Reason) -> Option<(u64, TokenSet)> {
        let (generation, tokens) = live(self.seen().row.clone()).ok()?;
        (reason == Reason::Due && tokens.is_alive(self.now())).then_some((generation, tokens))
    }
}

/// The tokens of a row that can be used.
pub(crate) fn live(row: Option<StoredConnection>) -> Result<(u64, TokenSet), ConnectionError> {
    let row = row.ok_or(ConnectionError::NotConnected)?;
    match row.standing {
        Standing::Live(tokens) => Ok((row.generation, tokens)),
        Standing::ReauthRequired(why) => Err(ConnectionError::ReauthRequired(why)),
    }
}
