//! Pending attempts in memory: each callback is taken once, and a second visit learns what the first one led to.
//!
//! For one process. Several nodes behind one host name need a shared store of their own, with the same rule: removing the
//! attempt is one atomic step, and only who removed it may call [`PendingAttempt::accept`].

use crate::attempt::{ATTEMPT_LIFETIME, AttemptKey, BrowserSession, CallbackOutcome, FirstVisit, PendingAttempt};
use crate::exchange::ReadyExchange;
use keyfob_protocol::Timestamp;
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard};

/// Attempts that are kept before the oldest gives way. Anyone can begin an attempt, so the number has to have a bound.
const DEFAULT_CAPACITY: usize = 10_000;

/// Attempts waiting for their callbacks.
#[derive(Debug)]
pub struct AttemptStore {
    inner: Mutex<Inner>,
    capacity: usize,
}

#[derive(Debug, Default)]
struct Inner {
    attempts: HashMap<AttemptKey, Entry>,
    /// Keys in the order they came, which is the order they end in: every attempt lives equally long.
    order: VecDeque<(Timestamp, AttemptKey)>,
}

#[derive(Debug)]
enum Entry {
    Waiting(Box<PendingAttempt>),
    Used { session: BrowserSession, first: FirstVisit },
}

impl Default for AttemptStore {
    fn default() -> Self {
        AttemptStore::with_capacity(DEFAULT_CAPACITY)
    }
}

impl AttemptStore {
    /// A store for at most `capacity` attempts.
    pub fn with_capacity(capacity: usize) -> AttemptStore {
        AttemptStore { inner: Mutex::default(), capacity: capacity.max(1) }
    }

    /// Keeps an attempt until its callback.
    pub fn keep(&self, pending: PendingAttempt, now: Timestamp) {
        let mut inner = self.lock();
        inner.forget_old(now, self.capacity);
        let key = pending.key();
        // Used attempts are remembered for a lifetime beyond their end, for the second visit.
        inner.order.push_back((pending.expires_at().plus(ATTEMPT_LIFETIME), key));
        inner.attempts.insert(key, Entry::Waiting(Box::new(pending)));
    }

    /// Reads a callback. Of two calls with the same one exactly one gets the exchange, whatever their timing.
    ///
    /// # Errors
    /// [`CallbackOutcome`].
    pub fn accept(
        &self,
        query: &str,
        session: BrowserSession,
        now: Timestamp,
    ) -> Result<ReadyExchange, CallbackOutcome> {
        let key = AttemptKey::of_callback(query)?;
        let mut inner = self.lock();
        inner.forget_old(now, usize::MAX);
        let entry = inner.attempts.get_mut(&key).ok_or(CallbackOutcome::Unknown)?;
        match std::mem::replace(entry, Entry::Used { session, first: FirstVisit::Refused }) {
            Entry::Waiting(pending) => {
                let began_in = pending.session();
                let outcome = pending.accept(query, session, now);
                let first = match &outcome {
                    Ok(_) => FirstVisit::Approved,
                    Err(CallbackOutcome::Denied) => FirstVisit::Denied,
                    Err(_) => FirstVisit::Refused,
                };
                *entry = Entry::Used { session: began_in, first };
                outcome
            }
            Entry::Used { session: began_in, first } => {
                *entry = Entry::Used { session: began_in, first };
                // What became of an attempt is told to the browser that began it and to no other.
                if session != began_in {
                    return Err(CallbackOutcome::WrongSession);
                }
                Err(CallbackOutcome::AlreadyUsed(first))
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("invariant: nothing panics while the lock is held")
    }
}

impl Inner {
    /// Drops what is past and, from the oldest on, what leaves no room for one more.
    fn forget_old(&mut self, now: Timestamp, capacity: usize) {
        while let Some((until, key)) = self.order.front().copied() {
            if now < until && self.order.len() < capacity {
                return;
            }
            self.order.pop_front();
            self.attempts.remove(&key);
        }
    }
}
