//! The operating system's generator, through aws-lc.

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use keyfob_protocol::{Entropy, EntropyFailed};

/// Unpredictable bytes.
pub(crate) struct SystemEntropy(SystemRandom);

impl SystemEntropy {
    /// Ready to draw from.
    #[expect(clippy::disallowed_methods, reason = "the composition root draws from the system's generator")]
    pub(crate) fn new() -> SystemEntropy {
        SystemEntropy(SystemRandom::new())
    }
}

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyFailed> {
        self.0.fill(bytes).map_err(|_| EntropyFailed)
    }
}
