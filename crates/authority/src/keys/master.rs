//! The master key: it seals the keys in the store and nothing else.

use super::purpose::KeyPurpose;
use super::seal::SealingKey;
use crate::store::SealedKey;
use aws_lc_rs::hmac;
use keyfob_protocol::key_text::{self, KeyTextError};
use keyfob_protocol::{Entropy, EntropyFailed, Secret, Timestamp};

/// 256 bits that live outside the store.
#[derive(Clone)]
pub struct MasterKey(Secret<[u8; 32]>);

/// Where master keys come from. While keys are put under another one there are two; the store's key check tells which is the right one.
pub trait MasterKeys: Send + Sync {
    /// The keys there are now; asked again whenever the store's keys have changed.
    fn candidates(&self) -> Vec<MasterKey>;
}

impl MasterKeys for MasterKey {
    fn candidates(&self) -> Vec<MasterKey> {
        vec![self.clone()]
    }
}

impl MasterKey {
    /// A fresh key.
    pub fn generate(entropy: &dyn Entropy) -> Result<MasterKey, EntropyFailed> {
        key_text::generate(entropy).map(MasterKey)
    }

    /// Reads the base64 text of a key file or variable.
    pub fn parse(text: &str) -> Result<MasterKey, KeyTextError> {
        key_text::parse(text).map(MasterKey)
    }

    /// The text for a key file.
    pub fn to_text(&self) -> Secret<String> {
        key_text::to_text(&self.0)
    }

    /// A value that only this key and issuer give, and that gives nothing back.
    pub fn check(&self, issuer: &str) -> [u8; 32] {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.0.expose());
        let tag = hmac::sign(&key, &super::framed("keyfob key check", &[issuer.as_bytes()]));
        tag.as_ref().try_into().expect("invariant: HMAC-SHA256 has 32 bytes")
    }

    /// Seals a key for the store.
    pub fn seal(
        &self,
        id: u32,
        purpose: KeyPurpose,
        issuer: &str,
        material: &[u8],
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<SealedKey, EntropyFailed> {
        let sealed = self.sealing_key().seal(material, &associated(purpose.name(), id, issuer), entropy)?;
        Ok(SealedKey {
            id,
            purpose: purpose.name().to_owned(),
            sealed,
            created_at: now,
            starts_at: now,
            retired_at: None,
        })
    }

    /// Opens a key of the store; `None` if it was sealed by another master key, for another issuer, purpose or id.
    pub fn open(&self, key: &SealedKey, issuer: &str) -> Option<Secret<Vec<u8>>> {
        self.sealing_key().open(&key.sealed, &associated(&key.purpose, key.id, issuer)).map(Secret::new)
    }

    /// The sealing key is derived, so that the key check and the seals never use the same bytes.
    fn sealing_key(&self) -> SealingKey {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.0.expose());
        let derived = hmac::sign(&key, &super::framed("keyfob sealing key", &[]));
        SealingKey::new(derived.as_ref().try_into().expect("invariant: HMAC-SHA256 has 32 bytes"))
    }
}

fn associated(purpose: &str, id: u32, issuer: &str) -> Vec<u8> {
    super::framed("keyfob sealed key", &[purpose.as_bytes(), &id.to_be_bytes(), issuer.as_bytes()])
}
