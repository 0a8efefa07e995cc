//! How easily a state can be guessed. Whether it is random cannot be seen; that it is not, often can.

use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

/// Fewer characters hold fewer than 64 bits, even in hexadecimal.
const SHORTEST: usize = 16;

/// Why a state is weak, if it is seen to be.
pub(super) fn weakness(state: &str) -> Option<&'static str> {
    let mut distinct: Vec<char> = state.chars().collect();
    distinct.sort_unstable();
    distinct.dedup();
    let readable = decoded(state);
    let text = readable.as_deref().unwrap_or(state);
    match () {
        () if state.chars().count() < SHORTEST => Some("It is so short that it can be guessed."),
        () if state.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some("It is a number: a time, an id or a counter can be guessed.")
        }
        () if distinct.len() < 6 || is_row(state) => Some("It is a pattern that can be guessed."),
        () if is_time_uuid(state) => Some("It is a UUID of version 1: time and network address, nothing random."),
        () if text.contains('@') => Some("It contains an e-mail address, which can be guessed."),
        () if text.trim_start().starts_with('{') && !has_random_part(text) => {
            Some("It carries data and no random part, so that anybody can write one.")
        }
        () if is_words(state) || named_rest(state) < SHORTEST => Some(
            "It is made of words and numbers, as what stands in the program or names the user, and can be guessed.",
        ),
        () => None,
    }
}

/// Words that people write into a state by hand. Shorter ones would be met by chance.
const NAMES: [&str; 18] = [
    "state", "static", "value", "login", "session", "user", "token", "csrf", "oauth", "test", "secret", "random",
    "connect", "callback", "account", "redirect", "security", "default",
];

/// Letters and digits that are left without the words that people write by hand; of a state without such words, no matter how many.
fn named_rest(state: &str) -> usize {
    let state = state.to_ascii_lowercase();
    let rest = NAMES.iter().fold(state.clone(), |rest, name| rest.replace(name, ""));
    if rest == state { usize::MAX } else { rest.chars().filter(char::is_ascii_alphanumeric).count() }
}

/// Whether a state is several words or numbers, by separators or capitals. A random one changes its kind of character far more often.
fn is_words(state: &str) -> bool {
    let parts: Vec<&str> = state.split(|char: char| !char.is_ascii_alphanumeric()).filter(|p| !p.is_empty()).collect();
    let (mut words, mut length, mut letters) = (0, 0, 0);
    for part in parts {
        let word = part.trim_end_matches(|char: char| char.is_ascii_digit());
        if !word.bytes().all(|byte| byte.is_ascii_alphabetic()) || !is_pronounceable(word) {
            return false;
        }
        let begins = |pair: &[u8]| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase();
        words += word.as_bytes().windows(2).filter(|pair| begins(pair)).count();
        words += usize::from(!word.is_empty()) + usize::from(word.len() < part.len());
        (length, letters) = (length + part.len(), letters + word.len());
    }
    words >= 2 && length >= words * 4 && letters * 2 >= length
}

/// No language that people write states in has many consonants in a row.
fn is_pronounceable(word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    lower.split(['a', 'e', 'i', 'o', 'u', 'y']).all(|consonants| consonants.len() <= 4)
}

/// JSON or other text in base64.
fn decoded(state: &str) -> Option<String> {
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    [base64::alphabet::STANDARD, base64::alphabet::URL_SAFE].into_iter().find_map(|alphabet| {
        let bytes = GeneralPurpose::new(&alphabet, config).decode(state).ok()?;
        String::from_utf8(bytes).ok().filter(|text| text.chars().all(|char| !char.is_control()))
    })
}

/// A run of letters and digits that is long enough and not a word or a number.
fn has_random_part(text: &str) -> bool {
    let runs = text.split(|char: char| !char.is_ascii_alphanumeric() && char != '_' && char != '-');
    let mixed = |run: &str| run.bytes().any(|b| b.is_ascii_digit()) && run.bytes().any(|b| b.is_ascii_alphabetic());
    runs.into_iter().any(|run| run.len() >= SHORTEST && mixed(run))
}

/// `0123456789abcdef`, `aaaabbbb`: most characters follow from the one before.
fn is_row(state: &str) -> bool {
    let bytes = state.as_bytes();
    let follows = bytes.windows(2).filter(|pair| matches!(i16::from(pair[1]) - i16::from(pair[0]), -1..=1)).count();
    follows * 10 >= bytes.len().saturating_sub(1) * 7
}

fn is_time_uuid(state: &str) -> bool {
    let parts: Vec<&str> = state.split('-').collect();
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    lengths == [8, 4, 4, 4, 12]
        && parts[2].starts_with('1')
        && parts.concat().bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::weakness;

    #[test]
    fn guessable_states_are_seen_and_random_ones_pass() {
        for weak in [
            "xyz",
            "1764064800000123",
            "aaaaaaaaaaaaaaaaaaaa",
            "0123456789abcdef",
            "c232ab00-9414-11ec-b909-0242ac120002",
            "user-jane@example.com",
            "eyJ1c2VyIjo0MiwibmV4dCI6Ii9ob21lIn0",
            "{\"account\":1,\"user\":12345}",
            "my-static-state-value",
            "user_1234_login_session",
            "MyStaticStateValue",
            "login.state.for.user.1234",
            "state-abc123xyz-value",
            "followupboss_connect",
        ] {
            assert!(weakness(weak).is_some(), "{weak}");
        }
        for strong in [
            "nvV8Q2mQ3yBqk1rZlT5b7cUu0DgW9xS4hJ6aKpE2oFs",
            "9b2e4f7a1c8d3056",
            "3f2b8c1e-7a4d-4e9b-8c56-0d1f2a3b4c5d",
            "eyJyIjoiOWIyZTRmN2ExYzhkMzA1NiIsIm4iOiIvIn0",
            "login-9b2e4f7a1c8d3056",
            "user_1234.nvV8Q2mQ3yBqk1rZlT5b7c",
            "qzkwvtpxnmjrhgfbdlcs",
            "deadbeef-cafe-4ade-babe-feedfacefade",
            "mfrggzdfmztwq2lknnwg23tpob",
            "k3x9-p7q2-m4v8-z1n6-t5w0",
        ] {
            assert_eq!(weakness(strong), None, "{strong}");
        }
    }
}
