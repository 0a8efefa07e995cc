//! Authenticated encryption with a fresh random nonce in front (AES-256-GCM).

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use keyfob_protocol::{Entropy, EntropyFailed, entropy};

/// A key that seals and opens. Random 96-bit nonces bound it to 2^32 seals, far beyond what one key sees between rotations.
pub(super) struct SealingKey(LessSafeKey);

impl SealingKey {
    pub(super) fn new(material: &[u8; 32]) -> SealingKey {
        let key = UnboundKey::new(&AES_256_GCM, material).expect("invariant: AES-256-GCM takes 32 bytes");
        SealingKey(LessSafeKey::new(key))
    }

    pub(super) fn seal(&self, plain: &[u8], aad: &[u8], entropy: &dyn Entropy) -> Result<Vec<u8>, EntropyFailed> {
        let nonce: [u8; NONCE_LEN] = entropy::random(entropy)?;
        let mut sealed = plain.to_vec();
        self.0
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad), &mut sealed)
            .expect("invariant: the input is far below the limit of GCM");
        let mut out = nonce.to_vec();
        out.append(&mut sealed);
        Ok(out)
    }

    pub(super) fn open(&self, sealed: &[u8], aad: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let mut bytes = sealed.to_vec();
        let plain = self.0.open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(aad), &mut bytes).ok()?;
        Some(plain.to_vec())
    }
}
