//! What a connection may be called: the partner's own id of a user, wherever it comes from (a start, an import, a path).
//!
//! As free as an id can be that has to survive a URL: servers on the way resolve `.` and `..`, and some decode an escaped slash.

/// Longest id, in bytes.
const MAX: usize = 200;

/// The rule in words, behind "an id".
pub(crate) const RULE: &str = "is neither . nor .. and has 1 to 200 bytes, without slashes, backslashes, control characters or white space at its ends";

/// Whether a connection can have this id.
pub(crate) fn is_id(text: &str) -> bool {
    let fits = |character: char| !character.is_control() && character != '/' && character != '\\';
    (1..=MAX).contains(&text.len()) && text.chars().all(fits) && text.trim() == text && text != "." && text != ".."
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_partners_are_taken_and_those_that_no_url_can_carry_are_not() {
        for good in ["1", "joe@example.com", "a b", "é", "...", "<b>", "a%2fb", "urn:x:1", &"x".repeat(MAX)] {
            assert!(is_id(good), "{good:?}");
        }
        let long = "é".repeat(MAX / 2 + 1);
        for bad in ["", ".", "..", "a/b", "a\\b", " a", "a ", "a\n", "a\u{0}b", "\u{a0}a", "a\u{85}b", &long] {
            assert!(!is_id(bad), "{bad:?}");
        }
        assert!(RULE.contains(&MAX.to_string()));
    }
}
