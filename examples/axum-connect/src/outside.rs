//! Time and randomness, which the library takes from outside so that your tests can hold them still.

#![expect(clippy::disallowed_methods, reason = "this is where they come from")]

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use keyfob_client::{Clock, Entropy, EntropyFailed, Timestamp};
use std::time::{SystemTime, UNIX_EPOCH};

pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(since.as_secs().cast_signed())
    }
}

pub(crate) struct SystemEntropy(SystemRandom);

impl SystemEntropy {
    pub(crate) fn new() -> SystemEntropy {
        SystemEntropy(SystemRandom::new())
    }
}

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyFailed> {
        self.0.fill(bytes).map_err(|_| EntropyFailed)
    }
}
