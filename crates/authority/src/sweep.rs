//! Sweeping: small bounded deletes of what is over (decision D20). It says so and stops when the clock is implausible.

use crate::authority::{Authority, Fault};
use crate::law::refresh::IDLE_LIFETIME;
use crate::store::{SweepCutoffs, Swept};
use keyfob_protocol::Timestamp;
use keyfob_protocol::time::DAY;
use keyfob_protocol::token_name::GrantId;

/// Unredeemed grants stay this long after their code expired (seconds).
const KEEP_UNREDEEMED: i64 = DAY;
/// Ended and idle grants stay this long (seconds).
const KEEP_OVER: i64 = 30 * DAY;
/// The ledger's retention (seconds).
const KEEP_LEDGER: i64 = 400 * DAY;
/// Grants looked at in one step.
const STEP: u32 = 500;
/// A longer pause between two runs than this is taken for a wrong clock (seconds).
pub const MAX_PAUSE: i64 = 7 * DAY;

impl Authority {
    /// One small step through the grants. Returns where the next begins.
    pub async fn sweep_grants(&self, after: Option<GrantId>, now: Timestamp) -> Result<Swept, Fault> {
        let cutoffs = SweepCutoffs {
            unredeemed_before: now.plus(-KEEP_UNREDEEMED),
            ended_before: now.plus(-KEEP_OVER),
            idle_before: now.plus(-IDLE_LIFETIME - KEEP_OVER),
        };
        Ok(self.store.sweep_grants(after, STEP, cutoffs).await?)
    }

    /// One small step through everything else. Returns how many rows went.
    pub async fn sweep_rest(&self, now: Timestamp) -> Result<u64, Fault> {
        let sessions_before = now.plus(-self.settings.session_absolute.max(self.settings.session_idle));
        Ok(self.store.sweep_rest(sessions_before, now, now.plus(-KEEP_LEDGER), STEP).await?)
    }
}
