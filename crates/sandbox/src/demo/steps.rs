//! What went over the wire of one app in one browser, in order of time and within bounds.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use keyfob_client::{HttpRequest, HttpResponse, Observer, SendFailure};
use keyfob_pages::Exchange;

use super::shown;

/// Steps that are kept; the oldest gives way.
const MOST: usize = 24;

/// The steps of one app in one browser.
#[derive(Default)]
pub(super) struct StepLog(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    steps: VecDeque<Exchange>,
    /// The exchange as it was sent, to show what a second one leads to. The client library itself cannot send it twice.
    exchange: Option<HttpRequest>,
}

impl StepLog {
    /// Adds one that the client library does not send: what the browser carries.
    pub(super) fn add(&self, step: Exchange) {
        self.lock().add(step);
    }

    pub(super) fn all(&self) -> Vec<Exchange> {
        self.lock().steps.iter().cloned().collect()
    }

    pub(super) fn clear(&self) {
        *self.lock() = Inner::default();
    }

    /// The last exchange of a code, if there was one since the flow began.
    pub(super) fn exchange(&self) -> Option<HttpRequest> {
        self.lock().exchange.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn add(&mut self, step: Exchange) {
        if self.steps.len() >= MOST {
            self.steps.pop_front();
        }
        self.steps.push_back(step);
    }
}

impl Observer for StepLog {
    fn exchanged(&self, request: &HttpRequest, answer: Result<&HttpResponse, &SendFailure>) {
        let mut inner = self.lock();
        let kind = match shown::kind(request) {
            shown::Kind::Exchange if inner.exchange.is_some() => shown::Kind::ExchangeAgain,
            kind => kind,
        };
        if kind == shown::Kind::Exchange {
            inner.exchange = Some(request.clone());
        }
        inner.add(shown::step(kind, request, answer));
    }
}
