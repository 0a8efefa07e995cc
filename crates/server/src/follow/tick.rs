//! The store's tick, and whether the store went back: restored from a backup, or a failover lost writes (matrix OP-02).
//!
//! The tick grows with every ending and every administration. The highest that a node has seen is kept outside the store; a store that shows a
//! lower one has lost some of it. The tick is looked at each second and noted where it has grown, and once more at the end, so what may go
//! unnoticed is what was done in the last second before a crash. Each minute it is raised, so that the store holds the time.

use super::{FollowError, Follower};
use crate::doorway::Doorway;
use keyfob_authority::Fault;
use keyfob_authority::model::{LedgerEntry, LedgerKind};
use keyfob_authority::store::StoreTick;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// How often the tick is looked at. A note syncs a file, so not with every poll.
const LOOK: Duration = Duration::from_secs(1);
/// Looks from one raise of the tick to the next: a minute.
const LOOKS_TO_RAISE: u32 = 60;

/// Keeps the highest tick that this node has seen, outside the store.
pub trait TickMark: Send + Sync + 'static {
    /// The highest tick seen, if any.
    fn seen(&self) -> Option<i64>;
    /// Remembers this one, also where it is lower: then the store went back, and that was said. May block.
    fn note(&self, tick: i64);
}

/// Remembers the tick for as long as the process lives: for data that does not outlive it.
pub struct MemoryMark(AtomicI64);

/// No store has this tick: the first is 0.
const NONE_SEEN: i64 = i64::MIN;

impl Default for MemoryMark {
    fn default() -> Self {
        MemoryMark(AtomicI64::new(NONE_SEEN))
    }
}

impl TickMark for MemoryMark {
    fn seen(&self) -> Option<i64> {
        Some(self.0.load(Ordering::Relaxed)).filter(|seen| *seen != NONE_SEEN)
    }

    fn note(&self, tick: i64) {
        self.0.store(tick, Ordering::Relaxed);
    }
}

impl Follower {
    pub(super) async fn watch_tick(self: Arc<Self>) {
        let mut pace = interval(LOOK);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        pace.tick().await;
        let mut looks = 0;
        loop {
            pace.tick().await;
            if self.doorway.readiness.is_store_moved() {
                return;
            }
            looks += 1;
            let watched =
                if looks < LOOKS_TO_RAISE { self.look_at_tick().await.map(drop) } else { self.raise_tick().await };
            if looks >= LOOKS_TO_RAISE {
                looks = 0;
                self.doorway.gate.forget_expired();
                self.rotate_signing_key().await;
                if let Err(error) = self.doorway.authority.write_usage().await {
                    tracing::warn!(%error, "what apps did in the last minute could not be written; it is kept for the next");
                }
            }
            if let Err(error) = watched {
                tracing::warn!(%error, "the tick could not be read or raised");
            }
        }
    }

    /// Says that the store went back where it did, and notes its tick where it is another.
    pub(super) async fn look_at_tick(&self) -> Result<StoreTick, FollowError> {
        let Doorway { authority, metrics, .. } = &*self.doorway;
        let stored = authority.store().tick().await.map_err(Fault::from)?;
        let seen = self.tick_mark.seen();
        if let Some(seen) = seen.filter(|seen| *seen > stored.tick) {
            let entry = LedgerEntry::new(self.doorway.now(), LedgerKind::StoreBehind);
            let entry = entry.with_detail(format!("tick {} after {seen} was seen", stored.tick));
            authority.store().record(vec![entry]).await.map_err(Fault::from)?;
            metrics.store_behind.inc();
            tracing::error!(
                seen,
                stored = stored.tick,
                "the store went back: restored from a backup, or a failover lost writes"
            );
        }
        if seen != Some(stored.tick) {
            self.note(stored.tick).await;
        }
        Ok(stored)
    }

    /// Raises the tick; not while the clock is wrong, so that a wrong time is never written.
    pub(super) async fn raise_tick(&self) -> Result<(), FollowError> {
        let stored = self.look_at_tick().await?;
        let ahead = self.judge_stored_time(stored.at);
        if ahead || self.clock_health.problem().is_some() {
            return Ok(());
        }
        let store = self.doorway.authority.store();
        let raised = store.raise_tick(self.doorway.now()).await.map_err(Fault::from)?;
        self.note(raised.tick).await;
        Ok(())
    }

    /// Where the schedule says so; not while anything is wrong with this node, its clock least of all.
    async fn rotate_signing_key(&self) {
        let Doorway { authority, entropy, readiness, .. } = &*self.doorway;
        let Some(lifetime) = authority.settings().signing_key_lifetime else { return };
        if !readiness.reasons().is_empty() {
            return;
        }
        let rotated = self.opener.rotate_if_due(&**authority.store(), lifetime, self.doorway.now(), &**entropy);
        match rotated.await {
            Ok(Some(id)) => tracing::info!(id, "a new signing key was published; it signs in an hour"),
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(%error, "the signing key is due to be followed by another, and none could be made")
            }
        }
    }

    async fn note(&self, tick: i64) {
        let mark = self.tick_mark.clone();
        // Fails only where the process goes down and takes no more work: the next start looks again.
        let _ = tokio::task::spawn_blocking(move || mark.note(tick)).await;
    }
}
