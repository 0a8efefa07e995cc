//! Feeds a gate from an authority in another process: the revocation feed by long polls, and the published keys.
//!
//! What it cannot read, it does not claim to have read: the gate is marked synced only by an answer that is complete, whose keys are in
//! force and whose entries were all understood. Clocks of two machines are never compared for that, only differences within one.

mod authority_client;
mod status;

pub use authority_client::{FollowConfig, FollowProblem, UnsafeAuthority};
pub use status::FollowStatus;

use crate::gate::Gate;
use authority_client::AuthorityClient;
use keyfob_protocol::revocation::RevocationNews;
use keyfob_protocol::time::MINUTE;
use keyfob_protocol::{Clock, Timestamp};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval, sleep};

/// From one poll to the next at least, so that an authority which does not wait, or has news without end, is not asked without end.
const PACE: Duration = Duration::from_millis(200);
/// After a failure, doubled with each further one up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// A gate that lost its authority for a moment should know again within about a second.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// After the authority refused our name and secret: a person has to act, and guesses should not look like an attack.
const REFUSED_PAUSE: Duration = Duration::from_secs(10);
/// Seconds after which the keys are fetched although nothing said that they changed.
const KEYS_AGE: i64 = 5 * MINUTE;
/// Seconds after a change of keys at which they are fetched once more: another node may have answered that had not heard of it yet.
const KEYS_SECOND_LOOK: i64 = 5;
/// Seconds without news that are worth an alarm.
pub const ALARM_AFTER: i64 = 5;
/// Seconds by which our clock may depart from the authority's without a warning. Tokens live and die by our clock.
pub const TOLERATED_SKEW: i64 = 60;

/// Follows an authority for one gate.
pub struct Follower {
    gate: Arc<Gate>,
    clock: Arc<dyn Clock>,
    authority: AuthorityClient,
    status: Arc<FollowStatus>,
}

/// How far following has come.
#[derive(Default)]
struct Position {
    cursor: Option<String>,
    keys: Option<FetchedKeys>,
    /// Until then an entry that could not be read may concern a live token.
    unreadable_until: Option<Timestamp>,
}

/// The keys that were last put in force.
struct FetchedKeys {
    /// As the feed named them.
    name: String,
    /// When to fetch them again anyway.
    due: Timestamp,
}

impl Follower {
    /// Follows nothing yet: [`Follower::run`] does.
    ///
    /// # Errors
    /// [`UnsafeAuthority`] if the secret would travel in clear, or this machine has no certificate authorities to check the
    /// authority's certificate with.
    pub fn new(gate: Arc<Gate>, config: &FollowConfig, clock: Arc<dyn Clock>) -> Result<Follower, UnsafeAuthority> {
        let authority = AuthorityClient::new(config)?;
        Ok(Follower { gate, clock, authority, status: Arc::default() })
    }

    /// How it goes: for metrics.
    pub fn status(&self) -> Arc<FollowStatus> {
        self.status.clone()
    }

    /// Follows until it is dropped.
    pub async fn run(self) -> Infallible {
        tokio::join!(self.poll(), self.watch()).0
    }

    async fn poll(&self) -> Infallible {
        let mut position = Position::default();
        let mut pause = FIRST_PAUSE;
        let mut problem: Option<String> = None;
        loop {
            // Begins to run down now, while the authority is asked.
            let pace = sleep(PACE);
            match self.step(&mut position).await {
                Ok(complete) => {
                    if problem.take().is_some() {
                        tracing::info!("the authority is followed again");
                    }
                    pause = FIRST_PAUSE;
                    if complete {
                        pace.await;
                    }
                }
                Err(error) => {
                    self.status.count_failure();
                    let told = error.to_string();
                    if problem.as_ref() != Some(&told) {
                        match error {
                            FollowProblem::Refused | FollowProblem::OtherIssuer { .. } => tracing::error!("{told}"),
                            _ => tracing::warn!(problem = told, "the authority cannot be followed; trying again"),
                        }
                        problem = Some(told);
                    }
                    if matches!(error, FollowProblem::BadRequest) {
                        // It may be our cursor that it does not like.
                        position.cursor = None;
                    }
                    sleep(self.pause_after(&error, pause)).await;
                    pause = LONGEST_PAUSE.min(pause * 2);
                }
            }
        }
    }

    fn pause_after(&self, problem: &FollowProblem, pause: Duration) -> Duration {
        match problem {
            FollowProblem::Refused | FollowProblem::OtherIssuer { .. } => REFUSED_PAUSE,
            FollowProblem::Unavailable { retry_after: Some(seconds) } => pause.max(*seconds),
            _ => pause,
        }
    }

    /// One look at the feed. Says whether it was the last of those that bring us up to date.
    async fn step(&self, position: &mut Position) -> Result<bool, FollowProblem> {
        let asked_at = self.clock.now();
        let news = self.authority.news(position.cursor.as_deref()).await?;
        if let Some(published) = news.issuer.as_ref().filter(|published| *published != self.gate.issuer()) {
            let (published, expected) = (published.clone(), self.gate.issuer().to_owned());
            return Err(FollowProblem::OtherIssuer { published, expected });
        }
        let now = self.clock.now();
        self.note_skew(now.since(news.time));
        self.insert(&news, position);
        if !news.complete && news.cursor == position.cursor {
            return Err(FollowProblem::NoProgress);
        }
        position.cursor.clone_from(&news.cursor);
        self.refresh_keys(&news.keys, now, position).await?;
        if !news.complete {
            return Ok(false);
        }
        position.unreadable_until.take_if(|until| *until <= now);
        if position.unreadable_until.is_none() {
            let behind = news.time.since(news.synced_at).max(0);
            self.gate.revocations().mark_synced(asked_at.plus(-behind));
        }
        Ok(true)
    }

    fn insert(&self, news: &RevocationNews, position: &mut Position) {
        for revocation in &news.revocations {
            if let Err(unreadable) = self.gate.revocations().insert(revocation) {
                let until = Some(revocation.until);
                if position.unreadable_until < until {
                    tracing::error!(%unreadable, "the gate is not up to date while this entry is in force; is the authority newer than this gate?");
                    position.unreadable_until = until;
                }
            }
        }
    }

    /// Fetches the keys where the feed names others than are in force, or they have grown old.
    async fn refresh_keys(&self, named: &str, now: Timestamp, position: &mut Position) -> Result<(), FollowProblem> {
        let changed = position.keys.as_ref().is_none_or(|keys| keys.name != named);
        let due = position.keys.as_ref().is_none_or(|keys| keys.due <= now);
        if !changed && !due {
            return Ok(());
        }
        let fetched = match self.authority.keys().await {
            Ok(set) => self.gate.set_keys(&set).map_err(FollowProblem::Keys),
            Err(problem) => Err(problem),
        };
        let due = now.plus(if changed { KEYS_SECOND_LOOK } else { KEYS_AGE });
        match fetched {
            // The feed says that nothing has changed, so those in force are right.
            Err(problem) if !changed => tracing::warn!(%problem, "the keys could not be fetched again"),
            other => other?,
        }
        position.keys = Some(FetchedKeys { name: named.to_owned(), due });
        Ok(())
    }

    fn note_skew(&self, seconds: i64) {
        let was_tolerable = self.status.skew_is_tolerable();
        self.status.note_skew(seconds);
        match (was_tolerable, self.status.skew_is_tolerable()) {
            (true, false) => {
                tracing::warn!(seconds, "this machine's clock departs from the authority's; tokens expire by this one");
            }
            (false, true) => tracing::info!(seconds, "this machine's clock agrees with the authority's again"),
            _ => {}
        }
    }

    /// The alarm, and the freeing of memory.
    async fn watch(&self) {
        let since = self.clock.now();
        let (mut silent, mut forgotten_at) = (false, since);
        let mut pace = interval(Duration::from_secs(1));
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            pace.tick().await;
            let now = self.clock.now();
            let seconds = self.gate.seconds_without_news().unwrap_or_else(|| now.since(since));
            if (seconds > ALARM_AFTER) != silent {
                silent = !silent;
                if silent {
                    tracing::error!(seconds, "no news from the authority; tokens revoked since then still pass");
                } else {
                    tracing::info!("there is news from the authority again");
                }
            }
            if now.since(forgotten_at) >= MINUTE {
                self.gate.forget_expired();
                forgotten_at = now;
            }
        }
    }
}
