//! How often something is tried again that failed for a passing reason, and how long is waited between: a third of a second in all, so that
//! connections that end, all at once or one after the other, are noticed by nobody. A database that is down is told at once.

use std::time::Duration;

use crate::fault::Fault;

const ATTEMPTS: u32 = 7;

/// The attempts at one thing.
pub struct Patience {
    attempt: u32,
}

impl Patience {
    #[expect(clippy::new_without_default, reason = "a default reads as nothing, and this is a count of attempts")]
    /// Before the first attempt.
    pub fn new() -> Self {
        Self { attempt: 1 }
    }

    /// Waits before the next attempt.
    ///
    /// # Errors
    /// The same fault, if another attempt is not worth it.
    pub async fn after(&mut self, fault: Fault) -> Result<(), Fault> {
        if !fault.is_passing() || self.attempt == ATTEMPTS {
            return Err(fault);
        }
        tracing::debug!(%fault, attempt = self.attempt, "trying again");
        tokio::time::sleep(Duration::from_millis(5 << (self.attempt - 1))).await;
        self.attempt += 1;
        Ok(())
    }
}
