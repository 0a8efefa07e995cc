//! How long to wait before another try: doubling, with jitter, and never less than the other end asked for.

use crate::token_failure::TokenFailure;
use keyfob_protocol::{Entropy, entropy};
use std::time::Duration;

/// The longest wait inside a call that somebody is waiting for. A longer one ends the call with the failure.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// The rule.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    first: Duration,
    longest: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(300) }
    }
}

impl Backoff {
    /// The wait after the `tried`-th failure (from 1): half of the doubled time is fixed and half is random, so that callers who failed
    /// together do not come back together. `Retry-After` is a floor and the jitter goes on top.
    pub(crate) fn wait(self, tried: u32, failure: &TokenFailure, entropy: &dyn Entropy) -> Duration {
        let full = self.first.saturating_mul(1 << tried.saturating_sub(1).min(16)).min(self.longest);
        // Without randomness the wait is at its longest: late is harmless here.
        let random = entropy::random::<2>(entropy).map_or(u16::MAX, u16::from_be_bytes);
        let jitter = full / 2 * u32::from(random) / u32::from(u16::MAX);
        match failure {
            TokenFailure::Transient { retry_after: Some(seconds), .. } => {
                Duration::from_secs(u64::from(*seconds)).max(full / 2) + jitter
            }
            _ => full / 2 + jitter,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TransientCause;
    use crate::transport::SendFailure;
    use keyfob_protocol::EntropyFailed;

    struct Always(u8);

    impl Entropy for Always {
        fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyFailed> {
            bytes.fill(self.0);
            Ok(())
        }
    }

    #[test]
    fn cl_06_waits_double_with_jitter_and_honour_retry_after() {
        let transient = |retry_after| TokenFailure::Transient {
            cause: TransientCause::Network(SendFailure::NotSent("dns".into())),
            retry_after,
        };
        let wait = |tried, retry_after, byte| Backoff::default().wait(tried, &transient(retry_after), &Always(byte));
        assert_eq!((wait(1, None, 0).as_millis(), wait(1, None, 255).as_millis()), (500, 1000));
        assert_eq!((wait(4, None, 0).as_secs(), wait(4, None, 255).as_secs()), (4, 8));
        assert_eq!((wait(60, None, 0).as_secs(), wait(60, None, 255).as_secs()), (150, 300));
        assert_eq!((wait(1, Some(7), 0).as_millis(), wait(1, Some(7), 255).as_millis()), (7000, 7500));
    }
}
