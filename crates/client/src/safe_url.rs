//! URLs that credentials may be sent to: `https`, or `http` to this machine (matrix CL-13).
//!
//! Checked when a provider is built and again by the driver before a connection is opened, so that no configuration and no
//! stored attempt can make a secret travel in clear. Whether the host is the right one is not decided here.

use thiserror::Error;
use url::{Host, Url};

/// Why no credentials go to a URL. The operator's error: nothing was sent, the configuration has to change.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum UnsafeUrl {
    /// Not an absolute URL with a host.
    #[error("\"{0}\" is not an absolute URL; write it with https:// and a host")]
    NotAbsolute(String),
    /// Neither `https` nor `http`.
    #[error("the scheme of \"{0}\" cannot carry the flow; use https://")]
    Scheme(String),
    /// `http` to another machine.
    #[error("\"{0}\" would send secrets in clear; use https:// (http:// is for loopback addresses only)")]
    NotHttps(String),
    /// A user name or a password in the URL.
    #[error("a URL with a user name or a password is refused; client credentials are given apart from it")]
    UserInfo,
    /// `#` and what follows (RFC 6749 sections 3.1 and 3.2).
    #[error("\"{0}\" has a fragment, which an endpoint may not have")]
    Fragment(String),
}

/// Reads a URL that credentials may be sent to.
///
/// # Errors
/// [`UnsafeUrl`], before anything was sent.
pub fn parse(text: &str) -> Result<Url, UnsafeUrl> {
    let url = Url::parse(text).map_err(|_| UnsafeUrl::NotAbsolute(printable(text)))?;
    check(&url)?;
    Ok(url)
}

/// The same check for a URL that is already parsed.
///
/// # Errors
/// [`UnsafeUrl`], before anything was sent.
pub fn check(url: &Url) -> Result<(), UnsafeUrl> {
    let printed = || printable(url.as_str());
    // First, so that no later message prints a password.
    if !url.username().is_empty() || url.password().is_some() {
        return Err(UnsafeUrl::UserInfo);
    }
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(url) => {}
        "http" => return Err(UnsafeUrl::NotHttps(printed())),
        _ => return Err(UnsafeUrl::Scheme(printed())),
    }
    if url.fragment().is_some() {
        return Err(UnsafeUrl::Fragment(printed()));
    }
    Ok(())
}

/// Whether the URL names this machine: an address of the loopback range, or `localhost` itself.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// What may be printed: everything before the query, which can hold a code or a token, and never a user name.
fn printable(text: &str) -> String {
    let text = text.split(['?', '#']).next().unwrap_or_default();
    match text.rsplit_once('@') {
        Some((_, host)) => format!("…@{host}"),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cl_13_only_https_and_loopback_pass() {
        for good in [
            "https://app.followupboss.com/oauth/token",
            "http://127.0.0.1:4000/oauth/token",
            "http://127.8.9.1/x",
            "http://[::1]:4000/x",
            "http://localhost:4000/x",
        ] {
            assert!(parse(good).is_ok(), "{good}");
        }
        for bad in [
            "http://app.followupboss.com/oauth/token",
            "http://10.0.0.1/x",
            "http://0.0.0.0/x",
            "http://localhost.example.com/x",
            "http://127.0.0.1.example.com/x",
            "http://[::ffff:10.0.0.1]/x",
        ] {
            assert!(matches!(parse(bad), Err(UnsafeUrl::NotHttps(_))), "{bad}");
        }
        assert!(matches!(parse("ftp://x.example/"), Err(UnsafeUrl::Scheme(_))));
        assert!(matches!(parse("/oauth/token"), Err(UnsafeUrl::NotAbsolute(_))));
        assert!(matches!(parse("https://x.example/#f"), Err(UnsafeUrl::Fragment(_))));
        assert_eq!(parse("http://id:hunter2@evil.example/"), Err(UnsafeUrl::UserInfo));
    }

    #[test]
    fn a_message_never_shows_a_query_or_a_password() {
        for text in ["http://a.example/t?code=hunter2", "x:\\u:hunter2@h", "u:hunter2@h/?refresh_token=hunter2"] {
            let message = parse(text).expect_err("unsafe").to_string();
            assert!(!message.contains("hunter2"), "{message}");
        }
    }
}
