//! The system's clock, read once at start and carried on by the boot-time clock, which never steps.
//!
//! A wall clock that is set while the process runs is not followed. If it departs by a minute or more, this node says that it is not
//! ready, since one of the two is wrong and nobody here can tell which (matrix OP-01).

use keyfob_protocol::{Clock, Timestamp};
use keyfob_server::ClockHealth;
use rustix::time::{ClockId, clock_gettime};
use std::time::{SystemTime, UNIX_EPOCH};

/// How far the wall clock may depart (seconds).
const TOLERANCE: i128 = 60;
/// Nanoseconds in a second.
const SECOND: i128 = 1_000_000_000;

/// Both clocks at one moment, in nanoseconds.
#[derive(Clone, Copy, Debug)]
struct Reading {
    /// Since the epoch; anybody may set it.
    wall: i128,
    /// Since the machine started, asleep or not; nobody can set it.
    boot: i128,
}

/// The system's clock.
pub(crate) struct SystemClock {
    start: Reading,
}

impl SystemClock {
    /// Reads both clocks.
    pub(crate) fn start() -> SystemClock {
        SystemClock { start: read() }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        carried_on(self.start, read())
    }
}

impl ClockHealth for SystemClock {
    fn problem(&self) -> Option<String> {
        departure(self.start, read()).map(|seconds| {
            format!("the wall clock was moved by {seconds} s since this process started; set it right, or restart to accept it")
        })
    }
}

/// The time: the wall's at the start, carried on by the boot-time clock alone.
fn carried_on(start: Reading, now: Reading) -> Timestamp {
    Timestamp(((start.wall + now.boot - start.boot).div_euclid(SECOND)) as i64)
}

/// By how many seconds the wall clock was moved, if by more than it may.
fn departure(start: Reading, now: Reading) -> Option<i128> {
    let moved = (now.wall - start.wall) - (now.boot - start.boot);
    (moved.abs() >= TOLERANCE * SECOND).then_some(moved / SECOND)
}

fn read() -> Reading {
    let time = clock_gettime(ClockId::Boottime);
    Reading { wall: wall(), boot: i128::from(time.tv_sec) * SECOND + i128::from(time.tv_nsec) }
}

#[expect(clippy::disallowed_methods, reason = "the composition root reads the system's clock")]
fn wall() -> i128 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => since.as_nanos() as i128,
        Err(before) => -(before.duration().as_nanos() as i128),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Reading = Reading { wall: 1_795_435_200 * SECOND, boot: 5_000 * SECOND };

    /// `later` nanoseconds after the start, with the wall clock moved by `moved` nanoseconds.
    fn after(later: i128, moved: i128) -> Reading {
        Reading { wall: START.wall + later + moved, boot: START.boot + later }
    }

    #[test]
    fn op_01_a_wall_clock_that_is_set_is_not_followed() {
        for moved in [-86_400, -61, 0, 61, 86_400] {
            assert_eq!(carried_on(START, after(90 * SECOND, moved * SECOND)), Timestamp(1_795_435_290));
        }
        assert_eq!(carried_on(START, after(SECOND - 1, 0)), Timestamp(1_795_435_200), "seconds are cut, not rounded");
    }

    #[test]
    fn op_01_a_wall_clock_that_departs_by_a_minute_is_a_problem_in_both_directions() {
        for later in [0, 3_600 * SECOND] {
            assert_eq!(departure(START, after(later, 60 * SECOND - 1)), None);
            assert_eq!(departure(START, after(later, 1 - 60 * SECOND)), None);
            assert_eq!(departure(START, after(later, 60 * SECOND)), Some(60));
            assert_eq!(departure(START, after(later, -60 * SECOND)), Some(-60));
            assert_eq!(departure(START, after(later, -86_400 * SECOND)), Some(-86_400));
        }
    }

    #[test]
    fn op_01_the_clock_never_steps_back() {
        let clock = SystemClock::start();
        let mut last = clock.now();
        for _ in 0..10_000 {
            let now = clock.now();
            assert!(now >= last);
            last = now;
        }
        assert_eq!(clock.problem(), None);
    }
}
