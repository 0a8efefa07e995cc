//! Signed JWTs, taken apart and checked (RFC 7515, RFC 8725): whose claims they are comes after whether anybody of ours signed them.

use crate::access_token::SigningAlgorithm;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use thiserror::Error;

/// Longest token that is taken apart, in bytes.
pub const MAX_LENGTH: usize = 8 * 1024;

/// Why a text is not a JWT that a key signed, in the order in which it is found out.
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
    /// `alg` is not the key's own (RFC 8725 section 3.1).
    #[error("the algorithm is not that of the key")]
    WrongAlgorithm,
    /// The signature does not hold.
    #[error("the signature does not hold")]
    WrongSignature,
}

/// A public key, which serves one algorithm.
pub trait VerifyingKey {
    /// Its algorithm.
    fn algorithm(&self) -> SigningAlgorithm;

    /// Whether it signed the message.
    fn signed(&self, message: &[u8], signature: &[u8]) -> bool;
}

/// The header of a JWT, unverified. Key material inside a header (`jwk`, `jku`, `x5u`, `x5c`) is not even read (RFC 8725 section 3.1).
#[derive(Clone, Debug, Deserialize)]
pub struct UnverifiedHeader {
    /// The algorithm that the sender claims.
    pub alg: String,
    /// The type.
    #[serde(default)]
    pub typ: Option<String>,
    /// Which key.
    #[serde(default)]
    pub kid: Option<String>,
    /// Extensions that must be understood; we understand none, so even `null` is too much.
    #[serde(default, deserialize_with = "present")]
    pub crit: Option<serde_json::Value>,
}

/// A member that is there, whatever its value.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<serde_json::Value>, D::Error> {
    serde_json::Value::deserialize(deserializer).map(Some)
}

/// A JWT taken apart (RFC 7515 section 7.1). Nothing in it is true before the signature holds.
#[derive(Debug)]
pub struct UnverifiedJwt<'t> {
    /// The header, as claimed.
    pub header: UnverifiedHeader,
    /// What the signature covers.
    pub signing_input: &'t [u8],
    /// The payload's bytes.
    pub payload: Vec<u8>,
    /// The signature's bytes.
    pub signature: Vec<u8>,
}

impl<'t> UnverifiedJwt<'t> {
    /// Takes a compact JWS apart, or `None` if it is not one.
    pub fn parse(text: &'t str) -> Option<UnverifiedJwt<'t>> {
        UnverifiedJwt::parse_within(text, MAX_LENGTH)
    }

    /// The same for a JWT of others, which may be as long as this.
    pub fn parse_within(text: &'t str, longest: usize) -> Option<UnverifiedJwt<'t>> {
        if text.len() > longest {
            return None;
        }
        let (signing_input, signature) = text.rsplit_once('.')?;
        let (header, payload) = signing_input.split_once('.')?;
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).ok();
        Some(UnverifiedJwt {
            header: serde_json::from_slice(&decode(header)?).ok()?,
            signing_input: signing_input.as_bytes(),
            payload: decode(payload)?,
            signature: decode(signature)?,
        })
    }

    /// Takes apart what is of a type and wants nothing that we do not understand.
    ///
    /// # Errors
    /// The first three of [`JwtProblem`], in their order.
    pub fn of_type(text: &'t str, is_type: impl FnOnce(&str) -> bool) -> Result<UnverifiedJwt<'t>, JwtProblem> {
        let jwt = UnverifiedJwt::parse(text).ok_or(JwtProblem::NotAJwt)?;
        if !jwt.header.typ.as_deref().is_some_and(is_type) {
            return Err(JwtProblem::WrongType);
        }
        match jwt.header.crit {
            None => Ok(jwt),
            Some(_) => Err(JwtProblem::CriticalExtension),
        }
    }

    /// The payload, if this key signed it, by the key's own algorithm and no other (RFC 8725 section 3.1).
    ///
    /// # Errors
    /// The last two of [`JwtProblem`].
    pub fn signed_by(self, key: &impl VerifyingKey) -> Result<Vec<u8>, JwtProblem> {
        if self.header.alg != key.algorithm().name() {
            return Err(JwtProblem::WrongAlgorithm);
        }
        match key.signed(self.signing_input, &self.signature) {
            true => Ok(self.payload),
            false => Err(JwtProblem::WrongSignature),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jw_02_crit_counts_as_present_whatever_its_value() {
        for (crit, present) in [("", false), (r#","crit":null"#, true), (r#","crit":[]"#, true)] {
            let header = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"EdDSA"{crit}}}"#));
            let text = format!("{header}.e30.AA");
            let jwt = UnverifiedJwt::parse(&text).expect("three parts");
            assert_eq!(jwt.header.crit.is_some(), present, "{crit}");
        }
    }
}
