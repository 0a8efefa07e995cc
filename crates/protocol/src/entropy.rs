//! Randomness is handed in. The only implementation that asks the operating system lives in the composition root.

use thiserror::Error;

/// The operating system gave no random bytes. The request at hand is aborted and nothing is issued (matrix KM-04).
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
#[error("the operating system's random generator failed")]
pub struct EntropyFailed;

/// A source of unpredictable bytes.
pub trait Entropy: Send + Sync {
    /// Fills `bytes` or fails; never fills part of it.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyFailed>;
}

/// `N` random bytes.
pub fn random<const N: usize>(entropy: &dyn Entropy) -> Result<[u8; N], EntropyFailed> {
    let mut bytes = [0; N];
    entropy.fill(&mut bytes)?;
    Ok(bytes)
}
