//! What a person at the terminal sees of a move that takes longer than a moment.

use crate::composition::stopwatch::Stopwatch;
use crate::output;
use keyfob_authority::moving::Progress;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Between two lines, and before the first.
const PACE: Duration = Duration::from_secs(1);

/// Tells standard error how far a move has come.
pub(super) struct Talk {
    watch: Stopwatch,
    told: Mutex<Told>,
}

struct Told {
    /// What the rate is about, and when and where it began.
    what: (&'static str, &'static str),
    began: Duration,
    last: Duration,
}

impl Talk {
    pub(super) fn start() -> Talk {
        let told = Told { what: ("", ""), began: Duration::ZERO, last: Duration::ZERO };
        Talk { watch: Stopwatch::start(), told: Mutex::new(told) }
    }

    fn tell(&self, table: &'static str, done: &'static str, rows: u64, total: u64) {
        let now = self.watch.elapsed();
        // Nothing in here can panic with the lock half used.
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.what != (table, done) {
            (told.what, told.began) = ((table, done), now);
        }
        if now - told.last >= PACE {
            told.last = now;
            let seconds = (now - told.began).as_secs_f64();
            let rate = if seconds > 0.5 { format!(", {:.0} a second", rows as f64 / seconds) } else { String::new() };
            output::say(&format!("keyfob: {table}: {rows} of {total} rows {done}{rate}"));
        }
    }
}

impl Progress for Talk {
    fn copied(&self, table: &'static str, rows: u64, total: u64) {
        self.tell(table, "copied", rows, total);
    }

    fn verified(&self, table: &'static str, rows: u64, total: u64) {
        self.tell(table, "verified", rows, total);
    }

    fn resumed(&self, over: bool) {
        output::say(match over {
            true => "keyfob: an earlier move here was not finished and cannot be gone on with: starting over",
            false => "keyfob: going on with an earlier move that was not finished",
        });
    }
}
