//! The refresh behind a connection: one at a time, never without reading the store first, never giving up a live grant.
//!
//! Runs on a task of its own while the flight's lock is held (matrix CL-05, CL-06). Order: lock in this process, lease between
//! nodes, read the row again, open the intent, send, write and close the intent, end the lease. An intent that is found open says that an
//! earlier refresh of this very token may have reached the authority: it is sent again, and a "no" then means a lost reply.

use crate::backoff::{self, Backoff};
use crate::connection::{ConnectionError, Held};
use crate::fail_points::reach;
use crate::refresh::{self, NoRefreshToken};
use crate::seen::live;
use crate::store::{Fence, Intent, IntentFate, LeaseAnswer, Leased, Saved, StoreUnavailable};
use crate::stored::{LostReply, ReauthRequired, Standing, StoredConnection, TroubleKind};
use crate::token_failure::{Evidence, TokenFailure, TransientCause};
use crate::tokens::TokenSet;
use keyfob_protocol::Timestamp;
use std::time::Duration;

/// Tries of a refresh while a caller has no usable token and waits.
const TRIES: u32 = 3;
/// Seconds between tries after an answer that nobody understands. After the last one the user has to connect again.
const SUSPECT_SPACING: [i64; 3] = [60, 5 * 60, 30 * 60];
/// Seconds between two looks whether a locked account is open again.
const LOCKED_SPACING: i64 = 30;
/// Other processes may refresh as well. Each time the store has moved on its tokens are tried, but not for ever.
const ROUNDS: u32 = 3;
/// Seconds that a lease lasts without a sign of life. Longer than a request, and short for whoever waits after a crash.
pub(crate) const LEASE: i64 = 30;
/// Between signs of life.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// Between looks at a lease that somebody else holds.
const LEASE_PAUSE: Duration = Duration::from_millis(100);
/// Looks at it, about a minute in all, before the caller is told to come back.
const LEASE_LOOKS: u32 = 600;

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

/// What a row says about a wish to refresh.
enum Verdict {
    /// These are good.
    Use(u64, TokenSet),
    /// They are to be refreshed. `old` if a caller can go on with them as they are.
    Refresh { tokens: TokenSet, old: Option<(u64, TokenSet)> },
}

/// How one turn under a lease ended.
enum Turn {
    Done(Result<(u64, TokenSet), ConnectionError>),
    /// The store has moved on.
    Again,
}

/// What was asked and what came of it.
struct Asked {
    outcome: Result<TokenSet, TokenFailure>,
    /// The authority may have acted on a request that brought no tokens.
    may_have_acted: bool,
}

impl Held {
    /// Tokens that are newer than generation `known`, by refreshing where nobody else has.
    pub(crate) async fn refresh(&self, known: u64, reason: Reason) -> Result<(u64, TokenSet), ConnectionError> {
        let mut flight = self.flight.lock().await;
        let row = match self.reload().await {
            Ok(row) => row,
            // Without the store a refresh could lose its result, so there is none.
            Err(unavailable) => return self.old_from_memory(reason).ok_or(ConnectionError::Store(unavailable)),
        };
        let mut old = match self.judge(row, known, reason) {
            Ok(Verdict::Use(generation, tokens)) => return Ok((generation, tokens)),
            Ok(Verdict::Refresh { old, .. }) => old,
            Err(ConnectionError::NoRefreshToken(none)) => {
                if let Some(row) = self.last_seen() {
                    self.note_unrenewable(&row, reason == Reason::Refused).await;
                }
                return Err(none.into());
            }
            Err(error) => return Err(error),
        };
        if self.is_unwritten() {
            // What stands in the store is spent. To refresh from there would spend it twice.
            let unwritten = StoreUnavailable("the tokens of the last refresh are not written yet".to_owned());
            return old.ok_or(ConnectionError::Store(unwritten));
        }
        for _ in 0..ROUNDS {
            reach("refresh.before_lease");
            let leased = match self.lease(known, reason, old.clone()).await {
                Ok(Ok(leased)) => leased,
                Ok(Err(settled)) => return Ok(settled),
                Err(error) => return old.ok_or(error),
            };
            reach("refresh.leased");
            match self.turn(&mut flight, leased, known, reason).await {
                Turn::Done(done) => return done,
                Turn::Again => old = None,
            }
        }
        live(self.reload().await?)
    }

    /// The lease; or tokens, where they suffice: the caller's own while they live, or what the holder of the lease has brought.
    async fn lease(
        &self,
        known: u64,
        reason: Reason,
        old: Option<(u64, TokenSet)>,
    ) -> Result<Result<Leased, (u64, TokenSet)>, ConnectionError> {
        let mut free_at = self.now();
        for _ in 0..LEASE_LOOKS {
            let now = self.now();
            match self.shared.store.take_lease(&self.id, now, now.plus(LEASE)).await? {
                LeaseAnswer::Taken(leased) => return Ok(Ok(*leased)),
                LeaseAnswer::Held { until } => free_at = until,
            }
            if let Some(old) = old {
                return Ok(Err(old));
            }
            self.shared.outside.pause.pause(LEASE_PAUSE).await;
            if let Verdict::Use(generation, tokens) = self.judge(self.reload().await?, known, reason)? {
                return Ok(Err((generation, tokens)));
            }
        }
        Err(ConnectionError::RefreshElsewhere { retry_at: free_at })
    }

    /// Whether these tokens are to be refreshed now. Errors where that is impossible or not to be tried yet and nothing is left to go on with.
    fn judge(&self, row: Option<StoredConnection>, known: u64, reason: Reason) -> Result<Verdict, ConnectionError> {
        let (generation, tokens) = live(row)?;
        let now = self.now();
        if !tokens.is_due(now) && (generation != known || reason == Reason::Due) {
            return Ok(Verdict::Use(generation, tokens));
        }
        let old = (reason == Reason::Due && tokens.is_alive(now)).then(|| (generation, tokens.clone()));
        let obstacle = if let Some(refused) = self.shared.open_breaker(now) {
            refused
        } else if let Some(waiting) = self.waiting().clone().filter(|waiting| now < waiting.until(reason)) {
            ConnectionError::RefreshFailed { failure: waiting.failure, retry_at: waiting.retry_at }
        } else if tokens.refresh_token.is_none() {
            ConnectionError::NoRefreshToken(NoRefreshToken)
        } else {
            return Ok(Verdict::Refresh { tokens, old });
        };
        old.map(|(generation, tokens)| Verdict::Use(generation, tokens)).ok_or(obstacle)
    }

    /// One refresh under a lease.
    async fn turn(&self, flight: &mut Flight, leased: Leased, known: u64, reason: Reason) -> Turn {
        let Leased { fence, row, open } = leased;
        self.see(row.clone());
        let verdict = self.judge(row.clone(), known, reason);
        let (Some(row), Ok(Verdict::Refresh { tokens, old })) = (row, &verdict) else {
            self.release(fence, IntentFate::StaysOpen).await;
            return Turn::Done(match verdict {
                Ok(Verdict::Use(generation, tokens)) => Ok((generation, tokens)),
                Err(error) => Err(error),
                Ok(Verdict::Refresh { .. }) => Err(ConnectionError::NotConnected),
            });
        };
        let intent = match self.open_intent(fence, &row, tokens, open.as_ref()).await {
            Ok(Some(intent)) => intent,
            Ok(None) => {
                self.release(fence, IntentFate::StaysOpen).await;
                return Turn::Again;
            }
            Err(error) => {
                self.release(fence, IntentFate::StaysOpen).await;
                return Turn::Done(old.clone().ok_or(error));
            }
        };
        let was_open = open.is_some_and(|open| open.concerns_the_same_token(&intent));
        let asked = tokio::select! {
            asked = self.ask(flight, tokens, old.is_some()) => asked,
            never = self.show_life(fence) => match never {},
        };
        let Asked { outcome, may_have_acted } = match asked {
            Ok(asked) => asked,
            Err(none) => {
                self.release(fence, IntentFate::NothingHappened).await;
                return Turn::Done(old.clone().ok_or(ConnectionError::NoRefreshToken(none)));
            }
        };
        reach("refresh.answered");
        let may_have_acted = may_have_acted || was_open;
        let fate = if may_have_acted { IntentFate::StaysOpen } else { IntentFate::NothingHappened };
        let standing = match outcome {
            Ok(tokens) => {
                *flight = Flight::default();
                *self.waiting() = None;
                self.shared.close_breaker();
                Standing::Live(tokens)
            }
            Err(TokenFailure::Permanent(evidence)) if may_have_acted => {
                let refused = Some(intent.digest);
                Standing::LostReply(LostReply { since: self.now(), begun_at: intent.begun_at, evidence, refused })
            }
            Err(TokenFailure::Permanent(evidence)) => self.reauth_required(evidence, &intent),
            Err(TokenFailure::Suspect(evidence)) if flight.suspects as usize > SUSPECT_SPACING.len() => {
                self.reauth_required(evidence, &intent)
            }
            Err(TokenFailure::Operator(evidence)) => {
                let refused = self.shared.trip_breaker(self.now(), evidence);
                self.release(fence, fate).await;
                return Turn::Done(old.clone().ok_or(refused));
            }
            Err(failure) => {
                let retry_at = self.wait_after(flight, &failure, tokens);
                self.release(fence, fate).await;
                reach("refresh.released");
                let trouble = if failure.is_locked() { TroubleKind::AccountLocked } else { TroubleKind::Degraded };
                // A locked account stays what it is called: the outage passes sooner.
                if row.trouble.is_none() {
                    self.note(row.generation, trouble, failure.to_string()).await;
                }
                return Turn::Done(old.clone().ok_or(ConnectionError::RefreshFailed { failure, retry_at }));
            }
        };
        self.conclude(fence, row, standing, fate).await
    }

    fn reauth_required(&self, evidence: Evidence, intent: &Intent) -> Standing {
        Standing::ReauthRequired(ReauthRequired { since: self.now(), evidence, refused: Some(intent.digest) })
    }

    /// Writes what the authority has decided. Before a "no" is believed the store is read once more: the user may have connected again.
    async fn conclude(&self, fence: Fence, before: StoredConnection, standing: Standing, fate: IntentFate) -> Turn {
        let is_live = matches!(standing, Standing::Live(_));
        if !is_live {
            reach("refresh.before_no");
            match self.shared.store.load(&self.id).await {
                Ok(Some(row)) if row.generation == before.generation => {}
                Ok(row) => {
                    self.see(row);
                    self.release(fence, IntentFate::StaysOpen).await;
                    return Turn::Again;
                }
                Err(unavailable) => {
                    self.release(fence, fate).await;
                    return Turn::Done(Err(ConnectionError::Store(unavailable)));
                }
            }
        }
        // The account may still be locked; only a call can tell, and a refresh says nothing about it.
        let trouble = before.trouble.clone().filter(|trouble| is_live && trouble.kind == TroubleKind::AccountLocked);
        let is_the_same_state = is_live && trouble.is_some() == before.trouble.is_some();
        let since = if is_the_same_state { before.since } else { self.now() };
        let identity = before.identity.clone();
        let next = StoredConnection { generation: before.generation + 1, standing, since, trouble, identity };
        Turn::Done(self.keep(fence, &before, next).await.and_then(|row| live(Some(row))))
    }

    /// Writes what is about to be sent, unless an earlier refresh of the same token is open. `None`: the lease is lost.
    async fn open_intent(
        &self,
        fence: Fence,
        row: &StoredConnection,
        tokens: &TokenSet,
        open: Option<&Intent>,
    ) -> Result<Option<Intent>, ConnectionError> {
        let intent = Intent::of(row.generation, tokens, self.now()).ok_or(NoRefreshToken)?;
        if let Some(open) = open.filter(|open| open.concerns_the_same_token(&intent)) {
            return Ok(Some(open.clone()));
        }
        reach("refresh.before_intent");
        let saved = self.shared.store.open_intent(&self.id, fence, &intent).await?;
        reach("refresh.intent_open");
        Ok((saved == Saved::Stored).then_some(intent))
    }

    /// Ends a lease that brought nothing. Where the store fails it runs out by itself.
    async fn release(&self, fence: Fence, intent: IntentFate) {
        drop(self.shared.store.release(&self.id, fence, intent).await);
    }

    /// Prolongs the lease as long as it is polled.
    async fn show_life(&self, fence: Fence) -> std::convert::Infallible {
        loop {
            tokio::time::sleep(HEARTBEAT).await;
            // If it is lost the answer is awaited all the same: a redemption that is under way is not called back.
            drop(self.shared.store.prolong(&self.id, fence, self.now().plus(LEASE)).await);
        }
    }

    /// Sends the refresh. A caller who has no token to go on with gets a few tries; `has_old` means that there is no hurry.
    async fn ask(&self, flight: &mut Flight, tokens: &TokenSet, has_old: bool) -> Result<Asked, NoRefreshToken> {
        let (shared, outside) = (&self.shared, &self.shared.outside);
        let mut unanswered = 0;
        let mut may_have_acted = false;
        for tried in 1.. {
            let (request, sent) = refresh::request(&shared.provider, &shared.app, tokens, self.now())?;
            reach("refresh.before_send");
            let answer = outside.transport.send(&request).await;
            let failure = match sent.read(answer, self.now()) {
                Ok(tokens) => return Ok(Asked { outcome: Ok(tokens), may_have_acted }),
                Err(failure) => failure,
            };
            match failure {
                // Not a matter of seconds, and nobody's outage.
                _ if failure.is_locked() => {}
                TokenFailure::Transient { .. } | TokenFailure::Ambiguous(_) => flight.failures += 1,
                TokenFailure::Suspect(_) => flight.suspects += 1,
                TokenFailure::Permanent(_) | TokenFailure::Operator(_) => {}
            }
            may_have_acted |= leaves_open(&failure);
            unanswered += u32::from(matches!(failure, TokenFailure::Ambiguous(_)));
            let passing =
                matches!(failure, TokenFailure::Transient { .. } | TokenFailure::Ambiguous(_)) && !failure.is_locked();
            let wait = Backoff::default().wait(flight.failures, &failure, outside.entropy.as_ref());
            if has_old || !passing || tried >= TRIES || unanswered > 1 || wait > backoff::PATIENCE {
                return Ok(Asked { outcome: Err(failure), may_have_acted });
            }
            outside.pause.pause(wait).await;
        }
        unreachable!("invariant: the loop ends by return")
    }

    /// Notes when the next try is.
    fn wait_after(&self, flight: &mut Flight, failure: &TokenFailure, tokens: &TokenSet) -> Timestamp {
        let now = self.now();
        let seconds = match failure {
            _ if failure.is_locked() => LOCKED_SPACING,
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

    /// The token from memory, for a caller who can go on with it.
    fn old_from_memory(&self, reason: Reason) -> Option<(u64, TokenSet)> {
        let (generation, tokens) = live(self.last_seen()).ok()?;
        (reason == Reason::Due && tokens.is_alive(self.now())).then_some((generation, tokens))
    }
}

/// Whether the authority may have redeemed the token although no tokens came. A gateway's error hides whatever happened behind it; "too
/// many requests" and "not now" are said before anything happens.
fn leaves_open(failure: &TokenFailure) -> bool {
    match failure {
        TokenFailure::Ambiguous(_) => true,
        TokenFailure::Transient { cause: TransientCause::Network(_) | TransientCause::Locked(_), .. } => false,
        TokenFailure::Transient { cause: TransientCause::NotJson(_), .. } => true,
        TokenFailure::Transient { cause: TransientCause::Busy(evidence), .. } => {
            !matches!(evidence.status, 408 | 425 | 429 | 503)
        }
        TokenFailure::Suspect(evidence) => evidence.status < 300,
        TokenFailure::Permanent(_) | TokenFailure::Operator(_) => false,
    }
}
