//! Proof Key for Code Exchange, S256 only (RFC 7636; `plain` is refused, RFC 9700 section 2.1.1).

use crate::{Entropy, EntropyFailed, Secret, entropy};
use aws_lc_rs::{constant_time, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};
use serde::{Deserialize, Serialize};

/// 43 characters carry 258 bits; a sender may leave rubbish in the last two.
const LENIENT_TAIL: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(base64::engine::DecodePaddingMode::RequireNone),
);

/// The digest a client commits to at the authorize endpoint (RFC 7636 section 4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeChallenge(pub [u8; 32]);

impl CodeChallenge {
    /// Reads exactly 43 base64url characters.
    pub fn parse(text: &str) -> Option<CodeChallenge> {
        if text.len() != 43 {
            return None;
        }
        LENIENT_TAIL.decode(text).ok()?.try_into().ok().map(CodeChallenge)
    }

    /// As it stands in the authorize URL.
    pub fn to_text(self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// Whether this verifier is the one the challenge was made of (RFC 7636 section 4.6).
    pub fn matches(&self, verifier: &CodeVerifier) -> bool {
        constant_time::verify_slices_are_equal(&self.0, &verifier.challenge().0).is_ok()
    }
}

/// The secret behind a challenge: 43 to 128 unreserved characters (RFC 7636 section 4.1).
#[derive(Clone, Debug)]
pub struct CodeVerifier(Secret<String>);

impl CodeVerifier {
    /// Reads a presented verifier.
    pub fn parse(text: &str) -> Option<CodeVerifier> {
        let well_formed =
            (43..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b));
        well_formed.then(|| CodeVerifier(Secret::from(text)))
    }

    /// A fresh verifier of 256 bits.
    pub fn generate(entropy: &dyn Entropy) -> Result<CodeVerifier, EntropyFailed> {
        let bytes: [u8; 32] = entropy::random(entropy)?;
        Ok(CodeVerifier(Secret::new(URL_SAFE_NO_PAD.encode(bytes))))
    }

    /// The challenge to send ahead.
    pub fn challenge(&self) -> CodeChallenge {
        let digest = digest::digest(&digest::SHA256, self.0.expose().as_bytes());
        CodeChallenge(digest.as_ref().try_into().expect("invariant: SHA-256 has 32 bytes"))
    }

    /// The verifier's text, for the token request.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_7636_appendix_b_matches() {
        let verifier = CodeVerifier::parse("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk").expect("well-formed");
        let challenge = CodeChallenge::parse("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM").expect("well-formed");
        assert!(challenge.matches(&verifier));
        assert_eq!(verifier.challenge().to_text(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn pk_05_a_challenge_is_exactly_43_base64url_characters() {
        let good = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        let spoiled = |from: char, to: &str| good.replacen(from, to, 1);
        for bad in [&good[..42], &format!("{good}A"), &format!("{good}="), &spoiled('-', "+"), &spoiled('-', "/"), ""] {
            assert_eq!(CodeChallenge::parse(bad), None, "{bad}");
        }
        assert!(CodeChallenge::parse(&"a".repeat(43)).is_some());
    }

    #[test]
    fn pk_02_a_verifier_is_43_to_128_unreserved_characters() {
        for good in ["a".repeat(43), "Z".repeat(128), format!("{}-._~", "0".repeat(40))] {
            assert!(CodeVerifier::parse(&good).is_some(), "{good}");
        }
        for bad in [String::new(), "a".repeat(42), "a".repeat(129), format!("{}+", "a".repeat(43)), "é".repeat(30)] {
            assert!(CodeVerifier::parse(&bad).is_none(), "{bad}");
        }
    }
}
