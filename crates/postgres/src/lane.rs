//! A lane: one task and one connection that combine whatever jobs of a kind wait into one statement, answered after its commit.
//!
//! While a batch is at the database the next one gathers, so an idle lane answers at the speed of a single statement and a busy one at
//! the speed of a batch. A write goes to the lane of its key, always the same one, so that lanes do not wait for each other's rows. A job that
//! the database refuses is found by halving the batch, and spoils only itself.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::fault::Fault;
use crate::link::{Dialer, Link};
use crate::patience::Patience;
use crate::session::{Purpose, Session};

/// What a lane does with its jobs.
pub trait Work: Send + Sync + 'static {
    /// What waits.
    type Job: Send + Sync + 'static;
    /// What it is told.
    type Answer: Send + 'static;
    /// Names a job that must not stand twice in one batch: it would be one job sent twice.
    type Name: Hash + Eq + Send;

    /// The name of a job, if it needs one.
    fn name(job: &Self::Job) -> Option<Self::Name>;

    /// Does all jobs in one transaction and says, in their order, what came of each. Must recognise what an earlier attempt has done, whose
    /// answer was lost.
    fn run(session: &Session, jobs: &[Self::Job]) -> impl Future<Output = Result<Vec<Self::Answer>, Fault>> + Send;
}

struct Waiting<W: Work> {
    job: W::Job,
    answer: oneshot::Sender<Result<W::Answer, Fault>>,
}

/// The way into one lane.
pub struct Lane<W: Work> {
    queue: Mutex<Option<mpsc::Sender<Waiting<W>>>>,
    worker: Mutex<Option<JoinHandle<()>>>,
}

impl<W: Work> Lane<W> {
    /// Starts the lane's task. It ends after [`Lane::close`], or when this value is dropped, with what waits until then.
    pub fn start(dialer: Dialer, queue: usize, largest_batch: usize) -> Self {
        let (sender, receiver) = mpsc::channel(queue.max(1));
        let worker = Worker { link: Link::start(dialer, Purpose::Batches), queue: receiver, largest_batch };
        Self { queue: Mutex::new(Some(sender)), worker: Mutex::new(Some(tokio::spawn(worker.run()))) }
    }

    /// Gives a job to the lane and waits for its commit. A job whose future is dropped is done all the same.
    pub async fn ask(&self, job: W::Job) -> Result<W::Answer, Fault> {
        let (answer, receiver) = oneshot::channel();
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner).clone();
        queue.ok_or(Fault::Closed)?.try_send(Waiting { job, answer }).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => Fault::Overloaded,
            mpsc::error::TrySendError::Closed(_) => Fault::Closed,
        })?;
        receiver.await.unwrap_or(Err(Fault::Closed))
    }

    /// Answers what waits and refuses the rest.
    pub async fn close(&self) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
        let worker = self.worker.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(worker) = worker {
            // A worker that panicked has said so.
            let _ = worker.await;
        }
    }
}

struct Worker<W: Work> {
    link: Link,
    queue: mpsc::Receiver<Waiting<W>>,
    largest_batch: usize,
}

impl<W: Work> Worker<W> {
    async fn run(mut self) {
        let mut taken = Vec::new();
        let mut held_over = Vec::new();
        loop {
            taken.append(&mut held_over);
            let room = self.largest_batch.saturating_sub(taken.len()).max(1);
            if taken.is_empty() {
                if self.queue.recv_many(&mut taken, room).await == 0 {
                    return;
                }
            } else {
                taken.extend(std::iter::from_fn(|| self.queue.try_recv().ok()).take(room));
            }
            let mut names = HashSet::new();
            let mut batch = Vec::with_capacity(taken.len());
            for waiting in taken.drain(..) {
                let fits = W::name(&waiting.job).is_none_or(|name| names.insert(name));
                let place = if fits { &mut batch } else { &mut held_over };
                place.push(waiting);
            }
            self.answer(batch).await;
        }
    }

    /// Does a batch, or the halves of one that the database refuses, and tells everybody.
    async fn answer(&self, batch: Vec<Waiting<W>>) {
        let mut batches = vec![batch];
        while let Some(batch) = batches.pop() {
            let (jobs, mut waiters): (Vec<_>, Vec<_>) =
                batch.into_iter().map(|waiting| (waiting.job, waiting.answer)).unzip();
            match self.attempt(&jobs).await {
                // A waiter that went away does not undo its write.
                Ok(answers) => {
                    waiters.into_iter().zip(answers).for_each(|(waiter, answer)| drop(waiter.send(Ok(answer))))
                }
                Err(fault) if fault.is_unavailable() || jobs.len() == 1 => {
                    waiters.into_iter().for_each(|waiter| drop(waiter.send(Err(fault.clone()))));
                }
                Err(_) => {
                    let mut jobs = jobs;
                    let (later, latter) = (jobs.split_off(jobs.len() / 2), waiters.split_off(waiters.len() / 2));
                    let joined = |jobs: Vec<_>, waiters: Vec<_>| {
                        jobs.into_iter().zip(waiters).map(|(job, answer)| Waiting { job, answer }).collect()
                    };
                    batches.push(joined(later, latter));
                    batches.push(joined(jobs, waiters));
                }
            }
        }
    }

    /// Tries until it is done, refused, or not worth another try.
    async fn attempt(&self, jobs: &[W::Job]) -> Result<Vec<W::Answer>, Fault> {
        let mut patience = Patience::new();
        loop {
            let outcome = match self.link.session().await {
                Ok(session) => W::run(&session, jobs).await,
                Err(fault) => Err(fault),
            };
            match outcome {
                Err(fault) => patience.after(fault).await?,
                Ok(answers) if answers.len() != jobs.len() => {
                    return Err(Fault::Statement(format!("{} answers to {} jobs", answers.len(), jobs.len())));
                }
                Ok(answers) => return Ok(answers),
            }
        }
    }
}
