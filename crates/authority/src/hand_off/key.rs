//! The platform's public key, and what is genuinely signed with it. The key serves its own algorithm only (RFC 8725 section 3.1).

use super::claims::ClaimsProblem;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use keyfob_protocol::access_token::SigningAlgorithm;
use keyfob_protocol::jwt::{UnverifiedJwt, VerifyingKey};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

/// SubjectPublicKeyInfo up to the key itself: Ed25519 (RFC 8410 section 4).
const ED25519_SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// The same for P-256 (RFC 5480 section 2), up to the uncompressed point.
const P256_SPKI: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// A text that is no key we can use. The operator's fault.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub enum KeyProblem {
    /// A private key has no business here.
    #[error("it is a private key; the platform keeps that, and gives Keyfob the public half")]
    Private,
    /// Neither of the two forms and kinds.
    #[error("it is not a public key of type Ed25519 or P-256, as a JWK or as PEM (\"BEGIN PUBLIC KEY\")")]
    Unknown,
}

/// The platform's public key.
#[derive(Debug)]
pub struct PlatformKey {
    algorithm: SigningAlgorithm,
    key: ParsedPublicKey,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    crv: String,
    x: String,
    y: Option<String>,
    alg: Option<String>,
    d: Option<serde::de::IgnoredAny>,
}

impl PlatformKey {
    /// Reads a JWK (RFC 7517) or a PEM file of a SubjectPublicKeyInfo.
    ///
    /// # Errors
    /// [`KeyProblem`] where it is neither.
    pub fn parse(text: &str) -> Result<PlatformKey, KeyProblem> {
        if text.contains("PRIVATE KEY") {
            return Err(KeyProblem::Private);
        }
        match text.trim_start().starts_with('{') {
            true => PlatformKey::from_jwk(text),
            false => PlatformKey::from_pem(text),
        }
    }

    fn from_jwk(text: &str) -> Result<PlatformKey, KeyProblem> {
        let Jwk { kty, crv, x, y, alg, d } = serde_json::from_str(text).map_err(|_| KeyProblem::Unknown)?;
        if d.is_some() {
            return Err(KeyProblem::Private);
        }
        let coordinate = |text: &str| -> Result<[u8; 32], KeyProblem> {
            URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| bytes.try_into().ok()).ok_or(KeyProblem::Unknown)
        };
        let key = match (kty.as_str(), crv.as_str(), &y) {
            ("OKP", "Ed25519", None) => PlatformKey::ed25519(&coordinate(&x)?)?,
            ("EC", "P-256", Some(y)) => {
                let point = [&[4][..], &coordinate(&x)?, &coordinate(y)?].concat();
                PlatformKey::p256(&point)?
            }
            _ => return Err(KeyProblem::Unknown),
        };
        match alg.is_none_or(|alg| alg == key.algorithm.name()) {
            true => Ok(key),
            false => Err(KeyProblem::Unknown),
        }
    }

    fn from_pem(text: &str) -> Result<PlatformKey, KeyProblem> {
        let inner = text
            .split_once("-----BEGIN PUBLIC KEY-----")
            .and_then(|(_, rest)| rest.split_once("-----END PUBLIC KEY-----"))
            .ok_or(KeyProblem::Unknown)?
            .0;
        let base64: String = inner.split_ascii_whitespace().collect();
        let der = STANDARD.decode(base64).map_err(|_| KeyProblem::Unknown)?;
        if let Some(raw) = der.strip_prefix(&ED25519_SPKI) {
            PlatformKey::ed25519(raw)
        } else if let Some(point) = der.strip_prefix(&P256_SPKI) {
            PlatformKey::p256(point)
        } else {
            Err(KeyProblem::Unknown)
        }
    }

    fn ed25519(raw: &[u8]) -> Result<PlatformKey, KeyProblem> {
        let key = ParsedPublicKey::new(&ED25519, raw).map_err(|_| KeyProblem::Unknown)?;
        Ok(PlatformKey { algorithm: SigningAlgorithm::EdDsa, key })
    }

    fn p256(point: &[u8]) -> Result<PlatformKey, KeyProblem> {
        let key = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).map_err(|_| KeyProblem::Unknown)?;
        Ok(PlatformKey { algorithm: SigningAlgorithm::Es256, key })
    }

    /// The claims of a JWT that this key signed, of exactly this `typ`.
    pub(super) fn authentic<C: DeserializeOwned>(&self, token: &str, typ: &str) -> Result<C, ClaimsProblem> {
        let payload = UnverifiedJwt::of_type(token, |found| found == typ)?.signed_by(self)?;
        serde_json::from_slice(&payload).map_err(|_| ClaimsProblem::NoObject)
    }
}

impl VerifyingKey for PlatformKey {
    fn algorithm(&self) -> SigningAlgorithm {
        self.algorithm
    }

    fn signed(&self, message: &[u8], signature: &[u8]) -> bool {
        self.key.verify_sig(message, signature).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::digest::{SHA256, digest};
    use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
    use aws_lc_rs::signature::{
        ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
    };
    use keyfob_protocol::jwt::JwtProblem;
    use serde_json::{Value, json};

    const TYPE: &str = "test+jwt";

    fn p256() -> EcdsaKeyPair {
        EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key")
    }

    fn b64(bytes: impl AsRef<[u8]>) -> String {
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn pem(der: &[u8]) -> String {
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der))
    }

    fn jwk(pair: &EcdsaKeyPair) -> Value {
        let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
        json!({ "kty": "EC", "crv": "P-256", "x": b64(x), "y": b64(y) })
    }

    /// A JWT as far as its signature.
    fn input(algorithm: &str) -> String {
        format!("{}.{}", b64(json!({ "alg": algorithm, "typ": TYPE }).to_string()), b64(r#"{"n":7}"#))
    }

    fn by_p256(pair: &EcdsaKeyPair, algorithm: &str) -> String {
        let input = input(algorithm);
        let signature = pair.sign_digest(&digest(&SHA256, input.as_bytes())).expect("signed");
        format!("{input}.{}", b64(signature.as_ref()))
    }

    fn read(key: &PlatformKey, token: &str) -> Result<Value, ClaimsProblem> {
        key.authentic(token, TYPE)
    }

    fn with(mut key: Value, name: &str, value: Value) -> String {
        key[name] = value;
        key.to_string()
    }

    #[test]
    fn a_p256_key_is_read_as_pem_and_as_jwk() {
        let (pair, other) = (p256(), p256());
        let der: PublicKeyX509Der<'_> = pair.public_key().as_der().expect("DER");
        for text in [
            pem(der.as_ref()),
            pem(der.as_ref()).replace('\n', "\r\n"),
            jwk(&pair).to_string(),
            format!("\n {}", with(jwk(&pair), "alg", json!("ES256"))),
        ] {
            let key = PlatformKey::parse(&text).expect(&text);
            assert_eq!(read(&key, &by_p256(&pair, "ES256")), Ok(json!({ "n": 7 })));
            assert_eq!(read(&key, &by_p256(&other, "ES256")), Err(JwtProblem::WrongSignature.into()));
            assert_eq!(read(&key, &by_p256(&pair, "EdDSA")), Err(JwtProblem::WrongAlgorithm.into()));
            // A JWS has r and s as they are, not in ASN.1 (RFC 7518 section 3.4).
            let document = pair.to_pkcs8v1().expect("a document");
            let asn1 = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, document.as_ref()).expect("a key");
            assert_eq!(read(&key, &by_p256(&asn1, "ES256")), Err(JwtProblem::WrongSignature.into()));
        }
    }

    #[test]
    fn an_ed25519_key_is_read_as_pem_and_as_jwk() {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("a key");
        let der: PublicKeyX509Der<'_> = pair.public_key().as_der().expect("DER");
        let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": b64(pair.public_key()) });
        for text in [pem(der.as_ref()), jwk.to_string(), with(jwk.clone(), "alg", json!("EdDSA"))] {
            let key = PlatformKey::parse(&text).expect(&text);
            let signed = |algorithm| {
                let input = input(algorithm);
                let signature = pair.sign(input.as_bytes());
                format!("{input}.{}", b64(signature.as_ref()))
            };
            assert_eq!(read(&key, &signed("EdDSA")), Ok(json!({ "n": 7 })));
            assert_eq!(read(&key, &signed("ES256")), Err(JwtProblem::WrongAlgorithm.into()));
        }
    }

    #[test]
    fn what_is_no_public_key_of_ours_is_refused_and_a_private_one_by_name() {
        let pair = p256();
        let key = || jwk(&pair);
        let der: PublicKeyX509Der<'_> = pair.public_key().as_der().expect("DER");
        let der: &[u8] = der.as_ref();
        for private in [
            pem(der).replace("PUBLIC", "PRIVATE"),
            "-----BEGIN EC PRIVATE KEY-----\nMHc\n-----END EC PRIVATE KEY-----\n".to_owned(),
            with(key(), "d", json!(b64([1; 32]))),
        ] {
            assert_eq!(PlatformKey::parse(&private).err(), Some(KeyProblem::Private), "{private}");
        }
        let elsewhere = [der[..der.len() - 1].to_vec(), vec![der[der.len() - 1] ^ 1]].concat();
        for unknown in [
            String::new(),
            "{".to_owned(),
            "ssh-ed25519 AAAA".to_owned(),
            pem(&[]),
            pem(&der[..der.len() - 1]),
            pem(&elsewhere),
            pem(der).replace("-----END", "----END"),
            with(key(), "kty", json!("RSA")),
            with(key(), "crv", json!("P-384")),
            with(key(), "y", Value::Null),
            with(key(), "y", key()["x"].clone()),
            with(key(), "x", json!(b64([1; 31]))),
            with(key(), "alg", json!("EdDSA")),
            with(json!({ "kty": "OKP", "crv": "Ed25519", "x": b64([7; 32]) }), "y", json!(b64([7; 32]))),
            with(json!({ "kty": "OKP", "x": b64([7; 32]) }), "crv", json!("X25519")),
        ] {
            assert_eq!(PlatformKey::parse(&unknown).err(), Some(KeyProblem::Unknown), "{unknown}");
        }
    }
}
