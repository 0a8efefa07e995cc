//! HTTP Basic as OAuth uses it (RFC 7617 section 2, RFC 6749 section 2.3.1).
//!
//! OAuth form-encodes id and secret before joining them; many clients do not. Ids and secrets issued by Keyfob are letters and
//! digits, on which both readings agree; for imported secrets both readings are kept and the verifier tries both.

use crate::Secret;
use crate::form;
use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use thiserror::Error;

/// Clients disagree on padding; the bytes are the same.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The header is not well-formed Basic (row T-06).
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
#[error("the Authorization header is not well-formed Basic credentials")]
pub struct MalformedBasic;

/// What a Basic header says, unverified.
#[derive(Debug, Clone)]
pub struct PresentedBasic {
    /// The user part, form-decoded.
    pub id: String,
    /// The password part, form-decoded where that is possible.
    pub secret: PresentedSecret,
}

/// A client secret as presented, unverified.
#[derive(Debug, Clone)]
pub struct PresentedSecret {
    /// As the client wrote it.
    pub raw: Secret<String>,
    /// After form decoding, where that gives something else.
    pub decoded: Option<Secret<String>>,
}

impl PresentedSecret {
    /// A secret from a form body, which has only one reading.
    pub fn plain(secret: &str) -> PresentedSecret {
        PresentedSecret { raw: Secret::from(secret), decoded: None }
    }
}

/// Reads the value of an `Authorization` header. The scheme is case-insensitive (RFC 9110 section 11.1).
pub fn parse(header: &[u8]) -> Result<PresentedBasic, MalformedBasic> {
    let credentials = after_scheme(header, b"basic").ok_or(MalformedBasic)?;
    let joined = BASE64.decode(credentials).map_err(|_| MalformedBasic)?;
    let joined = String::from_utf8(joined).map_err(|_| MalformedBasic)?;
    if joined.bytes().any(|byte| byte.is_ascii_control()) {
        return Err(MalformedBasic);
    }
    let (id, raw) = joined.split_once(':').ok_or(MalformedBasic)?;
    let id = form::decode(id.as_bytes()).map_err(|_| MalformedBasic)?.into_owned();
    let decoded = form::decode(raw.as_bytes()).ok().filter(|decoded| decoded.as_ref() != raw);
    let decoded = decoded.map(|decoded| Secret::new(decoded.into_owned()));
    Ok(PresentedBasic { id, secret: PresentedSecret { raw: Secret::from(raw), decoded } })
}

/// The value of an `Authorization` header for this id and secret, form-encoded first (RFC 6749 section 2.3.1).
pub fn header(id: &str, secret: &Secret<String>) -> Secret<String> {
    let mut joined = String::new();
    form::encode_into(&mut joined, id);
    joined.push(':');
    form::encode_into(&mut joined, secret.expose());
    Secret::new(format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(joined)))
}

/// What stands behind `scheme` and one or more spaces (RFC 9110 section 11.4), if the header has that scheme.
pub(crate) fn after_scheme<'h>(header: &'h [u8], scheme: &[u8]) -> Option<&'h [u8]> {
    let (found, rest) = header.split_at_checked(scheme.len())?;
    if !found.eq_ignore_ascii_case(scheme) || rest.first() != Some(&b' ') {
        return None;
    }
    Some(rest.trim_ascii_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn presented(joined: &str) -> Result<PresentedBasic, MalformedBasic> {
        parse(format!("Basic {}", BASE64.encode(joined)).as_bytes())
    }

    #[test]
    fn ca_01_scheme_is_case_insensitive_and_the_first_colon_splits() {
        let header = format!("bAsIc   {}", BASE64.encode("id:a:b"));
        let basic = parse(header.as_bytes()).expect("well-formed");
        assert_eq!((basic.id.as_str(), basic.secret.raw.expose().as_str()), ("id", "a:b"));
        assert!(basic.secret.decoded.is_none());
    }

    #[test]
    fn ca_01_malformed_headers_are_refused() {
        for header in
            ["", "Basic", "Basic ", "Basic !!!", "Basic aWQ=", "Bearer aWQ6eA==", "Basicaes", "Basic aWQ6 eA=="]
        {
            assert!(parse(header.as_bytes()).is_err(), "{header}");
        }
        assert!(parse(format!("Basic {}", BASE64.encode(b"\xff\xfe:x")).as_bytes()).is_err());
        assert!(presented("i%zz:secret").is_err(), "an id that cannot be decoded");
    }

    #[test]
    fn ca_02_both_readings_of_an_imported_secret_are_kept() {
        let basic = presented("my%2Dapp:p%2Dq+r").expect("well-formed");
        assert_eq!(basic.id, "my-app");
        assert_eq!(basic.secret.raw.expose(), "p%2Dq+r");
        assert_eq!(basic.secret.decoded.expect("differs").expose(), "p-q r");
        let raw = presented("app:100%").expect("well-formed");
        assert!(raw.secret.decoded.is_none(), "a secret that cannot be decoded stays raw");
    }

    #[test]
    fn what_is_written_reads_back() {
        let written = header("id:x", &Secret::from("é %:"));
        let basic = parse(written.expose().as_bytes()).expect("own output");
        assert_eq!(basic.id, "id:x");
        assert_eq!(basic.secret.decoded.expect("differs").expose(), "é %:");
    }
}
