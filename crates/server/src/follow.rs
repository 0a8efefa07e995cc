//! What a node does besides answering: follow the store, tick, sweep, and judge its own health.
//!
//! A change that another process made (the command line, another node) acts here within a quarter of a second and a little. Without a complete
//! reading of the store the node is not ready and its gate serves nothing.

mod tick;

pub use tick::{MemoryMark, TickMark};

use crate::clock_health::ClockHealth;
use crate::doorway::Doorway;
use crate::feed::FeedHead;
use keyfob_authority::Fault;
use keyfob_authority::open::{CLOCK_TOLERANCE, OpenError, Opener};
use keyfob_authority::sweep::{MAX_PAUSE, SweepPlace};
use keyfob_protocol::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::time::{MissedTickBehavior, interval};

/// How often the store is asked for news where nobody tells of it. A change acts within a second (matrix BR-09).
const POLL: Duration = Duration::from_millis(250);
/// How often the store is asked whether it can be written to.
const PROBE: Duration = Duration::from_secs(5);
/// Between two small steps of the sweeper.
const SWEEP: Duration = Duration::from_millis(250);
/// Between two rounds of the sweeper, in seconds.
const SWEEP_ROUND: i64 = 3600;
/// From one look to the next at least, however much news there is.
const BREATH: Duration = Duration::from_millis(5);

/// What following needs beside the doorway.
pub(crate) struct Follower {
    pub(crate) doorway: Arc<Doorway>,
    pub(crate) opener: Opener,
    pub(crate) clock_health: Arc<dyn ClockHealth>,
    pub(crate) tick_mark: Arc<dyn TickMark>,
}

/// Why a node cannot follow its store.
#[derive(Debug, Error)]
pub enum FollowError {
    /// The store or the randomness failed.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The keys do not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The gate cannot use the keys or an entry of the feed.
    #[error("{0}")]
    Gate(String),
}

/// How far following has come.
#[derive(Default)]
struct Position {
    settings_version: Option<i64>,
    /// In the revocation feed.
    cursor: Option<String>,
}

impl Follower {
    /// Reads the store completely once, and then follows it until the returned tasks are dropped.
    pub(crate) async fn start(self) -> Result<Followed, FollowError> {
        let follower = Arc::new(self);
        let mut position = Position::default();
        follower.step(&mut position).await?;
        follower.judge_clock();
        follower.raise_tick().await?;
        follower.doorway.readiness.set_followed();
        let tasks = vec![
            tokio::spawn(follower.clone().follow(position)),
            tokio::spawn(follower.clone().watch_health()),
            tokio::spawn(follower.clone().watch_tick()),
            tokio::spawn(follower.clone().sweep()),
        ];
        Ok(Followed { follower, tasks })
    }

    async fn follow(self: Arc<Self>, mut position: Position) {
        let mut pace = interval(POLL);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut problem: Option<String> = None;
        loop {
            let Doorway { authority, feed, .. } = &*self.doorway;
            tokio::select! {
                _ = pace.tick() => {}
                () = authority.store().news() => tokio::time::sleep(BREATH).await,
                () = feed.nudged() => tokio::time::sleep(BREATH).await,
            }
            match self.step(&mut position).await {
                Err(FollowError::Open(moved @ OpenError::Moved(_))) => return self.give_up(&moved).await,
                Err(error) => {
                    // Once, not four times a second. Keys that do not open are told as such, and hold up nothing else.
                    let told = error.to_string();
                    if !matches!(error, FollowError::Open(_)) && problem.as_ref() != Some(&told) {
                        tracing::warn!(error = told, "the store could not be followed; trying again");
                    }
                    problem = Some(told);
                }
                Ok(()) => problem = None,
            }
            let gate = &self.doorway.gate;
            let metrics = &self.doorway.metrics;
            metrics.note_lag(gate.revocations().synced_at(), self.doorway.now());
            metrics.revocations.set(gate.revocations().len() as i64);
        }
    }

    /// One look at the store: settings, keys, revocations. Revocations are read also where the keys cannot be.
    async fn step(&self, position: &mut Position) -> Result<(), FollowError> {
        let settings = self.follow_settings(position).await;
        self.follow_revocations(position).await?;
        settings
    }

    async fn follow_settings(&self, position: &mut Position) -> Result<(), FollowError> {
        let Doorway { authority, gate, readiness, .. } = &*self.doorway;
        let version = authority.store().settings_version().await.map_err(Fault::from)?;
        if position.settings_version != Some(version) {
            let opened = self.opener.keys(&**authority.store()).await;
            // A store that fails says nothing of its keys; that is for the probe to find. One that was moved away is given up.
            let unread =
                opened.as_ref().is_err_and(|error| !matches!(error, OpenError::Fault(_) | OpenError::Moved(_)));
            let was_unread = readiness.set_keys_unread(unread);
            match (&opened, was_unread) {
                (Err(OpenError::Fault(_) | OpenError::Moved(_)), _) => {}
                (Err(error), false) => {
                    tracing::error!(%error, "the store's keys cannot be opened; this node is not ready")
                }
                (Ok(_), true) => tracing::info!("the store's keys can be opened again"),
                _ => {}
            }
            authority.reload(Some(opened?));
            position.settings_version = Some(version);
        }
        // Also without news: a key is published for as long as its tokens live.
        gate.set_keys(&authority.jwks(self.doorway.now())).map_err(|error| FollowError::Gate(error.to_string()))
    }

    async fn follow_revocations(&self, position: &mut Position) -> Result<(), FollowError> {
        let Doorway { authority, gate, feed, .. } = &*self.doorway;
        loop {
            let read_at = self.doorway.now();
            let page = authority.feed_page(position.cursor.as_deref()).await?;
            for revocation in &page.revocations {
                gate.revocations().insert(revocation).map_err(|error| FollowError::Gate(error.to_string()))?;
            }
            position.cursor = page.cursor;
            if page.complete {
                gate.revocations().mark_synced(read_at);
                feed.advance(FeedHead { cursor: position.cursor.clone(), synced_at: Some(read_at) });
                return Ok(());
            }
        }
    }

    /// The rows were moved away under this node. What it read here would no longer be true, so the store is closed and every request that
    /// needs it is answered as if it were down.
    async fn give_up(&self, moved: &OpenError) {
        let Doorway { authority, readiness, .. } = &*self.doorway;
        readiness.set_store_moved();
        tracing::error!(error = %moved, "the rows of this store were moved away; this node is not ready");
        authority.store().close().await;
    }

    async fn watch_health(self: Arc<Self>) {
        let mut pace = interval(PROBE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            pace.tick().await;
            let Doorway { authority, readiness, metrics, .. } = &*self.doorway;
            let probe = authority.store().probe().await;
            let was_down = readiness.set_store_down(probe.is_err());
            match (&probe, was_down) {
                (Err(error), false) => {
                    tracing::error!(%error, "the store cannot be written to; this node is not ready")
                }
                (Ok(()), true) => tracing::info!("the store can be written to again"),
                _ => {}
            }
            self.judge_clock();
            metrics.ready.set(i64::from(readiness.reasons().is_empty()));
        }
    }

    /// Says once that the clock cannot be believed, and once that it can again.
    fn judge_clock(&self) {
        let problem = self.clock_health.problem();
        let was_wrong = self.doorway.readiness.set_clock_wrong(problem.is_some());
        match (problem, was_wrong) {
            (Some(problem), false) => tracing::error!(problem, "the clock cannot be believed; this node is not ready"),
            (None, true) => tracing::info!("the clock can be believed again"),
            _ => {}
        }
    }

    /// Whether a time in the store lies too far ahead of the clock: one of the two is wrong.
    fn judge_stored_time(&self, stored: Timestamp) -> bool {
        let ahead = stored.since(self.doorway.now());
        let too_far = ahead > CLOCK_TOLERANCE;
        if too_far && !self.doorway.readiness.set_stored_time_ahead(true) {
            tracing::error!(
                ahead,
                "the store holds a time this many seconds ahead of this machine's clock; this node is not ready"
            );
        }
        if !too_far && self.doorway.readiness.set_stored_time_ahead(false) {
            tracing::info!("the clock has caught up with the store");
        }
        too_far
    }

    /// Small steps without end; a round, then a pause. A clock that jumped far stops it: a wrong clock may refuse, it never deletes.
    async fn sweep(self: Arc<Self>) {
        let mut pace = interval(SWEEP);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut next = SweepPlace::START;
        let mut round_done_at: Option<Timestamp> = None;
        loop {
            pace.tick().await;
            let now = self.doorway.now();
            let since = round_done_at.map(|done| now.since(done));
            if since.is_some_and(|since| (0..SWEEP_ROUND).contains(&since))
                || !self.doorway.readiness.reasons().is_empty()
            {
                continue;
            }
            if since.is_some_and(|since| !(0..=MAX_PAUSE).contains(&since)) {
                tracing::error!(
                    "the time since the last sweep is implausible; nothing is swept until it is plausible again"
                );
                round_done_at = Some(now);
                continue;
            }
            match self.doorway.authority.sweep(next, now).await {
                Ok(step) => {
                    self.doorway.metrics.swept.inc_by(step.removed);
                    if step.next.is_none() {
                        round_done_at = Some(now);
                    }
                    next = step.next.unwrap_or(SweepPlace::START);
                }
                Err(error) => tracing::warn!(%error, "a step of the sweeper failed"),
            }
        }
    }
}

/// The tasks of a node; they end when this is dropped.
pub struct Followed {
    follower: Arc<Follower>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Followed {
    /// Ends them, notes what ended since they last looked, and writes what apps did. For after the last request was answered.
    pub async fn stop(self) {
        if let Err(error) = self.follower.doorway.authority.write_usage().await {
            tracing::warn!(%error, "what apps did in the last minute could not be written; it is lost");
        }
        if let Err(error) = self.follower.look_at_tick().await {
            tracing::warn!(%error, "the tick could not be noted; a store that goes back may go unnoticed");
        }
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}
