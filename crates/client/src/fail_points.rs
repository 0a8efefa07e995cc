//! Places where a crash test ends the process. Without the feature `fail-points` there are none.
//!
//! The environment variable `KEYFOB_FAIL_POINT` names the one that ends the process, as `kill -9` would: nothing is flushed, no
//! destructor runs.

/// Every write and every wait of a refresh that goes well, in their order.
pub const FAIL_POINTS: [&str; 11] = [
    "refresh.before_lease",
    "refresh.leased",
    "refresh.before_intent",
    "refresh.intent_open",
    "refresh.before_send",
    "refresh.answered",
    "refresh.before_finish",
    "store.before_commit.take_lease",
    "store.before_commit.open_intent",
    "store.before_commit.finish",
    "refresh.finished",
];

/// What only some refreshes meet: writes and waits of one that fails or lasts, and the write of a new consent.
pub const FURTHER_FAIL_POINTS: [&str; 6] = [
    "store.before_commit.release",
    "refresh.released",
    "store.before_commit.note",
    "refresh.before_no",
    "store.before_commit.prolong",
    "store.before_commit.save",
];

/// Ends the process if this is the fail point that was asked for.
#[cfg(feature = "fail-points")]
pub fn reach(name: &str) {
    use std::sync::LazyLock;
    static WANTED: LazyLock<Option<String>> = LazyLock::new(|| std::env::var("KEYFOB_FAIL_POINT").ok());
    if WANTED.as_deref() == Some(name) {
        std::process::abort();
    }
}

/// Does nothing.
#[cfg(not(feature = "fail-points"))]
#[inline(always)]
pub fn reach(_: &str) {}
