//! Access tokens: what they say, as a signed JWT of type `at+jwt` (RFC 9068), and how one is taken apart unverified.

use crate::Timestamp;
use crate::resource::Resources;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

/// The `typ` of an access token's header (RFC 9068 section 2.1).
pub const TYPE: &str = "at+jwt";

/// How access tokens are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SigningAlgorithm {
    /// Ed25519 (RFC 8037).
    #[serde(rename = "EdDSA")]
    EdDsa,
    /// ECDSA with P-256 and SHA-256 (RFC 7518 section 3.4), for verifiers without EdDSA.
    #[serde(rename = "ES256")]
    Es256,
}

impl SigningAlgorithm {
    /// The `alg` value.
    pub fn name(self) -> &'static str {
        match self {
            SigningAlgorithm::EdDsa => "EdDSA",
            SigningAlgorithm::Es256 => "ES256",
        }
    }
}

/// The claims of an access token (RFC 9068 section 2.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessTokenClaims {
    /// The authority.
    pub iss: String,
    /// The user, as decimal digits; the client id where an app acts for itself (RFC 9068 section 2.2).
    pub sub: String,
    /// Who should accept the token.
    pub aud: Audience,
    /// The app.
    pub client_id: String,
    /// When it was issued.
    pub iat: Timestamp,
    /// When it ends: valid while now < exp.
    pub exp: Timestamp,
    /// Not valid before, if given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbf: Option<Timestamp>,
    /// This token's unique identifier.
    pub jti: String,
    /// The granted scope; absent where the grant is the user's whole role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// The grant, in the form of [`crate::token_name::GrantId::to_text`]; absent where an app acts for itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gid: Option<String>,
    /// The user's account; absent likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acc: Option<i64>,
    /// The app's number, by which a revocation names it.
    pub app: i64,
    /// Which revocations it was issued after, where `iat` alone does not show it.
    #[serde(default, skip_serializing_if = "IssuedAfter::is_unsaid")]
    pub after: IssuedAfter,
}

/// The claim `after`. A revocation of an app, user or account refuses tokens by their second; who is enabled again within that second
/// gets tokens that name the `not_before` they were issued after. Nothing is dated ahead of the clock for it, and a gate that
/// does not know the claim refuses more, never less.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssuedAfter {
    /// The app's last revocation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<Timestamp>,
    /// The user's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<Timestamp>,
    /// The account's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<Timestamp>,
}

impl IssuedAfter {
    fn is_unsaid(&self) -> bool {
        *self == IssuedAfter::default()
    }
}

/// `aud`: one value, or several (RFC 7519 section 4.1.3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Audience {
    /// A single audience, spelled as a plain string.
    One(String),
    /// Several.
    Many(Vec<String>),
}

impl Audience {
    /// These resources; `otherwise` where there are none.
    pub fn of(resources: &Resources, otherwise: &str) -> Audience {
        let mut named: Vec<String> = resources.iter().map(str::to_owned).collect();
        match named.len() {
            0 => Audience::One(otherwise.to_owned()),
            1 => Audience::One(named.remove(0)),
            _ => Audience::Many(named),
        }
    }

    /// Whether `audience` is among them.
    pub fn contains(&self, audience: &str) -> bool {
        match self {
            Audience::One(one) => one == audience,
            Audience::Many(many) => many.iter().any(|one| one == audience),
        }
    }
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

/// Longest token that is taken apart, in bytes.
pub const MAX_LENGTH: usize = 8 * 1024;

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
}

/// The first part of every token signed by one key: `base64url({"alg","typ","kid"})` and a dot. Made once per key.
pub fn encoded_header(algorithm: SigningAlgorithm, kid: &str) -> String {
    encoded_header_of(TYPE, algorithm, kid)
}

/// The same for a JWT of another type.
pub fn encoded_header_of(typ: &str, algorithm: SigningAlgorithm, kid: &str) -> String {
    let header = serde_json::json!({ "alg": algorithm.name(), "typ": typ, "kid": kid });
    format!("{}.", URL_SAFE_NO_PAD.encode(header.to_string()))
}

/// The signing input: an [`encoded_header`] and the claims.
pub fn signing_input(encoded_header: &str, claims: &impl Serialize) -> String {
    let payload = serde_json::to_vec(claims).expect("invariant: claims are plain strings and numbers");
    let mut input = String::with_capacity(encoded_header.len() + payload.len() * 4 / 3 + 100);
    input.push_str(encoded_header);
    URL_SAFE_NO_PAD.encode_string(payload, &mut input);
    input
}

/// Appends the signature: the finished token.
pub fn with_signature(mut signing_input: String, signature: &[u8]) -> String {
    signing_input.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut signing_input);
    signing_input
}

/// A public key as the JWK set publishes it (RFC 7517 section 4, RFC 8037 section 2). Public members only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicJwk {
    /// Key type: `OKP` or `EC`.
    pub kty: String,
    /// Curve: `Ed25519` or `P-256`.
    pub crv: String,
    /// The public key, or the x coordinate, in base64url.
    pub x: String,
    /// The y coordinate of an EC key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub y: Option<String>,
    /// The key's id.
    pub kid: String,
    /// The algorithm it is for.
    pub alg: SigningAlgorithm,
    /// Always `sig`.
    #[serde(rename = "use")]
    pub use_: String,
}

/// A set of public keys (RFC 7517 section 5).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JwkSet {
    /// The keys.
    pub keys: Vec<PublicJwk>,
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
