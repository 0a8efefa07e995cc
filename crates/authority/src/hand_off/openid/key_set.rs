//! The provider's public keys (RFC 7517) and the algorithms of its signatures (RFC 7518 section 3, RFC 8037).
//!
//! A key serves the algorithms of its own kind only, and none of them takes a shared secret, so neither `none` nor an HMAC with a public key as
//! its secret passes (RFC 8725 section 3.1). Keys that we cannot use are passed over: a set holds keys for other purposes as well.

use aws_lc_rs::digest;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512,
    RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;

/// How an ID token may be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    EdDsa,
}

impl Algorithm {
    pub(super) fn parse(name: &str) -> Option<Algorithm> {
        Some(match name {
            "RS256" => Algorithm::Rs256,
            "RS384" => Algorithm::Rs384,
            "RS512" => Algorithm::Rs512,
            "PS256" => Algorithm::Ps256,
            "PS384" => Algorithm::Ps384,
            "PS512" => Algorithm::Ps512,
            "ES256" => Algorithm::Es256,
            "ES384" => Algorithm::Es384,
            // RFC 9864 has the second name for what everybody means by the first.
            "EdDSA" | "Ed25519" => Algorithm::EdDsa,
            _ => return None,
        })
    }

    /// The hash of `at_hash` (Core section 3.1.3.6); Ed25519 has SHA-512 inside.
    pub(super) fn hash(self) -> &'static digest::Algorithm {
        match self {
            Algorithm::Rs256 | Algorithm::Ps256 | Algorithm::Es256 => &digest::SHA256,
            Algorithm::Rs384 | Algorithm::Ps384 | Algorithm::Es384 => &digest::SHA384,
            Algorithm::Rs512 | Algorithm::Ps512 | Algorithm::EdDsa => &digest::SHA512,
        }
    }

    fn rsa(self) -> Option<&'static RsaParameters> {
        Some(match self {
            Algorithm::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
            Algorithm::Rs384 => &RSA_PKCS1_2048_8192_SHA384,
            Algorithm::Rs512 => &RSA_PKCS1_2048_8192_SHA512,
            Algorithm::Ps256 => &RSA_PSS_2048_8192_SHA256,
            Algorithm::Ps384 => &RSA_PSS_2048_8192_SHA384,
            Algorithm::Ps512 => &RSA_PSS_2048_8192_SHA512,
            Algorithm::Es256 | Algorithm::Es384 | Algorithm::EdDsa => return None,
        })
    }
}

/// The keys that can sign an ID token.
#[derive(Debug, Deserialize)]
#[serde(from = "JwkSet")]
pub(super) struct KeySet(Vec<Key>);

#[derive(Debug)]
struct Key {
    id: Option<String>,
    /// Where the key itself says so.
    only: Option<String>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

#[derive(Deserialize)]
struct JwkSet {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl From<JwkSet> for KeySet {
    fn from(set: JwkSet) -> KeySet {
        let jwks = set.keys.into_iter().filter_map(|key| serde_json::from_value(key).ok());
        KeySet(jwks.filter_map(Key::read).collect())
    }
}

impl Key {
    fn read(jwk: Jwk) -> Option<Key> {
        if jwk.purpose.is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        let bytes = |text: &Option<String>| URL_SAFE_NO_PAD.decode(text.as_deref()?).ok();
        let coordinate = |text, length| bytes(text).filter(|bytes| bytes.len() == length);
        let point = |length| Some([vec![4], coordinate(&jwk.x, length)?, coordinate(&jwk.y, length)?].concat());
        let kind = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
            ("RSA", _) => Kind::Rsa { n: bytes(&jwk.n)?, e: bytes(&jwk.e)? },
            ("EC", Some("P-256")) => Kind::P256(point(32)?),
            ("EC", Some("P-384")) => Kind::P384(point(48)?),
            ("OKP", Some("Ed25519")) => Kind::Ed25519(coordinate(&jwk.x, 32)?),
            _ => return None,
        };
        Some(Key { id: jwk.kid, only: jwk.alg, kind })
    }

    fn fits(&self, algorithm: Algorithm) -> bool {
        let of_its_kind = match self.kind {
            Kind::Rsa { .. } => algorithm.rsa().is_some(),
            Kind::P256(_) => algorithm == Algorithm::Es256,
            Kind::P384(_) => algorithm == Algorithm::Es384,
            Kind::Ed25519(_) => algorithm == Algorithm::EdDsa,
        };
        of_its_kind && self.only.as_deref().is_none_or(|only| Algorithm::parse(only) == Some(algorithm))
    }

    fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        match &self.kind {
            Kind::Rsa { n, e } => {
                let key = RsaPublicKeyComponents { n: n.as_slice(), e: e.as_slice() };
                algorithm.rsa().is_some_and(|parameters| key.verify(parameters, message, signature).is_ok())
            }
            Kind::P256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature).is_ok()
            }
            Kind::P384(point) => {
                UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point).verify(message, signature).is_ok()
            }
            Kind::Ed25519(key) => UnparsedPublicKey::new(&ED25519, key).verify(message, signature).is_ok(),
        }
    }
}

impl KeySet {
    /// Keys that may have signed under this id and algorithm. A header without an id means any of them (Core section 10.1).
    fn candidates(&self, id: Option<&str>, algorithm: Algorithm) -> impl Iterator<Item = &Key> {
        self.0.iter().filter(move |key| key.fits(algorithm) && id.is_none_or(|id| key.id.as_deref() == Some(id)))
    }

    /// Whether there is one at all.
    pub(super) fn knows(&self, id: Option<&str>, algorithm: Algorithm) -> bool {
        self.candidates(id, algorithm).next().is_some()
    }

    /// Whether one of them signed this.
    pub(super) fn verifies(&self, id: Option<&str>, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        self.candidates(id, algorithm).any(|key| key.verifies(algorithm, message, signature))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::rsa::KeySize;
    use aws_lc_rs::signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
        RSA_PKCS1_SHA256, RSA_PSS_SHA512, RsaKeyPair,
    };
    use serde_json::json;

    fn b64(bytes: impl AsRef<[u8]>) -> String {
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn set(keys: Value) -> KeySet {
        serde_json::from_value(json!({ "keys": keys })).expect("a key set")
    }

    fn ec(kid: &str, crv: &str, pair: &EcdsaKeyPair) -> Value {
        let point = &pair.public_key().as_ref()[1..];
        let (x, y) = point.split_at(point.len() / 2);
        json!({ "kty": "EC", "kid": kid, "crv": crv, "x": b64(x), "y": b64(y) })
    }

    #[test]
    fn each_kind_of_key_verifies_its_own_algorithms_and_no_other() {
        #[expect(clippy::disallowed_methods, reason = "the signature of a test's own key")]
        let random = aws_lc_rs::rand::SystemRandom::new();
        let rsa = RsaKeyPair::generate(KeySize::Rsa2048).expect("a key");
        // RSAPublicKey (RFC 8017 section A.1.1): the modulus stands behind nine bytes of DER, and the exponent is 65537.
        let n = &rsa.public_key().as_ref()[9..265];
        let p256 = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
        let p384 = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).expect("a key");
        let ed = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("a key");
        let rsa_key = json!({ "kty": "RSA", "kid": "r", "n": b64(n), "e": "AQAB", "use": "sig" });
        let ed_key = json!({ "kty": "OKP", "kid": "d", "crv": "Ed25519", "x": b64(ed.public_key()), "alg": "EdDSA" });
        let keys = set(json!([rsa_key, ec("a", "P-256", &p256), ec("b", "P-384", &p384), ed_key]));
        let message = b"header.payload";
        let by_rsa = |padding| {
            let mut signature = vec![0; rsa.public_modulus_len()];
            rsa.sign(padding, &random, message, &mut signature).expect("signed");
            signature
        };
        let by = |pair: &EcdsaKeyPair| pair.sign(&random, message).expect("signed").as_ref().to_vec();
        let signed = [
            ("r", Algorithm::Rs256, by_rsa(&RSA_PKCS1_SHA256)),
            ("r", Algorithm::Ps512, by_rsa(&RSA_PSS_SHA512)),
            ("a", Algorithm::Es256, by(&p256)),
            ("b", Algorithm::Es384, by(&p384)),
            ("d", Algorithm::EdDsa, ed.sign(message).as_ref().to_vec()),
        ];
        for (id, algorithm, signature) in &signed {
            assert!(keys.verifies(Some(id), *algorithm, message, signature), "{algorithm:?}");
            assert!(keys.verifies(None, *algorithm, message, signature), "{algorithm:?} without a key id");
            assert!(!keys.verifies(Some(id), *algorithm, b"header.other", signature), "{algorithm:?}");
            assert!(!keys.knows(Some("x"), *algorithm));
            for (_, other, _) in signed.iter().filter(|(_, other, _)| other != algorithm) {
                assert!(!keys.verifies(Some(id), *other, message, signature), "{algorithm:?} as {other:?}");
            }
        }
    }

    #[test]
    fn keys_that_cannot_sign_an_id_token_are_passed_over() {
        let p256 = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
        let with = |name: &str, value: Value| {
            let mut key = ec("a", "P-256", &p256);
            key[name] = value;
            key
        };
        for key in [
            with("use", json!("enc")),
            with("alg", json!("ES384")),
            with("alg", json!("HS256")),
            with("crv", json!("secp256k1")),
            with("x", json!("AAAA")),
            with("kid", json!(7)),
            with("kty", json!("oct")),
            json!({ "kty": "oct", "kid": "a", "k": "AAAA" }),
            json!("key"),
        ] {
            assert!(!set(json!([key])).knows(Some("a"), Algorithm::Es256), "{key}");
        }
        for name in ["none", "HS256", "HS512", "ES512", "rs256", ""] {
            assert_eq!(Algorithm::parse(name), None, "{name}");
        }
    }
}
