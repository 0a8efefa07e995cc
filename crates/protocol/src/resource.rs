//! Resource indicators (RFC 8707): which APIs a token is for.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use thiserror::Error;

/// Not an absolute URI, or one with a fragment (RFC 8707 section 2).
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
#[error("a resource must be an absolute URI without a fragment, like https://api.example.com")]
pub struct MalformedResource;

/// A set of resources; order and repetition mean nothing. Compared byte for byte, never normalised.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Resources(BTreeSet<String>);

impl Resources {
    /// None.
    pub fn none() -> Resources {
        Resources::default()
    }

    /// Reads values of the parameter `resource`.
    ///
    /// # Errors
    /// [`MalformedResource`] if one of them is no resource.
    pub fn parse<'r>(values: impl IntoIterator<Item = &'r str>) -> Result<Resources, MalformedResource> {
        let checked = |value: &str| if is_resource(value) { Ok(value.to_owned()) } else { Err(MalformedResource) };
        values.into_iter().map(checked).collect::<Result<_, _>>().map(Resources)
    }

    /// Reads what [`fmt::Display`] wrote.
    ///
    /// # Errors
    /// [`MalformedResource`] if it did not.
    pub fn from_text(text: &str) -> Result<Resources, MalformedResource> {
        Resources::parse(text.split(' ').filter(|resource| !resource.is_empty()))
    }

    /// Whether every one of `self` is in `other`.
    pub fn within(&self, other: &Resources) -> bool {
        self.0.is_subset(&other.0)
    }

    /// Those that are in both.
    pub fn intersection(&self, other: &Resources) -> Resources {
        Resources(self.0.intersection(&other.0).cloned().collect())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

/// Separated by spaces, which no URI holds.
impl fmt::Display for Resources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for resource in &self.0 {
            write!(f, "{separator}{resource}")?;
            separator = " ";
        }
        Ok(())
    }
}

/// RFC 3986 section 4.3: a scheme, a colon, something; no fragment, nothing outside printable ASCII.
fn is_resource(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let plain = |byte: u8| {
        byte.is_ascii_graphic() && !matches!(byte, b'#' | b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}')
    };
    scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
        && !rest.trim_matches('/').is_empty()
        && rest.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ri_01_a_resource_is_an_absolute_uri_without_fragment() {
        for good in
            ["https://api.example.com", "https://api.example.com/crm?tenant=1", "urn:example:api", "http://[::1]:80/"]
        {
            let resources = Resources::parse([good]).expect(good);
            assert_eq!(Resources::from_text(&resources.to_string()), Ok(resources));
        }
        for bad in [
            "",
            "api",
            "/crm",
            "//api.example.com",
            "https://",
            "https:",
            "1https://a",
            "https://a#",
            "https://a#b",
            "https://a b",
            "https://é",
        ] {
            assert_eq!(Resources::parse([bad]), Err(MalformedResource), "{bad}");
        }
    }

    #[test]
    fn resources_are_sets() {
        let both = Resources::parse(["urn:a:2", "urn:a:1", "urn:a:2"]).expect("resources");
        assert_eq!(both.to_string(), "urn:a:1 urn:a:2");
        assert!(Resources::parse(["urn:a:1"]).expect("a resource").within(&both));
        assert!(Resources::none().within(&both) && !both.within(&Resources::none()));
    }
}
