//! The `Authorization: Bearer` header (RFC 6750 section 2.1) and the challenge that answers its absence (section 3).

use crate::basic::after_scheme;

/// What an `Authorization` header says to a bearer gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PresentedBearer<'h> {
    /// No Bearer credentials: absent, or another scheme.
    Absent,
    /// The scheme is Bearer and what follows is not token68.
    Malformed,
    /// A token, unverified.
    Token(&'h str),
}

/// Reads one `Authorization` header value.
pub fn parse(header: &[u8]) -> PresentedBearer<'_> {
    if header.eq_ignore_ascii_case(b"bearer") {
        return PresentedBearer::Malformed;
    }
    let Some(token) = after_scheme(header, b"bearer") else { return PresentedBearer::Absent };
    match std::str::from_utf8(token) {
        Ok(token) if is_token68(token) => PresentedBearer::Token(token),
        _ => PresentedBearer::Malformed,
    }
}

/// `token68` of RFC 9110 section 11.2.
fn is_token68(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    !body.is_empty() && body.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~+/".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn br_01_scheme_is_case_insensitive_and_the_token_is_token68() {
        for header in ["Bearer abc.d-e_f~+/=", "bearer abc", "BEARER   abc=="] {
            assert!(matches!(parse(header.as_bytes()), PresentedBearer::Token(_)), "{header}");
        }
        for header in ["Bearer", "Bearer ", "Bearer \"abc\"", "Bearer a,b", "Bearer a b", "Bearer =", "Bearer é"] {
            assert_eq!(parse(header.as_bytes()), PresentedBearer::Malformed, "{header}");
        }
        for header in ["", "Basic YTpi", "Bearerabc", "Token abc"] {
            assert_eq!(parse(header.as_bytes()), PresentedBearer::Absent, "{header}");
        }
    }
}
