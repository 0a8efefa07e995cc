//! How much is being worked on. A request more than can be answered soon is turned away at once, rather than made to wait with the others.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Requests in work.
#[derive(Debug, Default)]
pub(crate) struct Load {
    requests: AtomicUsize,
    sign_ins: AtomicUsize,
}

/// One of them; over when dropped.
pub(crate) struct InWork<'l>(&'l AtomicUsize);

impl Load {
    /// A request, unless `most` are in work.
    pub(crate) fn request(&self, most: usize) -> Option<InWork<'_>> {
        begin(&self.requests, most)
    }

    /// A password to be checked, which takes a core some twenty milliseconds, unless `most` are waiting for theirs.
    pub(crate) fn sign_in(&self, most: usize) -> Option<InWork<'_>> {
        begin(&self.sign_ins, most)
    }
}

fn begin(counter: &AtomicUsize, most: usize) -> Option<InWork<'_>> {
    let begun = InWork(counter);
    let before = counter.fetch_add(1, Ordering::Relaxed);
    (before < most).then_some(begun)
}

impl Drop for InWork<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
