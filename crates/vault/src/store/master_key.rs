//! The master key: it seals the data keys and nothing else, and lives outside the store.

use super::seal::{SealingKey, framed};
use aws_lc_rs::hmac;
use keyfob_protocol::key_text::{self, KeyTextError};
use keyfob_protocol::{Entropy, EntropyFailed, Secret};

/// 256 bits that live outside the store.
#[derive(Clone, Debug)]
pub struct MasterKey(Secret<[u8; 32]>);

impl MasterKey {
    /// A fresh key.
    ///
    /// # Errors
    /// [`EntropyFailed`].
    pub fn generate(entropy: &dyn Entropy) -> Result<MasterKey, EntropyFailed> {
        key_text::generate(entropy).map(MasterKey)
    }

    /// Reads the base64 text of a key file or variable.
    ///
    /// # Errors
    /// [`KeyTextError`].
    pub fn parse(text: &str) -> Result<MasterKey, KeyTextError> {
        key_text::parse(text).map(MasterKey)
    }

    /// The text for a key file.
    pub fn to_text(&self) -> Secret<String> {
        key_text::to_text(&self.0)
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
