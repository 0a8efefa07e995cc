//! The one thread that writes: drains the queue into one transaction per fsync and answers after the commit.
//!
//! Idle, a job is committed at once; busy, everything that arrived during the last fsync shares the next one. A job that
//! fails is rolled back with its whole transaction, and then each of them runs again alone, so that it spoils only itself.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, TransactionState};

use super::checkpoint::{Limits, Pulse, checkpoint, finish};
use super::connection::Patience;
use super::fault::Fault;
use super::queue::{Job, Queue};

pub(super) struct Writer {
    pub(super) connection: Connection,
    pub(super) queue: Arc<Queue>,
    pub(super) pulse: Arc<Pulse>,
    pub(super) patience: Patience,
    pub(super) limits: Limits,
    /// Most jobs in one transaction; bounds how long the first of them waits for the last.
    pub(super) largest_batch: usize,
}

/// Where a transaction failed decides whether its jobs are worth another try.
enum Failure {
    /// It did not begin: no job is to blame and none would fare better alone.
    Begin(Fault),
    /// A job or the commit failed.
    Inside(Fault),
}

impl Writer {
    /// Runs until the queue is closed and empty.
    pub(super) fn run(self) {
        let mut batch = Vec::new();
        loop {
            let taken = self.queue.take(&mut batch, self.largest_batch);
            if !batch.is_empty() {
                self.commit(&mut batch);
                self.pulse.committed();
                let pause = self.pause();
                if !pause.is_zero() {
                    std::thread::sleep(pause);
                }
            }
            if let Some(done) = taken.finish {
                finish(&self.connection, &self.patience);
                // The checkpointer may have been stopped meanwhile.
                let _ = done.send(());
            }
            if taken.closed && batch.is_empty() {
                break;
            }
        }
    }

    /// How long to pause after a commit: not at all, unless the log grows faster than it can be copied. Then the longer the
    /// closer it is to its cap, so that a slow disk slows writes down evenly.
    fn pause(&self) -> Duration {
        if self.pulse.held_by_reader() {
            // The checkpointer cannot get on however slowly we write.
            return Duration::ZERO;
        }
        let length = checkpoint(&self.connection, "NOOP").map_or(0, |log| log.length);
        let (slow, cap) = (self.limits.slow, self.limits.cap.max(self.limits.slow + 1));
        LONGEST_PAUSE * length.clamp(slow, cap).saturating_sub(slow) / (cap - slow)
    }

    fn commit(&self, batch: &mut Vec<Box<dyn Job>>) {
        match self.transaction(batch) {
            Ok(()) => batch.drain(..).for_each(Job::committed),
            Err(Failure::Begin(fault)) => batch.drain(..).for_each(|job| job.failed(fault.clone())),
            Err(Failure::Inside(fault)) if batch.len() == 1 => {
                batch.drain(..).for_each(|job| job.failed(fault.clone()))
            }
            Err(Failure::Inside(_)) => self.commit_each(batch),
        }
    }

    fn commit_each(&self, batch: &mut Vec<Box<dyn Job>>) {
        let mut locked = None;
        for mut job in batch.drain(..) {
            if let Some(fault) = &locked {
                job.failed(Fault::clone(fault));
                continue;
            }
            match self.transaction(std::slice::from_mut(&mut job)) {
                Ok(()) => job.committed(),
                Err(Failure::Inside(fault)) => job.failed(fault),
                Err(Failure::Begin(fault)) => {
                    job.failed(fault.clone());
                    locked = Some(fault);
                }
            }
        }
    }

    fn transaction(&self, jobs: &mut [Box<dyn Job>]) -> Result<(), Failure> {
        self.execute("BEGIN IMMEDIATE").map_err(Failure::Begin)?;
        let outcome = jobs.iter_mut().try_for_each(|job| self.step(job.as_mut())).and_then(|()| self.execute("COMMIT"));
        outcome.map_err(|fault| {
            self.roll_back();
            Failure::Inside(fault)
        })
    }

    fn step(&self, job: &mut dyn Job) -> Result<(), Fault> {
        // A panic must not take the only writer of the process with it. The job is not used again after one, and the
        // connection's statements reset themselves when they are dropped.
        match catch_unwind(AssertUnwindSafe(|| job.run(&self.connection))) {
            Ok(outcome) => outcome.map_err(Fault::from),
            Err(_) => Err(Fault::Panicked),
        }
    }

    fn roll_back(&self) {
        // Some errors (a full disk, for one) have rolled back already.
        if self.connection.is_autocommit() {
            return;
        }
        if let Err(fault) = self.execute("ROLLBACK") {
            tracing::error!(%fault, "a transaction could not be rolled back");
        }
        debug_assert!(!matches!(self.connection.transaction_state::<&str>(None), Ok(TransactionState::Write)));
    }

    fn execute(&self, sql: &str) -> Result<(), Fault> {
        self.connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute([]))
            .map(drop)
            .map_err(Fault::from)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue.retire();
    }
}

/// The longest pause a writer makes between two transactions when the log grows faster than it can be copied.
const LONGEST_PAUSE: Duration = Duration::from_millis(30);
