//! Redirect URIs: what registration lets pass, how a native app's port is matched, and where an answer goes.

use crate::parts;
use keyfob_protocol::redirect_uri::{RedirectUriRules, RegisteredRedirectUri};
use url::Url;

/// Lines: the URI to register; one that a request presents.
pub(crate) fn run(bytes: &[u8]) {
    let [registered, presented] = parts(bytes);
    let (Ok(text), Ok(presented)) = (std::str::from_utf8(registered), std::str::from_utf8(presented)) else { return };
    for rules in [RedirectUriRules::Web, RedirectUriRules::Native, RedirectUriRules::Development] {
        let Ok(uri) = RegisteredRedirectUri::register(text, rules) else { continue };
        assert_eq!(uri.as_str(), text, "nothing is normalised");
        let url = Url::parse(text).expect("a registered URI is a URL");
        assert!(url.fragment().is_none() && url.username().is_empty() && url.password().is_none(), "{text}");
        assert!(text.bytes().all(|byte| byte.is_ascii_graphic()), "{text:?} in a header");
        let _ = (uri.host_for_display(), uri.origin());

        // The answer goes to the same place, and what it says can be read back whatever the state was.
        let answer = uri.with_answer([("code", "c"), ("state", presented)]);
        let there = Url::parse(&answer).expect("a URL");
        let place =
            |url: &Url| (url.scheme().to_owned(), url.host_str().map(str::to_owned), url.port(), url.path().to_owned());
        assert_eq!(place(&there), place(&url), "{answer}");
        let state = there.query_pairs().find(|(name, _)| name == "state").map(|(_, value)| value.into_owned());
        assert_eq!(state.as_deref(), Some(presented));
        assert_eq!(there.query_pairs().filter(|(name, _)| name == "code").count(), 1, "RG-01: {answer}");

        if let Some(at_its_port) = uri.at_its_port(presented) {
            assert_eq!(at_its_port.as_str(), presented);
            let theirs = Url::parse(presented).expect("a URL");
            assert_eq!((theirs.scheme(), theirs.host_str()), ("http", url.host_str()), "{presented}");
            assert!(matches!(theirs.host_str(), Some("127.0.0.1" | "[::1]" | "localhost")), "{presented}");
            assert_eq!((theirs.path(), theirs.query()), (url.path(), url.query()), "{presented}");
        }
    }
}
