//! The platform's public key, and what is genuinely signed with it. The key serves its own algorithm only (RFC 8725 section 3.1).

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use keyfob_protocol::access_token::{SigningAlgorithm, UnverifiedJwt};
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

/// Why a text is not what the platform signed.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub enum JwtProblem {
    /// Not a JWT in compact form.
    #[error("not a JWT")]
    NotAJwt,
    /// Another `typ`.
    #[error("of another type")]
    WrongType,
    /// The header names extensions that must be understood (RFC 7515 section 4.1.11).
    #[error("critical extensions are not understood")]
    CriticalExtension,
    /// `alg` is not the key's own.
    #[error("the algorithm is not that of the key")]
    WrongAlgorithm,
    /// The signature does not hold.
    #[error("the signature does not hold")]
    WrongSignature,
    /// The claims are no JSON object.
    #[error("the claims are no JSON object")]
    MalformedClaims,
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
    pub(super) fn authentic<C: DeserializeOwned>(&self, token: &str, typ: &str) -> Result<C, JwtProblem> {
        let jwt = UnverifiedJwt::parse(token).ok_or(JwtProblem::NotAJwt)?;
        if jwt.header.typ.as_deref() != Some(typ) {
            return Err(JwtProblem::WrongType);
        }
        if jwt.header.crit.is_some() {
            return Err(JwtProblem::CriticalExtension);
        }
        if jwt.header.alg != self.algorithm.name() {
            return Err(JwtProblem::WrongAlgorithm);
        }
        if self.key.verify_sig(jwt.signing_input, &jwt.signature).is_err() {
            return Err(JwtProblem::WrongSignature);
        }
        serde_json::from_slice(&jwt.payload).map_err(|_| JwtProblem::MalformedClaims)
    }
}
