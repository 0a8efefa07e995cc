//! What a name must not hide: invisible and direction-changing characters, and letters of several alphabets in one word.
//!
//! A name is chosen by a stranger and shown next to a decision. `visible` leaves ordinary text of every script alone and
//! spells out what a reader could not see. It does not escape HTML; the templates do that.

/// The text with every control, bidirectional-format, zero-width and look-empty character spelled `⟨U+202E⟩`.
///
/// Zero-width joiners stay where scripts and emoji need them, between two non-ASCII characters.
pub fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut before = None;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let joins = matches!(c, '\u{200c}' | '\u{200d}')
            && before.is_some_and(|b: char| !b.is_ascii() && !is_hidden(b))
            && rest.peek().is_some_and(|a| !a.is_ascii() && !is_hidden(*a));
        if is_hidden(c) && !joins {
            spell(c, &mut out);
        } else {
            out.push(c);
        }
        before = Some(c);
    }
    out
}

/// The two alphabets that one word of the text mixes, if any does (`Аcme` with a Cyrillic А): shown as a caution.
pub fn mixed_alphabets(text: &str) -> Option<(&'static str, &'static str)> {
    text.split(|c: char| !c.is_alphanumeric()).find_map(|word| {
        let mut seen = word.chars().filter_map(alphabet);
        let first = seen.next()?;
        seen.find(|other| *other != first).map(|other| (first, other))
    })
}

/// Appends the code point's name in the form readers can look up.
pub(crate) fn spell(c: char, out: &mut String) {
    out.push_str(&format!("⟨U+{:04X}⟩", u32::from(c)));
}

/// Whether a reader would not see this character, or would see others moved by it.
pub(crate) fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00ad}' | '\u{034f}' | '\u{061c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{2800}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}' | '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..='\u{10fffd}')
}

/// The alphabets whose letters pass for each other. Others (Han, Arabic, …) do not look alike and are not named.
fn alphabet(c: char) -> Option<&'static str> {
    Some(match c {
        'a'..='z' | 'A'..='Z' | '\u{00c0}'..='\u{024f}' | '\u{1e00}'..='\u{1eff}' => "Latin",
        '\u{0370}'..='\u{03ff}' | '\u{1f00}'..='\u{1fff}' => "Greek",
        '\u{0400}'..='\u{052f}' | '\u{1c80}'..='\u{1c8f}' => "Cyrillic",
        '\u{0530}'..='\u{058f}' => "Armenian",
        '\u{13a0}'..='\u{13ff}' | '\u{ab70}'..='\u{abbf}' => "Cherokee",
        '\u{ff21}'..='\u{ff5a}' => "full-width Latin",
        '\u{1d400}'..='\u{1d7ff}' => "mathematical",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_02_direction_and_zero_width_characters_are_spelled_out() {
        assert_eq!(visible("Acme\u{202e}moc"), "Acme⟨U+202E⟩moc");
        assert_eq!(visible("A\u{200b}c\u{2066}m\u{feff}e\u{ad}"), "A⟨U+200B⟩c⟨U+2066⟩m⟨U+FEFF⟩e⟨U+00AD⟩");
        assert_eq!(visible("two\r\nlines\0"), "two⟨U+000D⟩⟨U+000A⟩lines⟨U+0000⟩");
        assert_eq!(visible("pay\u{200d}pal"), "pay⟨U+200D⟩pal", "a joiner between ASCII letters only hides");
    }

    #[test]
    fn in_02_ordinary_names_of_every_script_stay_as_they_are() {
        for name in [
            "Acme & Søn",
            "株式会社キーフォブ",
            "می\u{200c}خواهم",
            "👩\u{200d}💻 Tools",
            "שלום",
            "Ελλάδα",
            "क\u{94d}\u{200d}ष",
        ] {
            assert_eq!(visible(name), name);
        }
    }

    #[test]
    fn in_02_words_of_two_alphabets_are_found() {
        assert_eq!(mixed_alphabets("\u{410}cme"), Some(("Cyrillic", "Latin")));
        assert_eq!(mixed_alphabets("Acme Яндекс"), None, "two words, one alphabet each");
        assert_eq!(mixed_alphabets("Søren 2"), None);
    }
}
