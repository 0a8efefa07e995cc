//! The authority's public keys, ready to verify with.
//!
//! A key is looked up by its `kid` and serves its own algorithm only, so that no token can choose how it is checked
//! (RFC 8725 section 3.1).

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keyfob_protocol::access_token::{JwkSet, PublicJwk, SigningAlgorithm};
use keyfob_protocol::jwt::VerifyingKey;
use thiserror::Error;

/// A published key set that cannot be used. The authority's fault.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum KeySetProblem {
    /// No keys: nothing could be verified.
    #[error("the key set is empty")]
    Empty,
    /// Two keys with one `kid`: which one verifies would be chance.
    #[error("key id {0:?} occurs twice")]
    Duplicate(String),
    /// `kty`, `crv`, `alg` and `use` do not belong together.
    #[error("key {0:?} is not a signature key of type OKP Ed25519 for EdDSA or EC P-256 for ES256")]
    Mismatch(String),
    /// The coordinates are not a public key of that curve.
    #[error("key {0:?} does not hold a public key")]
    NotAKey(String),
}

/// One key.
#[derive(Debug)]
pub(crate) struct VerificationKey {
    kid: String,
    algorithm: SigningAlgorithm,
    key: ParsedPublicKey,
}

impl VerificationKey {
    fn from_jwk(jwk: &PublicJwk) -> Result<VerificationKey, KeySetProblem> {
        let not_a_key = || KeySetProblem::NotAKey(jwk.kid.clone());
        let coordinate = |text: &str| -> Result<[u8; 32], KeySetProblem> {
            URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| bytes.try_into().ok()).ok_or_else(not_a_key)
        };
        let key = match (jwk.kty.as_str(), jwk.crv.as_str(), jwk.alg, jwk.use_.as_str(), &jwk.y) {
            ("OKP", "Ed25519", SigningAlgorithm::EdDsa, "sig", None) => {
                ParsedPublicKey::new(&ED25519, coordinate(&jwk.x)?)
            }
            ("EC", "P-256", SigningAlgorithm::Es256, "sig", Some(y)) => {
                // SEC 1 section 2.3.3, uncompressed.
                let mut point = [4; 65];
                point[1..33].copy_from_slice(&coordinate(&jwk.x)?);
                point[33..].copy_from_slice(&coordinate(y)?);
                ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
            }
            _ => return Err(KeySetProblem::Mismatch(jwk.kid.clone())),
        };
        let key = key.map_err(|_| not_a_key())?;
        Ok(VerificationKey { kid: jwk.kid.clone(), algorithm: jwk.alg, key })
    }
}

impl VerifyingKey for VerificationKey {
    fn algorithm(&self) -> SigningAlgorithm {
        self.algorithm
    }

    fn signed(&self, message: &[u8], signature: &[u8]) -> bool {
        self.key.verify_sig(message, signature).is_ok()
    }
}

/// The keys that tokens are verified with.
#[derive(Debug, Default)]
pub struct VerificationKeys(Vec<VerificationKey>);

impl VerificationKeys {
    /// Reads a published set (RFC 7517 section 5).
    ///
    /// # Errors
    /// [`KeySetProblem`] for the first key that cannot be used; a set is taken whole or not at all.
    pub fn new(set: &JwkSet) -> Result<VerificationKeys, KeySetProblem> {
        if set.keys.is_empty() {
            return Err(KeySetProblem::Empty);
        }
        let mut keys: Vec<VerificationKey> = Vec::with_capacity(set.keys.len());
        for jwk in &set.keys {
            if keys.iter().any(|key| key.kid == jwk.kid) {
                return Err(KeySetProblem::Duplicate(jwk.kid.clone()));
            }
            keys.push(VerificationKey::from_jwk(jwk)?);
        }
        Ok(VerificationKeys(keys))
    }

    /// The key with this id. A handful of keys at most: a scan beats hashing.
    pub(crate) fn find(&self, kid: &str) -> Option<&VerificationKey> {
        self.0.iter().find(|key| key.kid == kid)
    }
}
