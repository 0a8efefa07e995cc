//! The master key: it seals the data keys and nothing else, and lives outside the store.

use super::seal::{SealingKey, framed};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use keyfob_protocol::{Entropy, EntropyFailed, Secret, entropy};
use thiserror::Error;

/// 256 bits that live outside the store.
#[derive(Clone, Debug)]
pub struct MasterKey(Secret<[u8; 32]>);

/// Why a text is not a master key.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub enum MasterKeyError {
    /// Not base64 of exactly 32 bytes.
    #[error("a master key is 32 bytes in base64 (44 characters)")]
    Malformed,
    /// All bytes alike, or an ascending run: somebody's placeholder.
    #[error("this master key is a placeholder, not a random key")]
    Placeholder,
}

impl MasterKey {
    /// A fresh key.
    ///
    /// # Errors
    /// [`EntropyFailed`].
    pub fn generate(entropy: &dyn Entropy) -> Result<MasterKey, EntropyFailed> {
        Ok(MasterKey(Secret::new(entropy::random(entropy)?)))
    }

    /// Reads the base64 text of a key file or variable.
    ///
    /// # Errors
    /// [`MasterKeyError`].
    pub fn parse(text: &str) -> Result<MasterKey, MasterKeyError> {
        let bytes = STANDARD.decode(text.trim()).map_err(|_| MasterKeyError::Malformed)?;
        let bytes: [u8; 32] = bytes.try_into().map_err(|_| MasterKeyError::Malformed)?;
        let step = bytes[1].wrapping_sub(bytes[0]);
        if bytes.windows(2).all(|pair| pair[1].wrapping_sub(pair[0]) == step) {
            return Err(MasterKeyError::Placeholder);
        }
        Ok(MasterKey(Secret::new(bytes)))
    }

    /// The text for a key file.
    pub fn to_text(&self) -> Secret<String> {
        Secret::new(STANDARD.encode(self.0.expose()))
    }

    /// A value that only this key gives and that gives nothing back: tells a wrong key from a damaged store.
    pub(super) fn check(&self) -> [u8; 32] {
        self.derive("keyfob vault key check")
    }

    pub(super) fn seal(
        &self,
        number: u32,
        material: &[u8; 32],
        entropy: &dyn Entropy,
    ) -> Result<Vec<u8>, EntropyFailed> {
        self.sealing_key().seal(material, &associated(number), entropy)
    }

    pub(super) fn open(&self, number: u32, sealed: &[u8]) -> Option<Secret<[u8; 32]>> {
        let material = self.sealing_key().open(sealed, &associated(number))?;
        Some(Secret::new(material.expose().as_slice().try_into().ok()?))
    }

    /// Derived, so that the check and the seals never use the same bytes.
    fn sealing_key(&self) -> SealingKey {
        SealingKey::new(Secret::new(self.derive("keyfob vault sealing key")).expose())
    }

    fn derive(&self, purpose: &str) -> [u8; 32] {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.0.expose());
        let tag = hmac::sign(&key, &framed(purpose, &[]));
        tag.as_ref().try_into().expect("invariant: HMAC-SHA256 has 32 bytes")
    }
}

fn associated(number: u32) -> Vec<u8> {
    framed("keyfob vault data key", &[&number.to_be_bytes()])
}
