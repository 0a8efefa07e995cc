//! Two long texts side by side with the first byte that differs marked: the answer to "but they are the same".

use crate::visible::{is_hidden, spell};

/// The first byte at which the two texts differ, `None` when they are equal. One that ends early differs at its end.
pub fn first_difference(expected: &str, received: &str) -> Option<usize> {
    if expected == received {
        return None;
    }
    let same = expected.bytes().zip(received.bytes()).take_while(|(e, r)| e == r).count();
    Some(same)
}

/// A text cut at the character that holds a byte offset; every part is already spelled out, none is escaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Marked {
    /// What both sides share.
    pub(crate) before: String,
    /// The character that differs, or a name for the end of the text. Empty when nothing is to be marked.
    pub(crate) mark: String,
    /// The rest.
    pub(crate) after: String,
}

impl Marked {
    /// Cuts `text` at `byte`; an offset past the end marks the end, one inside a character marks that character.
    pub(crate) fn at(text: &str, byte: Option<usize>) -> Marked {
        let Some(byte) = byte else {
            return Marked { before: exact(text), mark: String::new(), after: String::new() };
        };
        if byte >= text.len() {
            return Marked { before: exact(text), mark: "⟨end⟩".to_owned(), after: String::new() };
        }
        let start = text.floor_char_boundary(byte);
        let (before, rest) = text.split_at(start);
        let mut chars = rest.chars();
        let mark = chars.next().map(spelled).unwrap_or_default();
        Marked { before: exact(before), mark, after: exact(chars.as_str()) }
    }
}

/// The text with everything but printable ASCII and visible letters spelled out: nothing is legitimate about a joiner here.
pub(crate) fn exact(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) || (c.is_whitespace() && c != ' ') { spell(c, &mut out) } else { out.push(c) }
    }
    out
}

/// One character, with its code point when its looks may mislead.
fn spelled(c: char) -> String {
    let mut out = String::new();
    if c == ' ' {
        out.push_str("⟨space⟩");
    } else {
        if !is_hidden(c) && !c.is_whitespace() {
            out.push(c);
        }
        if !c.is_ascii_graphic() {
            spell(c, &mut out);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str, byte: usize) -> (String, String, String) {
        let m = Marked::at(text, Some(byte));
        (m.before, m.mark, m.after)
    }

    #[test]
    fn the_first_different_byte_is_marked() {
        let (expected, received) = ("https://a.example/cb", "https://a.example/cb/");
        let byte = first_difference(expected, received).unwrap();
        assert_eq!(byte, 20);
        assert_eq!(parts(expected, byte), (expected.into(), "⟨end⟩".into(), "".into()));
        assert_eq!(parts(received, byte), (expected.into(), "/".into(), "".into()));
        assert_eq!(first_difference("same", "same"), None);
    }

    #[test]
    fn a_look_alike_letter_is_named_even_when_the_offset_falls_inside_it() {
        let received = "https://\u{430}.example/";
        assert_eq!(
            parts(received, 9),
            ("https://".into(), "аU+0430".replace("U+0430", "⟨U+0430⟩"), ".example/".into())
        );
        assert_eq!(parts("a b", 1), ("a".into(), "⟨space⟩".into(), "b".into()));
        assert_eq!(parts("a\tb", 1), ("a".into(), "⟨U+0009⟩".into(), "b".into()));
    }
}
