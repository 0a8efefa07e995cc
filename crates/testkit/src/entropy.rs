//! Entropy that is the same at every run, and that can fail on request.

use keyfob_protocol::{Entropy, EntropyFailed};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// A counter run through a mixer: distinct, repeatable, predictable. For tests only.
#[derive(Debug)]
pub struct SeededEntropy {
    counter: AtomicU64,
    failing: AtomicBool,
}

impl SeededEntropy {
    /// A stream for this seed.
    pub fn new(seed: u64) -> SeededEntropy {
        SeededEntropy { counter: AtomicU64::new(seed << 32), failing: AtomicBool::new(false) }
    }

    /// From now on it fails, or works again.
    pub fn set_failing(&self, failing: bool) {
        self.failing.store(failing, Ordering::SeqCst);
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyFailed> {
        if self.failing.load(Ordering::SeqCst) {
            return Err(EntropyFailed);
        }
        for chunk in bytes.chunks_mut(8) {
            // splitmix64
            let mut z = self.counter.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^= z >> 31;
            chunk.copy_from_slice(&z.to_be_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}
