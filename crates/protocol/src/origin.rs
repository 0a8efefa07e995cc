//! Origins of pages, as browsers send them (RFC 6454 section 6.2; Fetch standard, section 3.2).

use url::{Host, Url};

/// The origin of a URL, spelled as a browser spells it; `None` where it has none that could be named.
pub fn of(url: &str) -> Option<String> {
    let origin = Url::parse(url).ok()?.origin();
    origin.is_tuple().then(|| origin.ascii_serialization())
}

/// Whether `text` is the origin of a page that may be registered, spelled as a browser spells it in `Origin`: https, or http on a literal
/// loopback address; host and port, nothing behind them.
pub fn is_origin(text: &str) -> bool {
    let Ok(url) = Url::parse(text) else { return false };
    let is_loopback = match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(_)) | None => false,
    };
    let is_safe = url.scheme() == "https" || (url.scheme() == "http" && is_loopback);
    // A wildcard is a host to the URL standard, and to nobody else.
    is_safe && !text.contains('*') && url.origin().ascii_serialization() == text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn md_06_an_origin_is_registered_as_browsers_send_it() {
        for good in
            ["https://app.example.com", "https://app.example.com:8443", "http://127.0.0.1:5173", "http://[::1]:5173"]
        {
            assert!(is_origin(good), "{good}");
        }
        for bad in [
            "*",
            "null",
            "",
            "app.example.com",
            "https://app.example.com/",
            "https://app.example.com:443",
            "https://APP.example.com",
            "https://app.example.com/page",
            "https://*.example.com",
            "https://user@app.example.com",
            "http://app.example.com",
            "http://localhost:5173",
            "com.example.app://x",
        ] {
            assert!(!is_origin(bad), "{bad}");
        }
    }
}
