//! Sets of scope tokens (RFC 6749 section 3.3).

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use thiserror::Error;

/// A character outside the set that RFC 6749 section 3.3 allows in a scope.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
#[error("a scope may hold printable ASCII without double quote and backslash, separated by single spaces")]
pub struct MalformedScope;

/// A set of scope tokens; order and repetition mean nothing. Empty where an authority declares no scopes: then a grant is the
/// user's whole role.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Scope(BTreeSet<String>);

impl Scope {
    /// No scope tokens.
    pub fn empty() -> Scope {
        Scope::default()
    }

    /// Reads `a b c`.
    pub fn parse(text: &str) -> Result<Scope, MalformedScope> {
        if !text.bytes().all(|b| matches!(b, 0x20 | 0x21 | 0x23..=0x5b | 0x5d..=0x7e)) {
            return Err(MalformedScope);
        }
        Ok(Scope(text.split(' ').filter(|token| !token.is_empty()).map(str::to_owned).collect()))
    }

    /// Whether every token of `self` is in `other`.
    pub fn within(&self, other: &Scope) -> bool {
        self.0.is_subset(&other.0)
    }

    /// The tokens that are in either.
    pub fn union(&self, other: &Scope) -> Scope {
        Scope(self.0.union(&other.0).cloned().collect())
    }

    /// The tokens that are in both.
    pub fn intersection(&self, other: &Scope) -> Scope {
        Scope(self.0.intersection(&other.0).cloned().collect())
    }

    /// Whether there are no tokens.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The tokens, in order.
    pub fn tokens(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for token in &self.0 {
            write!(f, "{separator}{token}")?;
            separator = " ";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_spaces_between_scopes_are_one() {
        assert_eq!(Scope::parse("  a   b "), Scope::parse("a b"));
    }

    #[test]
    fn scopes_are_sets() {
        let scope = Scope::parse("b a  b").expect("well-formed");
        assert_eq!(scope.to_string(), "a b");
        assert!(Scope::parse("a").expect("well-formed").within(&scope));
        assert!(!Scope::parse("a c").expect("well-formed").within(&scope));
        for bad in ["a\"b", "a\\b", "a\tb", "é"] {
            assert_eq!(Scope::parse(bad), Err(MalformedScope), "{bad}");
        }
    }
}
