//! What a browser keeps while its person is at the platform, and until they have decided: one sealed text, which may be longer than
//! one cookie gets, so it lies in parts. A sealed text never stands in a URL.

use crate::cookies::{cookie_header, read_cookie};
use axum::http::header::{HeaderMap, HeaderValue};

/// Longest part: with name and attributes below the 4096 bytes that browsers keep (RFC 6265 section 6.1).
const PART: usize = 3800;
/// Parts in plain and in `__Host-` spelling. They hold the longest sealed interaction (six thousand characters) with what surrounds it.
const NAMES: [(&str, &str); 3] = [
    ("keyfob-pending-0", "__Host-keyfob-pending-0"),
    ("keyfob-pending-1", "__Host-keyfob-pending-1"),
    ("keyfob-pending-2", "__Host-keyfob-pending-2"),
];
/// The seal has its own end; this only spares the browser.
const FORGET_AFTER: &str = "; Max-Age=1200";

fn names(secure: bool) -> impl Iterator<Item = &'static str> {
    NAMES.into_iter().map(move |(plain, host)| if secure { host } else { plain })
}

/// The sealed text, if the browser has one. Whether the parts belong together the seal shows.
pub(crate) fn read(headers: &HeaderMap, secure: bool) -> Option<String> {
    let parts: String = names(secure).map_while(|name| read_cookie(headers, name, PART)).collect();
    (!parts.is_empty()).then_some(parts)
}

/// Keeps a sealed text in place of any earlier one: the newest hand-off of a browser counts.
pub(crate) fn set(sealed: &str, secure: bool) -> Vec<HeaderValue> {
    let mut parts = sealed.as_bytes().chunks(PART).map(|part| std::str::from_utf8(part).unwrap_or_default());
    names(secure)
        .map(|name| match parts.next() {
            Some(part) => cookie_header(name, part, FORGET_AFTER, secure),
            None => cookie_header(name, "", "; Max-Age=0", secure),
        })
        .collect()
}

/// Makes the browser forget it.
pub(crate) fn clear(secure: bool) -> Vec<HeaderValue> {
    set("", secure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_comes_back_from_its_parts_and_a_shorter_one_leaves_no_rest() {
        let long = "aB3-_".repeat(1700);
        let kept = |set: &[HeaderValue]| {
            let mut headers = HeaderMap::new();
            for cookie in set {
                let cookie = cookie.to_str().expect("text");
                assert!(cookie.len() < 4096 && cookie.contains("; HttpOnly; SameSite=Lax"));
                if !cookie.contains("Max-Age=0") {
                    let pair = cookie.split(';').next().expect("a pair");
                    headers.append("cookie", HeaderValue::try_from(pair).expect("text"));
                }
            }
            read(&headers, true)
        };
        assert_eq!(kept(&set(&long, true)).as_deref(), Some(long.as_str()));
        assert_eq!(kept(&set("short", true)).as_deref(), Some("short"));
        assert_eq!(kept(&clear(true)), None);
    }
}
