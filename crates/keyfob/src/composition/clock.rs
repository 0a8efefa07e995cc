//! A clock read once at start and carried on by the boot-time clock, which never steps: this machine's wall clock or, where the store has one that its
//! nodes share, that.
//!
//! A clock that is set while the process runs is not followed. If it departs by a minute or more, this node says that it is not ready, since one
//! of the two is wrong and nobody here can tell which (matrix OP-01).

use keyfob_authority::store::{Store, StoreError};
use keyfob_protocol::{Clock, Timestamp};
use keyfob_server::ClockHealth;
use rustix::time::{ClockId, clock_gettime};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How far the wall clock may depart (seconds).
const TOLERANCE: i128 = 60;
/// Nanoseconds in a second.
const SECOND: i128 = 1_000_000_000;

/// Both clocks at one moment, in nanoseconds.
#[derive(Clone, Copy, Debug)]
struct Reading {
    /// Since the epoch; anybody may set it. Of this machine or of the store.
    wall: i128,
    /// Since the machine started, asleep or not; nobody can set it.
    boot: i128,
}

/// Between two looks at a clock that is not this machine's.
const LOOK: Duration = Duration::from_secs(5);

/// The time of this process.
pub(crate) struct SystemClock {
    start: Reading,
    judge: Judge,
}

/// Which clock it was read from, and is held against.
enum Judge {
    /// This machine's wall clock.
    Wall,
    /// The store's, which had moved by so many seconds at the last look.
    Store(AtomicI64),
}

impl SystemClock {
    /// Goes by this machine's clock.
    pub(crate) fn start() -> SystemClock {
        SystemClock { start: read(), judge: Judge::Wall }
    }

    /// Goes by the clock of this store, where it has one.
    ///
    /// # Errors
    /// The store does not answer.
    pub(crate) async fn of(store: &dyn Store) -> Result<SystemClock, StoreError> {
        let before = read();
        let Some(shared) = store.clock().await? else { return Ok(SystemClock::start()) };
        // It was read at some moment of the question; the middle is the best guess.
        let boot = (before.boot + read().boot) / 2;
        Ok(SystemClock { start: Reading { wall: shared, boot }, judge: Judge::Store(AtomicI64::new(0)) })
    }

    /// Looks at the store's clock now and then, for as long as this is polled.
    pub(crate) async fn watch(&self, store: &dyn Store) {
        let Judge::Store(moved) = &self.judge else { return };
        loop {
            tokio::time::sleep(LOOK).await;
            let before = read();
            // What takes longer says too little; that the store does not answer is for others to say.
            if let Ok(Some(shared)) = store.clock().await
                && read().boot - before.boot < SECOND
            {
                let departed = departure(self.start, Reading { wall: shared, ..before });
                moved.store(departed.unwrap_or(0) as i64, Ordering::Relaxed);
            }
        }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        carried_on(self.start, read())
    }
}

impl ClockHealth for SystemClock {
    fn problem(&self) -> Option<String> {
        let (whose, moved) = match &self.judge {
            Judge::Wall => ("wall", departure(self.start, read())),
            Judge::Store(moved) => {
                ("database's", Some(moved.load(Ordering::Relaxed).into()).filter(|moved| *moved != 0))
            }
        };
        moved.map(|seconds| {
            format!("the {whose} clock was moved by {seconds} s since this process started; set it right, or restart to accept it")
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
