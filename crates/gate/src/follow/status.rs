//! How following goes, for metrics.

use super::TOLERATED_SKEW;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// Numbers that the follower leaves behind.
#[derive(Debug, Default)]
pub struct FollowStatus {
    skew: AtomicI64,
    failures: AtomicU64,
}

impl FollowStatus {
    /// Our clock minus the authority's, in seconds, as of its last answer; off by up to a second either way. 0 before the first.
    pub fn skew_seconds(&self) -> i64 {
        self.skew.load(Ordering::Relaxed)
    }

    /// Looks at the authority that failed.
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    pub(super) fn note_skew(&self, seconds: i64) {
        self.skew.store(seconds, Ordering::Relaxed);
    }

    pub(super) fn skew_is_tolerable(&self) -> bool {
        self.skew_seconds().unsigned_abs() <= TOLERATED_SKEW.unsigned_abs()
    }

    pub(super) fn count_failure(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }
}
