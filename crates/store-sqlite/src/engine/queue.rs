//! The bounded queue in front of the writer thread, and what can stand in it.
//!
//! A lock and a condition variable: the writer takes everything that waits in one go, so that the lock is held for the
//! time of a few pointer copies, and a job is never more than one commit away from its own.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::fault::Fault;

/// A unit of work for the writer. It may be run twice: when a neighbour in its transaction failed, everything is rolled
/// back and each job is run again alone.
pub(super) trait Job: Send {
    fn run(&mut self, connection: &Connection) -> rusqlite::Result<()>;
    fn committed(self: Box<Self>);
    fn failed(self: Box<Self>, fault: Fault);
}

/// A closure, its value between run and commit, and who waits for it.
pub(super) struct Closure<F, T> {
    run: F,
    value: Option<T>,
    answer: oneshot::Sender<Result<T, Fault>>,
}

impl<F, T> Closure<F, T> {
    pub(super) fn new(run: F) -> (Self, oneshot::Receiver<Result<T, Fault>>) {
        let (answer, receiver) = oneshot::channel();
        (Self { run, value: None, answer }, receiver)
    }
}

impl<F, T> Job for Closure<F, T>
where
    F: FnMut(&Connection) -> rusqlite::Result<T> + Send,
    T: Send,
{
    fn run(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.value = Some((self.run)(connection)?);
        Ok(())
    }

    fn committed(self: Box<Self>) {
        let Self { value, answer, .. } = *self;
        // A waiter that went away does not undo its write.
        let _ = answer.send(value.ok_or(Fault::Panicked));
    }

    fn failed(self: Box<Self>, fault: Fault) {
        let _ = self.answer.send(Err(fault));
    }
}

/// What the writer finds when it comes back from a commit.
pub(super) struct Taken {
    /// The checkpointer asks for the last step of a checkpoint and waits for the answer.
    pub(super) finish: Option<oneshot::Sender<()>>,
    /// Nothing will come any more.
    pub(super) closed: bool,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Box<dyn Job>>,
    finish: Option<oneshot::Sender<()>>,
    writer_sleeps: bool,
    closed: bool,
    retired: bool,
}

pub(super) struct Queue {
    state: Mutex<State>,
    ready: Condvar,
    capacity: usize,
}

impl Queue {
    pub(super) fn new(capacity: usize) -> Self {
        Self { state: Mutex::default(), ready: Condvar::new(), capacity }
    }

    /// Adds a job.
    ///
    /// # Errors
    /// [`Fault::Overloaded`] when the queue is full, [`Fault::Closed`] after [`Queue::close`].
    pub(super) fn push(&self, job: Box<dyn Job>) -> Result<(), Fault> {
        let mut state = self.lock();
        if state.closed {
            return Err(Fault::Closed);
        }
        if state.jobs.len() >= self.capacity {
            return Err(Fault::Overloaded);
        }
        state.jobs.push_back(job);
        self.wake(state);
        Ok(())
    }

    /// Asks the writer to finish a checkpoint between two transactions. The receiver fails if the writer is gone.
    pub(super) fn ask_finish(&self) -> oneshot::Receiver<()> {
        let (done, receiver) = oneshot::channel();
        let mut state = self.lock();
        if !state.retired {
            state.finish = Some(done);
            self.wake(state);
        }
        receiver
    }

    /// The writer is gone: lets go of everything that still waits for it.
    pub(super) fn retire(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.retired = true;
        state.finish = None;
        let jobs = std::mem::take(&mut state.jobs);
        drop(state);
        jobs.into_iter().for_each(|job| job.failed(Fault::Closed));
    }

    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        self.wake(state);
    }

    /// Waits for work and moves at most `limit` jobs into `batch`.
    pub(super) fn take(&self, batch: &mut Vec<Box<dyn Job>>, limit: usize) -> Taken {
        let mut state = self.lock();
        while state.jobs.is_empty() && state.finish.is_none() && !state.closed {
            state.writer_sleeps = true;
            state = self.ready.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.writer_sleeps = false;
        }
        let count = state.jobs.len().min(limit);
        batch.extend(state.jobs.drain(..count));
        Taken { finish: state.finish.take(), closed: state.closed && state.jobs.is_empty() }
    }

    /// How many jobs wait.
    pub(super) fn len(&self) -> usize {
        self.lock().jobs.len()
    }

    fn wake(&self, state: MutexGuard<'_, State>) {
        let sleeps = state.writer_sleeps;
        drop(state);
        if sleeps {
            self.ready.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code of others runs under this lock, so a poisoned state is still a consistent one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
