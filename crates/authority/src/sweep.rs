//! Sweeping: small bounded deletes of what is over (decision D20). It says so and stops when the clock is implausible.

use crate::authority::{Authority, Fault};
use crate::law::refresh::IDLE_LIFETIME;
use crate::store::SweepCutoffs;
use keyfob_protocol::Timestamp;
use keyfob_protocol::time::DAY;
use keyfob_protocol::token_name::GrantId;

/// Unredeemed grants stay this long after their code expired (seconds).
const KEEP_UNREDEEMED: i64 = DAY;
/// Ended and idle grants stay this long (seconds).
const KEEP_OVER: i64 = 30 * DAY;
/// The ledger's retention (seconds).
const KEEP_LEDGER: i64 = 400 * DAY;
/// Grants looked at in one step; rows of every other kind removed in one.
const STEP: u32 = 500;
/// A longer pause between two runs than this is taken for a wrong clock (seconds).
pub const MAX_PAUSE: i64 = 7 * DAY;

/// Where the next step of a round begins. A round ends when there are no more full steps, so that it keeps up with whatever comes, and comes to
/// an end while less than a full step becomes over in each pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SweepPlace {
    /// At the grants after this one; `None`: at the first.
    Grants(Option<GrantId>),
    /// At everything else.
    Rest,
}

/// What one step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SweepStep {
    /// Rows removed.
    pub removed: u64,
    /// Where the next begins; `None`: the round is over.
    pub next: Option<SweepPlace>,
}

impl SweepPlace {
    /// The beginning of a round.
    pub const START: SweepPlace = SweepPlace::Grants(None);
}

impl Authority {
    /// One small step of a round.
    pub async fn sweep(&self, from: SweepPlace, now: Timestamp) -> Result<SweepStep, Fault> {
        match from {
            SweepPlace::Grants(after) => self.sweep_grants(after, now).await,
            SweepPlace::Rest => self.sweep_rest(now).await,
        }
    }

    async fn sweep_grants(&self, after: Option<GrantId>, now: Timestamp) -> Result<SweepStep, Fault> {
        let cutoffs = SweepCutoffs {
            unredeemed_before: now.plus(-KEEP_UNREDEEMED),
            ended_before: now.plus(-KEEP_OVER),
            idle_before: now.plus(-IDLE_LIFETIME - KEEP_OVER),
        };
        let swept = self.store.sweep_grants(after, STEP, cutoffs).await?;
        let next = swept.next.map_or(SweepPlace::Rest, |last| SweepPlace::Grants(Some(last)));
        Ok(SweepStep { removed: swept.removed, next: Some(next) })
    }

    async fn sweep_rest(&self, now: Timestamp) -> Result<SweepStep, Fault> {
        let sessions_before = now.plus(-self.settings.session_absolute.max(self.settings.session_idle));
        let removed = self.store.sweep_rest(sessions_before, now, now.plus(-KEEP_LEDGER), STEP).await?;
        Ok(SweepStep { removed, next: (removed >= STEP.into()).then_some(SweepPlace::Rest) })
    }
}
