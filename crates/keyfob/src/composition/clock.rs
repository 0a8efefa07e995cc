//! The system's clock, read once at start and carried on by the boot-time clock, which never steps.
//!
//! A wall clock that is set while the process runs is not followed. If it departs by a minute or more, this node says that it is not
//! ready, since one of the two is wrong and nobody here can tell which (matrix OP-01).

use keyfob_protocol::{Clock, Timestamp};
use keyfob_server::ClockHealth;
use rustix::time::{ClockId, clock_gettime};
use std::time::{SystemTime, UNIX_EPOCH};

/// How far the wall clock may depart (seconds).
const TOLERANCE: i64 = 60;

/// The system's clock.
pub(crate) struct SystemClock {
    /// Wall time minus boot time at the start, in nanoseconds.
    offset: i128,
}

impl SystemClock {
    /// Reads both clocks.
    pub(crate) fn start() -> SystemClock {
        SystemClock { offset: wall() - boot() }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp(((boot() + self.offset) / 1_000_000_000) as i64)
    }
}

impl ClockHealth for SystemClock {
    fn problem(&self) -> Option<String> {
        let departed = (wall() - boot() - self.offset) / 1_000_000_000;
        (departed.abs() >= i128::from(TOLERANCE)).then(|| {
            format!("the wall clock was moved by {departed} s since this process started; set it right, or restart to accept it")
        })
    }
}

#[expect(clippy::disallowed_methods, reason = "the composition root reads the system's clock")]
fn wall() -> i128 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => since.as_nanos() as i128,
        Err(before) => -(before.duration().as_nanos() as i128),
    }
}

fn boot() -> i128 {
    let time = clock_gettime(ClockId::Boottime);
    i128::from(time.tv_sec) * 1_000_000_000 + i128::from(time.tv_nsec)
}
