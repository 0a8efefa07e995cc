//! How long something takes, for what is told to a person. No decision hangs on it.

use std::time::{Duration, Instant};

/// Runs from its making on.
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts now.
    #[expect(clippy::disallowed_methods, reason = "the composition root reads the system's clocks")]
    pub(crate) fn start() -> Stopwatch {
        Stopwatch(Instant::now())
    }

    /// Since it was made.
    pub(crate) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}
