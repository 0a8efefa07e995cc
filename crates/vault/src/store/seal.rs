//! Authenticated encryption with a fresh random nonce in front (AES-256-GCM).

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use keyfob_protocol::{Entropy, EntropyFailed, Secret, entropy};

/// Seals and opens. Random 96-bit nonces bound a key to 2^32 seals: a hundred thousand connections that refresh hourly take five years
/// to get there, and the data key is to be rotated long before.
pub(super) struct SealingKey(LessSafeKey);

impl SealingKey {
    pub(super) fn new(material: &[u8; 32]) -> SealingKey {
        let key = UnboundKey::new(&AES_256_GCM, material).expect("invariant: AES-256-GCM takes 32 bytes");
        SealingKey(LessSafeKey::new(key))
    }

    pub(super) fn seal(
        &self,
        plain: &[u8],
        associated: &[u8],
        entropy: &dyn Entropy,
    ) -> Result<Vec<u8>, EntropyFailed> {
        let nonce: [u8; NONCE_LEN] = entropy::random(entropy)?;
        let mut sealed = plain.to_vec();
        self.0
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(associated), &mut sealed)
            .expect("invariant: the input is far below the limit of GCM");
        let mut out = nonce.to_vec();
        out.append(&mut sealed);
        Ok(out)
    }

    /// `None` if it was sealed by another key, for another place, or changed since.
    pub(super) fn open(&self, sealed: &[u8], associated: &[u8]) -> Option<Secret<Vec<u8>>> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let mut bytes = sealed.to_vec();
        let plain =
            self.0.open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(associated), &mut bytes).ok()?;
        Some(Secret::new(plain.to_vec()))
    }
}

/// What stands for an attempt, bound to its name and to the number of its data key.
pub(super) fn seal_attempt(
    key: &SealingKey,
    (name, data_key): (&str, u32),
    content: &Secret<String>,
    entropy: &dyn Entropy,
) -> Result<Vec<u8>, EntropyFailed> {
    key.seal(content.expose().as_bytes(), &attempt_place(name, data_key), entropy)
}

/// `None` as for [`SealingKey::open`].
pub(super) fn open_attempt(key: &SealingKey, (name, data_key): (&str, u32), sealed: &[u8]) -> Option<Secret<String>> {
    let bytes = key.open(sealed, &attempt_place(name, data_key))?;
    String::from_utf8(bytes.expose().clone()).ok().map(Secret::new)
}

fn attempt_place(name: &str, data_key: u32) -> Vec<u8> {
    framed("keyfob vault attempt", &[name.as_bytes(), &data_key.to_be_bytes()])
}

/// Joins fields so that no two lists of fields give the same bytes.
pub(super) fn framed(purpose: &str, fields: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    for field in std::iter::once(&purpose.as_bytes()).chain(fields) {
        out.extend_from_slice(&(field.len() as u64).to_be_bytes());
        out.extend_from_slice(field);
    }
    out
}
