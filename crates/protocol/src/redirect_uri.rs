//! Redirect URIs: what may be registered, and how an answer is appended.
//!
//! At a request a redirect URI is compared byte for byte with the registered ones and never parsed, normalised or matched by
//! pattern (RFC 9700 section 4.1.3). So everything that could be read in two ways is refused when it is registered.

use crate::form;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use thiserror::Error;
use url::{Host, Url};

/// Why a redirect URI cannot be registered (matrix RG-01).
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub enum RedirectUriError {
    /// Not `scheme://…` at all.
    #[error("it is not an absolute URI")]
    NotAbsolute,
    /// Longer than 2048 bytes.
    #[error("it is longer than 2048 bytes")]
    TooLong,
    /// `http` to a host that is not this machine, or where it is not allowed.
    #[error("it must use https (http is for loopback addresses only)")]
    NotHttps,
    /// A scheme that a browser runs or reads locally, or a private one for an app that is not native.
    #[error("its scheme is not allowed")]
    Scheme,
    /// A `#`.
    #[error("it must not have a fragment")]
    Fragment,
    /// `user@` or `user:password@`.
    #[error("it must not have user information")]
    UserInfo,
    /// A `*`.
    #[error("it must not have a wildcard")]
    Wildcard,
    /// White space, a control character, a backslash or a byte outside ASCII.
    #[error("it has white space, a control character, a backslash or a character outside ASCII")]
    Character,
    /// `.` or `..` as a path segment, plain or encoded.
    #[error("its path has a dot segment")]
    DotSegment,
    /// A `%` without two hexadecimal digits.
    #[error("its percent-encoding is broken")]
    PercentEncoding,
    /// A query parameter with a name that answers use.
    #[error(
        "its query uses a name that is reserved for answers (code, state, error, error_description, iss, response)"
    )]
    ReservedName,
}

/// Which redirect URIs an app may register beyond `https`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RedirectUriRules {
    /// `https`, and `http` to the literal loopback addresses.
    #[default]
    Web,
    /// As `Web`, and private-use schemes (RFC 8252 section 7.1).
    Native,
    /// As `Web`, and `http://localhost`: for development and the sandbox.
    Development,
}

/// Names that an answer appends; a registered query may not hold them.
const RESERVED: [&str; 6] = ["code", "state", "error", "error_description", "iss", "response"];
/// Schemes that run code or read local data in a browser.
const DANGEROUS: [&str; 7] = ["javascript", "data", "vbscript", "file", "blob", "about", "filesystem"];

/// A redirect URI that passed the rules of its registration.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RegisteredRedirectUri(String);

impl RegisteredRedirectUri {
    /// Checks a redirect URI for registration.
    pub fn register(text: &str, rules: RedirectUriRules) -> Result<RegisteredRedirectUri, RedirectUriError> {
        use RedirectUriError::*;
        if text.len() > 2048 {
            return Err(TooLong);
        }
        if !text.bytes().all(|b| b.is_ascii_graphic() && b != b'\\') {
            return Err(Character);
        }
        if text.contains('#') {
            return Err(Fragment);
        }
        if text.contains('*') {
            return Err(Wildcard);
        }
        form::decode(text.replace('+', "%2B").as_bytes()).map_err(|_| PercentEncoding)?;
        let (scheme, rest) = text.split_once(':').ok_or(NotAbsolute)?;
        if DANGEROUS.iter().any(|dangerous| scheme.eq_ignore_ascii_case(dangerous)) {
            return Err(Scheme);
        }
        let url = Url::parse(text).map_err(|_| NotAbsolute)?;
        let authority = rest.strip_prefix("//").map(|rest| rest.split(['/', '?']).next().unwrap_or_default());
        if authority.is_some_and(|authority| authority.contains('@')) {
            return Err(UserInfo);
        }
        match scheme {
            "https" | "http" => {
                let authority = authority.ok_or(NotAbsolute)?;
                if authority.is_empty() || authority.contains('%') {
                    return Err(NotAbsolute);
                }
                if scheme == "http" && !is_loopback(&url, rules) {
                    return Err(NotHttps);
                }
            }
            // RFC 8252 section 7.1: a private-use scheme is a reversed domain name, so it has a dot.
            _ if rules == RedirectUriRules::Native && scheme.contains('.') => {}
            _ => return Err(Scheme),
        }
        let path = text.split('?').next().unwrap_or_default().to_ascii_lowercase().replace("%2e", ".");
        if path.split('/').skip(1).any(|segment| segment == "." || segment == "..") {
            return Err(DotSegment);
        }
        if url.query_pairs().any(|(name, _)| RESERVED.contains(&name.as_ref())) {
            return Err(ReservedName);
        }
        Ok(RegisteredRedirectUri(text.to_owned()))
    }

    /// A URI that a store returns: it was checked when it was registered.
    pub fn from_store(text: String) -> RegisteredRedirectUri {
        RegisteredRedirectUri(text)
    }

    /// The presented URI, if it is this one at another port of the same loopback address: a native app takes whatever port is free (RFC 8252
    /// section 7.3). Nothing is parsed or normalised; apart from the port both are the same bytes.
    pub fn at_its_port(&self, presented: &str) -> Option<RegisteredRedirectUri> {
        let (registered, presented_parts) = (at_loopback(&self.0)?, at_loopback(presented)?);
        (registered == presented_parts).then(|| RegisteredRedirectUri(presented.to_owned()))
    }

    /// The text, byte for byte as registered.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Where the browser goes, for a person to read: `app.example.com`, or the scheme of a native app.
    pub fn host_for_display(&self) -> String {
        match Url::parse(&self.0) {
            Ok(url) => match (url.host_str(), url.port()) {
                (Some(host), Some(port)) => format!("{host}:{port}"),
                (Some(host), None) => host.to_owned(),
                (None, _) => format!("{}:", url.scheme()),
            },
            Err(_) => self.0.clone(),
        }
    }

    /// What a Content-Security-Policy names as this URI's source: `scheme://host:port`. Only `scheme:` for a native app, and for an IP
    /// address, which a policy cannot name (Content Security Policy Level 3, section 6.7.2.9) unless it is 127.0.0.1.
    pub fn origin(&self) -> String {
        let Ok(url) = Url::parse(&self.0) else { return String::new() };
        let named = match url.host() {
            Some(Host::Domain(_)) => matches!(url.scheme(), "http" | "https"),
            Some(Host::Ipv4(ip)) => ip == Ipv4Addr::LOCALHOST,
            Some(Host::Ipv6(_)) | None => false,
        };
        if named { url.origin().ascii_serialization() } else { format!("{}:", url.scheme()) }
    }

    /// The URI with `answer` appended to its query, which is kept (RFC 6749 section 3.1.2). Every value is percent-encoded.
    pub fn with_answer<'v>(&self, answer: impl IntoIterator<Item = (&'v str, &'v str)>) -> String {
        let separator = match self.0.split_once('?') {
            None => "?",
            Some((_, "")) => "",
            Some((_, query)) if query.ends_with('&') => "",
            Some(_) => "&",
        };
        format!("{}{separator}{}", self.0, form::encode(answer))
    }
}

impl fmt::Debug for RegisteredRedirectUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// The address and what follows the port, of a URI that leads to a literal loopback address. A port is written as browsers write it, or not at all.
fn at_loopback(uri: &str) -> Option<(&'static str, &str)> {
    let address = ["http://127.0.0.1", "http://[::1]"].into_iter().find(|address| uri.starts_with(address))?;
    let rest = &uri[address.len()..];
    let after = match rest.strip_prefix(':') {
        None => rest,
        Some(rest) => {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let port: u16 = rest[..digits].parse().ok()?;
            if port == 0 || rest.starts_with('0') {
                return None;
            }
            &rest[digits..]
        }
    };
    // Anything else would be part of another host.
    (after.is_empty() || after.starts_with(['/', '?'])).then_some((address, after))
}

fn is_loopback(url: &Url, rules: RedirectUriRules) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => IpAddr::from(ip).is_loopback(),
        Some(Host::Ipv6(ip)) => IpAddr::from(ip).is_loopback(),
        Some(Host::Domain(name)) => rules == RedirectUriRules::Development && name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use RedirectUriError::*;

    fn register(text: &str) -> Result<RegisteredRedirectUri, RedirectUriError> {
        RegisteredRedirectUri::register(text, RedirectUriRules::Web)
    }

    #[test]
    fn rg_01_redirect_uris_are_checked_when_registered() {
        for good in [
            "https://app.example.com/callback",
            "https://app.example.com",
            "https://app.example.com:8443/cb?x=1&y=%20",
            "http://127.0.0.1:3000/cb",
            "http://[::1]/cb",
            "https://xn--bcher-kva.example/cb",
            "https://app.example.com/a+b;c/d..e",
        ] {
            assert!(register(good).is_ok(), "{good}");
        }
        for (bad, why) in [
            ("/callback", NotAbsolute),
            ("https:app.example.com", NotAbsolute),
            ("https://", NotAbsolute),
            ("https:///cb", NotAbsolute),
            ("https://app%2eexample.com/cb", NotAbsolute),
            ("http://app.example.com/cb", NotHttps),
            ("http://localhost:3000/cb", NotHttps),
            ("http://127.0.0.1.example.com/cb", NotHttps),
            ("https://app.example.com/cb#frag", Fragment),
            ("https://user@app.example.com/cb", UserInfo),
            ("https://app.example.com@evil.example/cb", UserInfo),
            ("https://*.example.com/cb", Wildcard),
            ("https://app.example.com/c b", Character),
            ("https://app.example.com/cb\t", Character),
            ("https://app.example.com\\@evil.example/", Character),
            ("https://bücher.example/cb", Character),
            ("https://app.example.com/a/../cb", DotSegment),
            ("https://app.example.com/a/%2E%2e/cb", DotSegment),
            ("https://app.example.com/./cb", DotSegment),
            ("https://app.example.com/%zz", PercentEncoding),
            ("javascript:alert(1)", Scheme),
            ("JavaScript://x/%0aalert(1)", Scheme),
            ("data:text/html,x", Scheme),
            ("vbscript:x", Scheme),
            ("file:///etc/passwd", Scheme),
            ("blob:https://x/y", Scheme),
            ("HTTPS://app.example.com/cb", Scheme),
            ("com.example.app:/cb", Scheme),
            ("https://app.example.com/cb?code=x", ReservedName),
            ("https://app.example.com/cb?a=1&response=x", ReservedName),
            ("https://app.example.com/cb?stat%65=x", ReservedName),
        ] {
            assert_eq!(register(bad), Err(why), "{bad}");
        }
        let long = format!("https://app.example.com/{}", "a".repeat(2048));
        assert_eq!(register(&long), Err(TooLong));
        let native = |text: &str| RegisteredRedirectUri::register(text, RedirectUriRules::Native).map(drop);
        assert_eq!(native("com.example.app:/cb"), Ok(()));
        assert_eq!(native("com.example.app://user@host/cb"), Err(UserInfo));
        assert!(RegisteredRedirectUri::register("http://localhost:3000/cb", RedirectUriRules::Development).is_ok());
    }

    #[test]
    fn rd_06_the_answer_is_appended_and_a_registered_query_kept() {
        let append =
            |uri: &str| register(uri).expect("good").with_answer([("code", "a&b=c"), ("state", "é\r\nSet-Cookie: x")]);
        let answer = "code=a%26b%3Dc&state=%C3%A9%0D%0ASet-Cookie%3A%20x";
        assert_eq!(append("https://c.example/cb"), format!("https://c.example/cb?{answer}"));
        assert_eq!(append("https://c.example/cb?x=1"), format!("https://c.example/cb?x=1&{answer}"));
        assert_eq!(append("https://c.example/cb?"), format!("https://c.example/cb?{answer}"));
    }
}
