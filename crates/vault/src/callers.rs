//! Who may ask the vault for what: programs with a key, each with its rights.

use crate::vault::AppSettings;
use aws_lc_rs::{constant_time, digest};
use keyfob_client::{Method, Secret};
use keyfob_protocol::{Entropy, EntropyFailed, base62, entropy};
use std::collections::BTreeSet;
use std::fmt;
use thiserror::Error;
use url::Url;

/// What a key begins with, so that scanners find one that was published.
const PREFIX: &str = "keyfobvk_";

/// A fresh key, to be shown once, and what the vault is told of it: SHA-256 in hexadecimal.
///
/// # Errors
/// [`EntropyFailed`].
pub fn fresh_key(source: &dyn Entropy) -> Result<(Secret<String>, String), EntropyFailed> {
    let key = format!("{PREFIX}{}", base62::encode(&entropy::random::<32>(source)?));
    let digest = hex(&sha256(&key));
    Ok((Secret::new(key), digest))
}

/// What a caller may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    /// Start connections.
    Connect,
    /// See connections and events.
    Read,
    /// Refresh and revoke.
    Manage,
    /// See access tokens.
    Token,
}

/// A program with a key.
#[derive(Clone, Debug)]
pub struct Caller {
    /// For the log and the page.
    pub name: String,
    /// Of its key.
    pub key_sha256: [u8; 32],
    /// What it may do.
    pub rights: BTreeSet<Right>,
    /// With which apps; `None`: with all.
    pub apps: Option<BTreeSet<String>>,
    /// Which calls it may make through the proxy.
    pub proxy: Vec<ProxyRule>,
}

/// Calls that a caller may make: a method and a path, which may end in `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyRule {
    /// `None`: any.
    method: Option<Method>,
    path: String,
    is_prefix: bool,
}

/// As it was written.
impl fmt::Display for ProxyRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let method = self.method.map_or("*", Method::as_str);
        write!(f, "{method} {}{}", self.path, if self.is_prefix { "*" } else { "" })
    }
}

/// A rule is not like `GET /v1/people`.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("\"{0}\" is not like \"GET /v1/people\", \"GET /v1/people/*\" or \"* /v1/*\"")]
pub struct MalformedRule(String);

impl ProxyRule {
    /// Reads a rule.
    ///
    /// # Errors
    /// [`MalformedRule`].
    pub fn parse(text: &str) -> Result<ProxyRule, MalformedRule> {
        let malformed = || MalformedRule(text.to_owned());
        let (method, path) = text.split_once(' ').ok_or_else(malformed)?;
        let method = match method {
            "*" => None,
            method => Some(method_of(method).ok_or_else(malformed)?),
        };
        let (path, is_prefix) = path.strip_suffix('*').map_or((path, false), |path| (path, true));
        if !path.starts_with('/') || path.contains('*') || !is_plain(path) {
            return Err(malformed());
        }
        Ok(ProxyRule { method, path: path.to_owned(), is_prefix })
    }

    /// Whether it allows any call of an API with this base. Calls go nowhere else.
    fn reaches(&self, api_base: &Url) -> bool {
        let base = api_base.path();
        self.path.starts_with(base) || (self.is_prefix && base.starts_with(&self.path))
    }

    /// Whether its star goes on with a name of an API with this base, so that it allows siblings as well: `/v1/people*` is `/v1/peopleRelationships` too.
    fn spills(&self, api_base: &Url) -> bool {
        let in_a_name = self.is_prefix && !self.path.ends_with('/');
        in_a_name && self.path.starts_with(api_base.path())
    }

    fn allows(&self, method: Method, path: &str) -> bool {
        let path_fits = if self.is_prefix { path.starts_with(&self.path) } else { path == self.path };
        path_fits && self.method.is_none_or(|allowed| allowed == method)
    }
}

impl Caller {
    /// Whether it may do this with this app.
    pub(crate) fn may(&self, right: Right, app: &str) -> bool {
        self.rights.contains(&right) && self.may_use(app)
    }

    /// Its rules that fit no path of the API of any of its apps. Nothing is said where none of these could be read.
    pub fn rules_without_effect<'c>(&'c self, apps: &'c [AppSettings]) -> impl Iterator<Item = &'c ProxyRule> {
        let bases: Vec<&Url> =
            apps.iter().filter(|app| self.may_use(&app.name)).map(|app| app.provider.api_base()).collect();
        self.proxy.iter().filter(move |rule| !bases.is_empty() && !bases.iter().any(|base| rule.reaches(base)))
    }

    /// Its rules that allow more than the path that they seem to name.
    pub fn rules_that_spill<'c>(&'c self, apps: &'c [AppSettings]) -> impl Iterator<Item = &'c ProxyRule> {
        let mine = move |rule: &ProxyRule| {
            apps.iter().any(|app| self.may_use(&app.name) && rule.spills(app.provider.api_base()))
        };
        self.proxy.iter().filter(move |rule| mine(rule))
    }

    /// Whether the app is one of its.
    pub fn may_use(&self, app: &str) -> bool {
        self.apps.as_ref().is_none_or(|apps| apps.contains(app))
    }

    /// Whether it may make this call.
    pub(crate) fn may_call(&self, app: &str, method: Method, path: &str) -> bool {
        self.may_use(app) && is_plain(path) && self.proxy.iter().any(|rule| rule.allows(method, path))
    }
}

/// The caller whose key this is. All are compared, so that the time tells nothing.
pub(crate) fn of_key<'c>(callers: &'c [Caller], key: &str) -> Option<&'c Caller> {
    let presented = sha256(key);
    let mut found = None;
    for caller in callers {
        if constant_time::verify_slices_are_equal(&caller.key_sha256, &presented).is_ok() {
            found = Some(caller);
        }
    }
    found
}

/// Whether every server reads this path alike: no dot segments, no empty ones, nothing encoded that means something, no backslash. What is not is
/// refused rather than normalised: the API's idea of the path is the one that counts, and nobody here knows it.
pub(crate) fn is_plain(path: &str) -> bool {
    let segments = path.strip_prefix('/').unwrap_or(path);
    let odd = segments.split('/').any(|segment| segment == "." || segment == "..") || segments.contains("//");
    let characters = path.bytes().all(|byte| byte.is_ascii_graphic() && !b"\\;?#".contains(&byte));
    path.starts_with('/') && !segments.starts_with('/') && !odd && characters && is_plainly_escaped(path)
}

/// Whether nothing is escaped that need not be (RFC 3986 §6.2.2.2: a server takes it for the character itself), separates, or ends a line.
fn is_plainly_escaped(path: &str) -> bool {
    path.split('%').skip(1).all(|rest| {
        let digits = rest.get(..2).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        byte.is_some_and(|byte| {
            !byte.is_ascii_alphanumeric() && !byte.is_ascii_control() && !b"-._~/\\%;?#".contains(&byte)
        })
    })
}

/// A method by its name.
pub(crate) fn method_of(name: &str) -> Option<Method> {
    [Method::Get, Method::Post, Method::Put, Method::Patch, Method::Delete]
        .into_iter()
        .find(|method| method.as_str() == name)
}

fn sha256(text: &str) -> [u8; 32] {
    let digest = digest::digest(&digest::SHA256, text.as_bytes());
    digest.as_ref().try_into().expect("invariant: SHA-256 has 32 bytes")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_two_servers_could_read_differently_fits_no_rule() {
        let rules = vec![
            ProxyRule::parse("GET /v1/people*").expect("a rule"),
            ProxyRule::parse("* /v1/notes").expect("a rule"),
        ];
        let caller =
            Caller { name: "c".into(), key_sha256: [0; 32], rights: BTreeSet::new(), apps: None, proxy: rules };
        let may = |method, path: &str| caller.may_call("fub", method, path);
        for path in ["/v1/people", "/v1/people/1", "/v1/people%20x", "/v1/peopleX"] {
            assert!(may(Method::Get, path), "{path}");
        }
        assert!(may(Method::Post, "/v1/notes") && may(Method::Delete, "/v1/notes") && !may(Method::Post, "/v1/people"));
        for path in [
            "/v1/people/../me",
            "/v1/people/%2e%2e/me",
            "/v1/people/%2E./me",
            "/v1/people/..",
            "/v1/people//x",
            "//v1/people",
            "/v1/people%2f..%2fme",
            "/v1/people/..%5cme",
            "/v1/people\\..\\me",
            "/v1/people;x=/../me",
            "/v1/people/%252e%252e/me",
            "/v1/people%0d%0aX: y",
            "/v1/people/%6d%65",
            "/v1/people%",
            "/v1/people%+1",
            "/v1/people/./x",
            "/v1/notes/",
            "/V1/people",
            "v1/people",
            "/v1/people\u{e9}",
        ] {
            assert!(!may(Method::Get, path), "{path}");
        }
    }

    #[test]
    fn a_rule_reaches_an_api_or_no_call_of_it() {
        let base = Url::parse("https://api.example.com/v1/").expect("a URL");
        for (rule, reaches) in [
            ("GET /v1/people*", true),
            ("* /v1/notes", true),
            ("* /*", true),
            ("GET /v1*", true),
            ("GET /v1/*", true),
            ("GET /v1", false),
            ("GET /people*", false),
            ("GET /v2/*", false),
        ] {
            assert_eq!(ProxyRule::parse(rule).expect("a rule").reaches(&base), reaches, "{rule}");
        }
    }

    #[test]
    fn a_star_behind_a_name_allows_its_siblings_and_is_told() {
        let base = Url::parse("https://api.example.com/v1/").expect("a URL");
        for (rule, spills) in [
            ("GET /v1/people*", true),
            ("GET /v1/people/me*", true),
            ("GET /v1/people/*", false),
            ("GET /v1/people", false),
            ("* /v1/*", false),
            // Calls go to this API alone.
            ("* /v1*", false),
            ("* /*", false),
        ] {
            assert_eq!(ProxyRule::parse(rule).expect("a rule").spills(&base), spills, "{rule}");
        }
    }

    #[test]
    fn rules_are_read_or_refused() {
        for bad in ["", "GET", "GET v1", "get /v1", "GET /v1/*/x", "GET /a/../b", "HEAD /v1", "GET  /v1"] {
            assert!(ProxyRule::parse(bad).is_err(), "{bad:?}");
        }
    }
}
