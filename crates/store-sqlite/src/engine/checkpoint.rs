//! Copies the log back into the database without ever making a writer wait long.
//!
//! A thread of its own copies the bulk in passive passes while the writer goes on, and syncs the database file itself:
//! SQLite syncs it only in the pass that catches up with the writer, which would leave all of the writing to that one
//! moment. When the rest is small, the writer runs the last step between two transactions, and the next transaction
//! starts again at the beginning of the log. The log file so is reused and not grown, which makes its syncs cheap.
//! Decision record: `docs/decisions/0001-sqlite-group-commit-and-checkpoints.md`.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::Connection;

use super::connection::Patience;
use super::fault::Fault;
use super::queue::Queue;
use super::sync_handle::SyncHandle;

/// How often the length of the log is looked at while there are writes. Nothing runs while there are none.
const TICK: Duration = Duration::from_millis(10);
/// After this many ticks without a write, whatever is in the log is copied, so that a start after a crash is fast.
const QUIET_TICKS: u32 = 100;
/// How long the writer may wait for a reader to leave the log when it finishes a checkpoint.
const FINISH_PATIENCE: Duration = Duration::from_millis(5);
const AFTER_A_FAULT: Duration = Duration::from_millis(500);
const WHILE_A_READER_HOLDS: Duration = Duration::from_millis(100);

/// Lengths that steer the checkpointer, in pages of the database.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// From so many pages on they are copied and synced. The disk takes them in before it takes the writer's next commit, so a
    /// small step keeps every wait short. Under load a pass finds more of them, and more is cheaper by the page.
    pub(super) step: u32,
    /// The log starts again when it has this many pages.
    pub(super) start: u32,
    /// The writer takes the rest when it is at most this long.
    pub(super) rest: u32,
    /// From here on the writer is slowed down...
    pub(super) slow: u32,
    /// ... and most where the log has this many pages.
    pub(super) cap: u32,
}

/// What writer and checkpointer tell each other.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    written: AtomicBool,
    stopped: AtomicBool,
    held_by_reader: AtomicBool,
    commits: AtomicU64,
    lock: Mutex<()>,
    changed: Condvar,
}

impl Pulse {
    /// The writer committed something.
    pub(super) fn committed(&self) {
        self.commits.fetch_add(1, Ordering::SeqCst);
        self.wake();
    }

    /// Has the checkpointer look at the log.
    pub(super) fn wake(&self) {
        if !self.written.swap(true, Ordering::SeqCst) {
            self.notify();
        }
    }

    /// How many transactions were committed.
    pub(super) fn commits(&self) -> u64 {
        self.commits.load(Ordering::SeqCst)
    }

    /// Whether a long reader keeps the log from being copied.
    pub(super) fn held_by_reader(&self) -> bool {
        self.held_by_reader.load(Ordering::Relaxed)
    }

    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.notify();
    }

    fn stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    fn notify(&self) {
        drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_all();
    }

    fn wait_for_writes(&self) {
        let guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        drop(
            self.changed
                .wait_while(guard, |()| !self.written.load(Ordering::SeqCst) && !self.stopped())
                .unwrap_or_else(PoisonError::into_inner),
        );
    }

    /// Lets [`Pulse::wait_for_writes`] wait for a commit after the first `commits`.
    fn sleep_unless_committed_since(&self, commits: u64) {
        self.written.store(false, Ordering::SeqCst);
        // The writer does not say so again while it believes us awake.
        if self.commits() != commits {
            self.written.store(true, Ordering::SeqCst);
        }
    }

    fn wait_for_stop(&self, time: Duration) {
        let guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        drop(
            self.changed.wait_timeout_while(guard, time, |()| !self.stopped()).unwrap_or_else(PoisonError::into_inner),
        );
    }
}

/// The log's length and how much of it is in the database, in pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Log {
    pub(super) length: u32,
    pub(super) copied: u32,
}

impl Log {
    fn rest(self) -> u32 {
        self.length.saturating_sub(self.copied)
    }
}

pub(super) struct Checkpointer {
    pub(super) connection: Connection,
    pub(super) database: SyncHandle,
    pub(super) queue: Arc<Queue>,
    pub(super) pulse: Arc<Pulse>,
    pub(super) limits: Limits,
}

impl Checkpointer {
    /// Runs until [`Pulse::stop`].
    pub(super) fn run(self) {
        let (mut commits, mut quiet) = (0, 0);
        while !self.pulse.stopped() {
            self.pulse.wait_for_writes();
            self.pulse.wait_for_stop(TICK);
            let former = std::mem::replace(&mut commits, self.pulse.commits());
            quiet = if commits == former { quiet + 1 } else { 0 };
            if let Err(fault) = self.work(quiet >= QUIET_TICKS) {
                // Disk full, most likely. The log keeps everything; the next round tries again.
                tracing::warn!(%fault, "the log could not be copied into the database");
                self.pulse.wait_for_stop(AFTER_A_FAULT);
            }
            if quiet >= QUIET_TICKS {
                self.pulse.sleep_unless_committed_since(commits);
            }
        }
    }

    /// One pass, if there is enough to copy; then has the log start again if it is long. When it is `quiet`, everything is copied.
    fn work(&self, quiet: bool) -> Result<(), Fault> {
        let before = checkpoint(&self.connection, "NOOP")?;
        if before.rest() < self.limits.step && !(quiet && before.rest() > 0) {
            return Ok(());
        }
        let pass = checkpoint(&self.connection, "PASSIVE")?;
        self.database.sync()?;
        if self.pulse.stopped() {
            return Ok(());
        }
        // A long reader (a backup) still needs the pages that the copy would overwrite.
        let held = pass.copied <= before.copied && pass.rest() > 0;
        self.pulse.held_by_reader.store(held, Ordering::Relaxed);
        if held {
            self.pulse.wait_for_stop(WHILE_A_READER_HOLDS);
            return Ok(());
        }
        let after = checkpoint(&self.connection, "NOOP")?;
        if after.length >= self.limits.start && after.rest() <= self.limits.rest {
            // Fails only when the writer is gone, and then there is nothing to finish.
            let _ = self.queue.ask_finish().blocking_recv();
        }
        Ok(())
    }
}

/// The last step, on the writer's connection between two transactions: copies the rest and lets the log start again.
pub(super) fn finish(connection: &Connection, patience: &Patience) {
    let former = patience.set(FINISH_PATIENCE);
    let outcome = checkpoint(connection, "RESTART");
    patience.set(former);
    match outcome {
        Ok(log) => tracing::trace!(log.length, log.copied, "the log starts again"),
        Err(fault) => tracing::warn!(%fault, "the log could not be restarted"),
    }
}

/// Runs `PRAGMA wal_checkpoint(mode)`. That somebody else was checkpointing, or reading, is no error.
pub(super) fn checkpoint(connection: &Connection, mode: &str) -> Result<Log, Fault> {
    let sql = format!("PRAGMA wal_checkpoint({mode})");
    let (length, copied) =
        connection.prepare_cached(&sql)?.query_row([], |row| Ok((row.get::<_, i64>(1)?, row.get::<_, i64>(2)?)))?;
    // -1 where the answer is unknown.
    let pages = |number: i64| u32::try_from(number).unwrap_or(0);
    Ok(Log { length: pages(length), copied: pages(copied) })
}
