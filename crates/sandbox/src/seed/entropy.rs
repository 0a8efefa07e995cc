//! Bytes that look random and are the same at every start: SHA-256 over seed, label and a counter.

use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::digest;
use keyfob_protocol::{Entropy, EntropyFailed};

/// A predictable [`Entropy`], for seeded data and tests. Whatever must be unguessable, tokens above all, needs the real one, or
/// a restarted sandbox would issue yesterday's tokens again.
#[derive(Debug)]
pub struct SeededEntropy {
    prefix: Vec<u8>,
    counter: AtomicU64,
}

impl SeededEntropy {
    /// The stream of this seed and label. Different labels give unrelated streams.
    pub fn new(seed: u64, label: &str) -> SeededEntropy {
        let mut prefix = b"keyfob sandbox stream".to_vec();
        prefix.extend(seed.to_be_bytes());
        prefix.extend((label.len() as u64).to_be_bytes());
        prefix.extend(label.as_bytes());
        SeededEntropy { prefix, counter: AtomicU64::new(0) }
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyFailed> {
        for chunk in bytes.chunks_mut(digest::SHA256_OUTPUT_LEN) {
            let mut block = digest::Context::new(&digest::SHA256);
            block.update(&self.prefix);
            block.update(&self.counter.fetch_add(1, Ordering::Relaxed).to_be_bytes());
            chunk.copy_from_slice(&block.finish().as_ref()[..chunk.len()]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(entropy: &SeededEntropy) -> [u8; 40] {
        keyfob_protocol::entropy::random(entropy).expect("never fails")
    }

    #[test]
    fn sb_06_a_stream_repeats_by_seed_and_label_and_never_within_itself() {
        let stream = SeededEntropy::new(1, "a");
        let first = bytes(&stream);
        assert_eq!(first, bytes(&SeededEntropy::new(1, "a")));
        assert_ne!(first, bytes(&stream));
        assert_ne!(first, bytes(&SeededEntropy::new(2, "a")));
        assert_ne!(first, bytes(&SeededEntropy::new(1, "b")));
    }
}
