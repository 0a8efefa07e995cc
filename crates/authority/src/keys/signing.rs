//! Keys that sign access tokens, and their public halves.

use crate::store::SealedKey;
use aws_lc_rs::digest;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keyfob_protocol::access_token::{self, AccessTokenClaims, PublicJwk, SigningAlgorithm};
use keyfob_protocol::{Entropy, EntropyFailed, Secret, Timestamp, entropy};
use serde::Serialize;

/// A key that signs access tokens.
pub struct SigningKey {
    pair: Pair,
    /// `base64url(header).`, the same for every token of this key.
    encoded_header: String,
    jwk: PublicJwk,
    /// Its row's.
    pub id: u32,
    /// From when on it signs, unless a later key does.
    pub starts_at: Timestamp,
    /// From when on it neither signs nor is published.
    pub retired_at: Option<Timestamp>,
}

enum Pair {
    EdDsa(Ed25519KeyPair),
    Es256(EcdsaKeyPair),
}

impl SigningKey {
    /// Fresh private key material, to be sealed.
    pub fn generate(algorithm: SigningAlgorithm, entropy: &dyn Entropy) -> Result<Secret<Vec<u8>>, EntropyFailed> {
        match algorithm {
            SigningAlgorithm::EdDsa => {
                let seed: [u8; 32] = entropy::random(entropy)?;
                Ok(Secret::new(seed.to_vec()))
            }
            // aws-lc draws a P-256 key from the operating system by itself; there is no way to hand bytes in.
            SigningAlgorithm::Es256 => {
                let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(|_| EntropyFailed)?;
                let document = pair.to_pkcs8v1().map_err(|_| EntropyFailed)?;
                Ok(Secret::new(document.as_ref().to_vec()))
            }
        }
    }

    /// Reads key material that [`SigningKey::generate`] made, of this row.
    pub(super) fn open(row: &SealedKey, algorithm: SigningAlgorithm, material: &Secret<Vec<u8>>) -> Option<SigningKey> {
        let pair = match algorithm {
            SigningAlgorithm::EdDsa => Pair::EdDsa(Ed25519KeyPair::from_seed_unchecked(material.expose()).ok()?),
            SigningAlgorithm::Es256 => {
                Pair::Es256(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, material.expose()).ok()?)
            }
        };
        let (kty, crv, x, y) = match &pair {
            Pair::EdDsa(pair) => ("OKP", "Ed25519", pair.public_key().as_ref(), None),
            Pair::Es256(pair) => {
                let (x, y) = pair.public_key().as_ref().strip_prefix(&[4])?.split_at_checked(32)?;
                ("EC", "P-256", x, Some(y))
            }
        };
        // The id of the row alone would repeat across stores; a digest of the key does not.
        let digest = digest::digest(&digest::SHA256, x);
        let kid = format!("{}-{}", row.id, URL_SAFE_NO_PAD.encode(&digest.as_ref()[..9]));
        let jwk = PublicJwk {
            kty: kty.to_owned(),
            crv: crv.to_owned(),
            x: URL_SAFE_NO_PAD.encode(x),
            y: y.map(|y| URL_SAFE_NO_PAD.encode(y)),
            kid: kid.clone(),
            alg: algorithm,
            use_: "sig".to_owned(),
        };
        let encoded_header = access_token::encoded_header(algorithm, &kid);
        let SealedKey { id, starts_at, retired_at, .. } = *row;
        Some(SigningKey { pair, encoded_header, jwk, id, starts_at, retired_at })
    }

    /// Whether it may be used for anything at `now`.
    pub fn is_trusted(&self, now: Timestamp) -> bool {
        self.retired_at.is_none_or(|retired_at| now < retired_at)
    }

    /// The public half.
    pub fn public_jwk(&self) -> &PublicJwk {
        &self.jwk
    }

    /// A signed access token (RFC 9068).
    pub fn sign(&self, claims: &AccessTokenClaims) -> Result<Secret<String>, EntropyFailed> {
        self.finish(access_token::signing_input(&self.encoded_header, claims))
    }

    /// A signed JWT of another type: never taken for an access token, because every verifier asks for its own type first.
    pub fn sign_typed(&self, typ: &str, claims: &impl Serialize) -> Result<Secret<String>, EntropyFailed> {
        let header = access_token::encoded_header_of(typ, self.jwk.alg, &self.jwk.kid);
        self.finish(access_token::signing_input(&header, claims))
    }

    fn finish(&self, input: String) -> Result<Secret<String>, EntropyFailed> {
        let signature = match &self.pair {
            Pair::EdDsa(pair) => pair.sign(input.as_bytes()),
            // ECDSA draws a nonce; that is the only thing that can fail.
            Pair::Es256(pair) => {
                let digest = digest::digest(&digest::SHA256, input.as_bytes());
                pair.sign_digest(&digest).map_err(|_| EntropyFailed)?
            }
        };
        Ok(Secret::new(access_token::with_signature(input, signature.as_ref())))
    }
}
