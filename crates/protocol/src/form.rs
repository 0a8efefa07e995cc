//! `application/x-www-form-urlencoded`, read strictly and written conservatively (RFC 6749 appendix B).
//!
//! Strict: a broken escape, a NUL or bytes that are not UTF-8 are errors, never replacement characters. A parameter without a
//! value counts as absent and a repeated parameter is an error at the place that reads it (RFC 6749 section 3.1).

use std::borrow::Cow;
use thiserror::Error;

/// Why bytes are not a form.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub enum FormError {
    /// `%` without two hexadecimal digits behind it.
    #[error("a percent sign is not followed by two hexadecimal digits")]
    PercentEncoding,
    /// The decoded bytes are not UTF-8.
    #[error("a value is not UTF-8")]
    Utf8,
    /// A NUL character, which no parameter of any specification contains.
    #[error("a value contains a NUL character")]
    Nul,
}

/// The parameter stands in the form more than once.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
#[error("the parameter {0} may appear only once")]
pub struct Repeated(pub &'static str);

/// A decoded form, in the order of its bytes.
#[derive(Clone, Debug, Default)]
pub struct Form<'a> {
    pairs: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> Form<'a> {
    /// Decodes a query string or a body.
    pub fn parse(bytes: &'a [u8]) -> Result<Form<'a>, FormError> {
        let mut pairs = Vec::new();
        for part in bytes.split(|b| *b == b'&').filter(|part| !part.is_empty()) {
            let (name, value) = match part.iter().position(|b| *b == b'=') {
                Some(at) => (&part[..at], &part[at + 1..]),
                None => (part, &part[part.len()..]),
            };
            pairs.push((decode(name)?, decode(value)?));
        }
        Ok(Form { pairs })
    }

    /// The value of a parameter that may appear once. Empty counts as absent.
    pub fn one(&self, name: &'static str) -> Result<Option<&str>, Repeated> {
        let mut values = self.pairs.iter().filter(|(n, _)| n == name);
        let first = values.next();
        if values.next().is_some() {
            return Err(Repeated(name));
        }
        Ok(first.map(|(_, value)| value.as_ref()).filter(|value| !value.is_empty()))
    }

    /// Every non-empty value of a repeatable parameter, in order.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.pairs.iter().filter(move |(n, v)| n == name && !v.is_empty()).map(|(_, value)| value.as_ref())
    }

    /// Whether the parameter's name appears at all, with a value or without.
    pub fn names(&self, name: &str) -> bool {
        self.pairs.iter().any(|(n, _)| n == name)
    }

    /// All pairs, as decoded.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(name, value)| (name.as_ref(), value.as_ref()))
    }

    /// The first of `known` that appears more than once.
    pub fn first_repeated(&self, known: &[&'static str]) -> Option<Repeated> {
        known.iter().find(|name| self.pairs.iter().filter(|(n, _)| n == *name).count() > 1).map(|name| Repeated(name))
    }
}

/// Decodes one form-encoded name or value.
pub fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, FormError> {
    if !bytes.iter().any(|b| matches!(b, b'%' | b'+' | 0)) {
        return std::str::from_utf8(bytes).map(Cow::Borrowed).map_err(|_| FormError::Utf8);
    }
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = bytes.iter();
    while let Some(byte) = rest.next() {
        let byte = match byte {
            b'+' => b' ',
            b'%' => {
                let high = rest.next().and_then(hex_digit).ok_or(FormError::PercentEncoding)?;
                let low = rest.next().and_then(hex_digit).ok_or(FormError::PercentEncoding)?;
                high << 4 | low
            }
            other => *other,
        };
        if byte == 0 {
            return Err(FormError::Nul);
        }
        decoded.push(byte);
    }
    String::from_utf8(decoded).map(Cow::Owned).map_err(|_| FormError::Utf8)
}

fn hex_digit(byte: &u8) -> Option<u8> {
    (*byte as char).to_digit(16).map(|digit| digit as u8)
}

/// Appends `value`, with everything but unreserved characters (RFC 3986 section 2.3) percent-encoded. A space becomes `%20`, which
/// form decoders and URL decoders both read as a space.
pub fn encode_into(out: &mut String, value: &str) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(byte as char);
        } else {
            out.push('%');
            out.push(HEX[usize::from(byte >> 4)] as char);
            out.push(HEX[usize::from(byte & 15)] as char);
        }
    }
}

/// `name=value&…`, every value encoded by [`encode_into`].
pub fn encode<'v>(pairs: impl IntoIterator<Item = (&'v str, &'v str)>) -> String {
    let mut out = String::new();
    for (name, value) in pairs {
        if !out.is_empty() {
            out.push('&');
        }
        encode_into(&mut out, name);
        out.push('=');
        encode_into(&mut out, value);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn broken_bytes_are_errors_not_replacements() {
        for (bytes, error) in [
            (&b"a=%zz"[..], FormError::PercentEncoding),
            (b"a=%4", FormError::PercentEncoding),
            (b"a=%", FormError::PercentEncoding),
            (b"a=%c0%af", FormError::Utf8),
            (b"a=\xff", FormError::Utf8),
            (b"a=%00", FormError::Nul),
            (b"a=\0", FormError::Nul),
        ] {
            assert_eq!(Form::parse(bytes).expect_err("strict"), error, "{bytes:?}");
        }
    }

    #[test]
    fn empty_counts_as_absent_and_repeats_are_seen() {
        let form = Form::parse(b"scope=&state=a&state=a&foo&x=1").expect("well-formed");
        assert_eq!(form.one("scope"), Ok(None));
        assert_eq!(form.one("foo"), Ok(None));
        assert_eq!(form.one("x"), Ok(Some("1")));
        assert_eq!(form.one("state"), Err(Repeated("state")));
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(name in "[^\0]{1,20}", value in "[^\0]{1,60}") {
            let written = encode([(name.as_str(), value.as_str())]);
            let form = Form::parse(written.as_bytes()).expect("own output");
            prop_assert_eq!(form.pairs().collect::<Vec<_>>(), vec![(name.as_str(), value.as_str())]);
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Form::parse(&bytes);
        }
    }
}
