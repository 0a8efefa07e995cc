//! Keys and what is made of them: tokens derived from grants, sealed interactions, CSRF tokens, signatures.
//!
//! The master key only seals. Root keys and signing keys lie in the store, sealed under it and bound to purpose, id and issuer; so
//! a leaked database gives no token and a leaked master key alone gives none either.

mod grant_key;
mod master;
mod purpose;
mod seal;
mod signing;

pub use grant_key::GrantKey;
pub use master::{MasterKey, MasterKeys};
pub use purpose::KeyPurpose;
pub use signing::SigningKey;

use crate::model::Grant;
use crate::store::SealedKey;
use aws_lc_rs::{constant_time, hmac};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keyfob_protocol::access_token::{JwkSet, SigningAlgorithm};
use keyfob_protocol::{Entropy, EntropyFailed, Secret, Timestamp, entropy};
use std::collections::BTreeMap;
use thiserror::Error;

/// What a signing key is at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyStage {
    /// Published, and not signing yet: whoever keeps a copy of the key set has time to fetch it.
    Next,
    /// It signs.
    Signing,
    /// Its last tokens still live.
    Previous,
    /// Its last token has ended.
    Over,
    /// An administrator took it out of use, with all its tokens.
    Retired,
}

/// Why the keys of a store cannot be used.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum KeyError {
    /// The seal does not open: another master key, another issuer, or changed bytes.
    #[error("key {id} ({purpose}) in the store does not open with this master key and issuer")]
    DoesNotOpen {
        /// Which key.
        id: u32,
        /// What it is for.
        purpose: String,
    },
    /// The store lacks a key that is needed.
    #[error("the store has no key for the purpose \"{0}\"")]
    Missing(&'static str),
    /// A key opened and is not a key.
    #[error("key {0} in the store is malformed")]
    Malformed(u32),
}

/// Every key of an authority, opened. One key per purpose and id (matrix KM-03).
pub struct Keyring {
    issuer: String,
    token: BTreeMap<u32, Secret<[u8; 32]>>,
    interaction: BTreeMap<u32, seal::SealingKey>,
    csrf: hmac::Key,
    /// In the order in which they sign.
    signing: Vec<SigningKey>,
}

impl Keyring {
    /// Fresh sealed keys for a new store: one per purpose.
    pub fn generate(
        master: &MasterKey,
        issuer: &str,
        algorithm: SigningAlgorithm,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<Vec<SealedKey>, EntropyFailed> {
        let mut keys = Vec::new();
        for (id, purpose) in [(1, KeyPurpose::Token), (2, KeyPurpose::Interaction), (3, KeyPurpose::Csrf)] {
            let material: [u8; 32] = entropy::random(entropy)?;
            keys.push(master.seal(id, purpose, issuer, &material, now, entropy)?);
        }
        let purpose = KeyPurpose::Signing(algorithm);
        let material = SigningKey::generate(algorithm, entropy)?;
        keys.push(master.seal(4, purpose, issuer, material.expose(), now, entropy)?);
        Ok(keys)
    }

    /// Opens the keys of a store.
    pub fn open(master: &MasterKey, issuer: &str, keys: &[SealedKey]) -> Result<Keyring, KeyError> {
        let mut token = BTreeMap::new();
        let mut interaction = BTreeMap::new();
        let mut csrf = None;
        let mut signing = Vec::new();
        for key in keys {
            let purpose = KeyPurpose::parse(&key.purpose).ok_or(KeyError::Malformed(key.id))?;
            let material = master
                .open(key, issuer)
                .ok_or_else(|| KeyError::DoesNotOpen { id: key.id, purpose: key.purpose.clone() })?;
            let symmetric =
                || <[u8; 32]>::try_from(material.expose().as_slice()).map_err(|_| KeyError::Malformed(key.id));
            match purpose {
                KeyPurpose::Token => drop(token.insert(key.id, Secret::new(symmetric()?))),
                KeyPurpose::Interaction => drop(interaction.insert(key.id, seal::SealingKey::new(&symmetric()?))),
                KeyPurpose::Csrf => csrf = Some(hmac::Key::new(hmac::HMAC_SHA256, &symmetric()?)),
                KeyPurpose::Signing(algorithm) => {
                    let opened = SigningKey::open(key, algorithm, &material);
                    signing.push(opened.ok_or(KeyError::Malformed(key.id))?);
                }
            }
        }
        signing.sort_by_key(|key| (key.starts_at, key.id));
        let missing =
            [(token.is_empty(), "token"), (interaction.is_empty(), "interaction"), (signing.is_empty(), "signing")];
        if let Some((_, purpose)) = missing.into_iter().find(|(missing, _)| *missing) {
            return Err(KeyError::Missing(purpose));
        }
        let csrf = csrf.ok_or(KeyError::Missing("csrf"))?;
        Ok(Keyring { issuer: issuer.to_owned(), token, interaction, csrf, signing })
    }

    /// The root key under which new grants derive their tokens.
    pub fn current_root(&self) -> u32 {
        *self.token.keys().next_back().expect("invariant: open refuses a keyring without token keys")
    }

    /// The key of one grant's tokens; `None` if its root key is not here.
    pub fn grant_key(&self, grant: &Grant) -> Option<GrantKey> {
        let root = self.token.get(&grant.root_key)?;
        Some(GrantKey::derive(root, &self.issuer, grant))
    }

    /// Seals bytes that go to a browser and come back.
    pub fn seal_interaction(&self, plain: &[u8], entropy: &dyn Entropy) -> Result<String, EntropyFailed> {
        self.seal_as("interaction", plain, entropy)
    }

    /// Opens what [`Keyring::seal_interaction`] made; `None` for anything else.
    pub fn open_interaction(&self, sealed: &str) -> Option<Vec<u8>> {
        self.open_as("interaction", sealed)
    }

    /// Seals a pending hand-off: never taken for an interaction, since the label is part of the seal.
    pub(crate) fn seal_pending(&self, plain: &[u8], entropy: &dyn Entropy) -> Result<String, EntropyFailed> {
        self.seal_as("pending hand-off", plain, entropy)
    }

    /// Opens what [`Keyring::seal_pending`] made; `None` for anything else.
    pub(crate) fn open_pending(&self, sealed: &str) -> Option<Vec<u8>> {
        self.open_as("pending hand-off", sealed)
    }

    fn seal_as(&self, label: &str, plain: &[u8], entropy: &dyn Entropy) -> Result<String, EntropyFailed> {
        let (id, key) = self.interaction.last_key_value().expect("invariant: open refuses a keyring without one");
        let aad = seal_aad(label, &self.issuer, *id);
        let mut bytes = id.to_be_bytes().to_vec();
        bytes.extend(key.seal(plain, &aad, entropy)?);
        Ok(URL_SAFE_NO_PAD.encode(bytes))
    }

    fn open_as(&self, label: &str, sealed: &str) -> Option<Vec<u8>> {
        let bytes = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let (id, sealed) = bytes.split_first_chunk::<4>()?;
        let id = u32::from_be_bytes(*id);
        self.interaction.get(&id)?.open(sealed, &seal_aad(label, &self.issuer, id))
    }

    /// A CSRF token for one form in one browser. `bound_to` are the things it must not outlive, in a fixed order.
    pub fn csrf_token(&self, form: &str, bound_to: &[&[u8]]) -> String {
        URL_SAFE_NO_PAD.encode(hmac::sign(&self.csrf, &framed(form, bound_to)))
    }

    /// Whether this is the CSRF token for that form and those bindings.
    pub fn is_csrf_token(&self, presented: &str, form: &str, bound_to: &[&[u8]]) -> bool {
        let expected = self.csrf_token(form, bound_to);
        constant_time::verify_slices_are_equal(expected.as_bytes(), presented.as_bytes()).is_ok()
    }

    /// The key that signs new access tokens at `now`: the last one that has started. Where none has, by a clock that is a little behind
    /// another node's, the first.
    pub fn signing_key(&self, now: Timestamp) -> &SigningKey {
        let mut trusted = self.signing.iter().filter(|key| key.is_trusted(now));
        let started = trusted.clone().rfind(|key| key.starts_at <= now);
        let key = started.or_else(|| trusted.next()).or(self.signing.last());
        key.expect("invariant: open refuses a keyring without signing keys")
    }

    /// Every signing key with what it is at `now`, in the order in which they sign (matrix KM-02). The tokens of one that no longer signs
    /// live for `lifetime` seconds.
    pub fn signing_keys(&self, now: Timestamp, lifetime: i64) -> impl Iterator<Item = (&SigningKey, KeyStage)> {
        let current = self.signing_key(now).id;
        let stage = move |(place, key): (usize, &SigningKey)| {
            let successor = self.signing[place + 1..].iter().find(|later| later.is_trusted(now));
            let ended = |successor: &SigningKey| successor.starts_at.plus(lifetime) <= now;
            match key {
                _ if !key.is_trusted(now) => KeyStage::Retired,
                _ if key.id == current => KeyStage::Signing,
                _ if key.starts_at > now => KeyStage::Next,
                _ if successor.is_some_and(ended) => KeyStage::Over,
                _ => KeyStage::Previous,
            }
        };
        self.signing.iter().enumerate().map(move |placed| (placed.1, stage(placed)))
    }

    /// The public keys of tokens that live at `now`, and of those to come.
    pub fn jwks(&self, now: Timestamp, lifetime: i64) -> JwkSet {
        let published = |stage| matches!(stage, KeyStage::Next | KeyStage::Signing | KeyStage::Previous);
        let keys = self.signing_keys(now, lifetime).filter(|(_, stage)| published(*stage));
        JwkSet { keys: keys.map(|(key, _)| key.public_jwk().clone()).collect() }
    }
}

fn seal_aad(label: &str, issuer: &str, id: u32) -> Vec<u8> {
    framed(label, &[issuer.as_bytes(), &id.to_be_bytes()])
}

/// Length-prefixed, so that no two lists of parts have the same bytes.
fn framed(label: &str, parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(64);
    for part in std::iter::once(label.as_bytes()).chain(parts.iter().copied()) {
        bytes.extend((part.len() as u32).to_be_bytes());
        bytes.extend(part);
    }
    bytes
}

#[cfg(test)]
mod tests;
