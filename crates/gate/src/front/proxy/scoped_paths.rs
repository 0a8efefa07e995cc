//! Which scope a path needs.
//!
//! Rules only add: a path needs the scopes of every prefix that it has, whatever the order of the rules. A path that an upstream might
//! understand differently (`/a/../admin`, `//admin`, `/%2e%2e/admin`, `/..;/admin`) is refused where there are rules at all.

use super::failure::Failure;
use keyfob_protocol::scope::Scope;
use percent_encoding::percent_decode_str;
use thiserror::Error;

/// A prefix that would never be compared with anything.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[error(
    "the path prefix \"{0}\" must begin with a slash and hold no percent sign, backslash, semicolon, query, dot or empty segment"
)]
pub struct MalformedPrefix(pub String);

/// Scopes by path prefix.
#[derive(Clone, Debug, Default)]
pub struct ScopedPaths(Vec<(Vec<u8>, Scope)>);

impl ScopedPaths {
    /// Rules, in any order. A prefix is one of characters: `/v1/admin` is also one of `/v1/administrators`, which only asks for more.
    ///
    /// # Errors
    /// [`MalformedPrefix`].
    pub fn new(rules: impl IntoIterator<Item = (String, Scope)>) -> Result<ScopedPaths, MalformedPrefix> {
        let rules = rules.into_iter().map(|(prefix, scope)| {
            let plain = prefix.is_ascii() && !prefix.contains(['%', '\\', ';', '?', '#']);
            match normal(prefix.trim_end_matches('/')) {
                Some(normal) if plain && prefix.starts_with('/') => Ok((normal, scope)),
                _ => Err(MalformedPrefix(prefix)),
            }
        });
        rules.collect::<Result<_, _>>().map(ScopedPaths)
    }

    /// What a grant must cover to reach this path.
    pub(super) fn required(&self, path: &str) -> Result<Scope, Failure> {
        if self.0.is_empty() {
            return Ok(Scope::empty());
        }
        let path = normal(path).ok_or(Failure::Ambiguous("its path could be read in more than one way"))?;
        let needed = self.0.iter().filter(|(prefix, _)| path.starts_with(prefix));
        Ok(needed.fold(Scope::empty(), |required, (_, scope)| required.union(scope)))
    }
}

/// The path decoded once, in lower case (some upstreams do not tell cases apart), each segment without its parameters. `None` where the
/// result depends on who reads it.
fn normal(path: &str) -> Option<Vec<u8>> {
    let mut normal = Vec::with_capacity(path.len());
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    for (at, segment) in segments.iter().enumerate() {
        let decoded: Vec<u8> = percent_decode_str(segment).collect();
        if decoded.iter().any(|byte| matches!(byte, b'/' | b'\\' | 0)) {
            return None;
        }
        let name = decoded.split(|byte| *byte == b';').next().unwrap_or_default();
        let last = at + 1 == segments.len();
        if matches!(name, b"." | b"..") || (name.is_empty() && !(last && decoded.is_empty())) {
            return None;
        }
        normal.push(b'/');
        normal.extend(name.iter().map(u8::to_ascii_lowercase));
    }
    Some(normal)
}
