//! Redirect URIs: what can be registered, and where two that should be the same part.

use super::findings::Findings;
use super::hosts::Expected;
use super::hygiene::is_encoded_twice;
use super::request::is_loopback;
use super::source::Parameter;
use keyfob_protocol::form;
use keyfob_protocol::redirect_uri::{RedirectUriError, RedirectUriRules, RegisteredRedirectUri};
use url::{Host, Url};

const NAME: &str = "redirect_uri";

/// Checks a presented redirect URI by itself and against the registered one.
pub(super) fn check(parameter: &Parameter, expected: &Expected, registered: Option<&str>, found: &mut Findings) {
    let (at, value) = (parameter.raw.start(), parameter.value.as_str());
    if parameter.is_open() || parameter.broken.is_some() || value.trim() != value {
        return;
    }
    if is_encoded_twice(value) && !value.contains("://") {
        let once = form::decode(value.as_bytes()).map(|text| text.into_owned()).unwrap_or_default();
        found.wrong(
            at,
            NAME,
            "The value is percent-encoded twice: after decoding it is still not a URI. --data-urlencode and most libraries encode by themselves.",
            format!("redirect_uri={}", encoded(&found.shown(&once))),
        );
        return;
    }
    if parameter.raw.text().contains('?') {
        found.risky(
            parameter.raw.at(parameter.raw.text().find('?').unwrap_or_default()),
            NAME,
            "Its own query is not encoded: the first & in it would end the value, and what follows counts as a parameter of the request.",
            format!("redirect_uri={}", encoded(&found.shown(value))),
        );
    }
    if let Some(registered) = registered
        && let Some(byte) = first_difference(registered, value)
    {
        let why = format!(
            "It differs from the registered one from byte {byte} on: {}. They are compared byte for byte; a final slash, a port or the case count.",
            tails(registered, value, byte, found)
        );
        found.wrong(at, NAME, why, format!("redirect_uri={}", encoded(&found.shown(registered))));
        return;
    }
    check_form(at, value, expected, found);
}

fn check_form(at: usize, value: &str, expected: &Expected, found: &mut Findings) {
    use RedirectUriError::*;
    let https = |value: &str| encoded(&value.replacen("http://", "https://", 1));
    let rules = match expected {
        Expected::FollowUpBoss => RedirectUriRules::Web,
        Expected::Keyfob | Expected::Other(_) => RedirectUriRules::Development,
    };
    let host = Url::parse(value).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
    if *expected == Expected::FollowUpBoss && is_loopback(&host) {
        found.wrong(
            at,
            NAME,
            "Follow Up Boss takes public addresses only; localhost and 127.0.0.1 are turned down.",
            "Register an https address that the internet reaches (a tunnel will do), or develop against keyfob sandbox, which takes http://localhost:PORT.",
        );
        return;
    }
    match RegisteredRedirectUri::register(value, rules) {
        Ok(_) => check_public(at, &host, expected, found),
        Err(NotHttps) => found.wrong(
            at,
            NAME,
            "It is http: the code would travel in clear.",
            format!("redirect_uri={}", https(&found.shown(value))),
        ),
        Err(Fragment) => {
            let without = value.split('#').next().unwrap_or_default();
            found.wrong(
                at,
                NAME,
                "It has a fragment (#…), which no redirect URI may have: the answer is appended to the query, and the fragment never reaches a server.",
                format!("redirect_uri={}", encoded(&found.shown(without))),
            );
        }
        // A private-use scheme of a native app is a matter of registration, which only the authority knows.
        Err(Scheme)
            if *expected != Expected::FollowUpBoss && value.split(':').next().is_some_and(|s| s.contains('.')) => {}
        Err(NotAbsolute) => found.wrong(
            at,
            NAME,
            "It is not an absolute URI.",
            "Write it whole, with scheme and host, as it is registered: https://app.example.com/callback.",
        ),
        Err(error) => {
            found.wrong(at, NAME, format!("It cannot be registered: {error}."), "Register and send another one.")
        }
    }
}

/// Follow Up Boss asks for public addresses. Names that resolve nowhere but at home are known without a look-up.
fn check_public(at: usize, host: &str, expected: &Expected, found: &mut Findings) {
    if is_private(host) && *expected == Expected::FollowUpBoss {
        found.wrong(
            at,
            NAME,
            "Its host is known at home only; Follow Up Boss takes public addresses.",
            "Register an address that the internet reaches.",
        );
    }
}

/// Whether a host is known at home only.
pub(super) fn is_private(host: &str) -> bool {
    let local_name = [".local", ".internal", ".test", ".lan", ".home.arpa"].iter().any(|suffix| host.ends_with(suffix));
    match Host::parse(host) {
        Ok(Host::Ipv4(ip)) => ip.is_private() || ip.is_link_local(),
        Ok(Host::Ipv6(ip)) => ip.is_unique_local(),
        Ok(Host::Domain(name)) => local_name || !name.contains('.'),
        Err(_) => false,
    }
}

/// The first byte in which two texts differ.
pub(super) fn first_difference(a: &str, b: &str) -> Option<usize> {
    let common = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    (common < a.len() || common < b.len()).then_some(common)
}

/// What stands there in both.
pub(super) fn tails(registered: &str, value: &str, byte: usize, found: &Findings) -> String {
    let tail = |text: &str| {
        let from = (0..=byte.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
        let rest: String = found.shown(text.get(from..).unwrap_or_default()).chars().take(40).collect();
        if rest.is_empty() { "the end".to_owned() } else { format!("\"{rest}\"") }
    };
    format!("there {}, here {}", tail(registered), tail(value))
}

pub(super) fn encoded(value: &str) -> String {
    let mut out = String::new();
    // A placeholder stays readable.
    if super::source::is_open(value) {
        return value.to_owned();
    }
    form::encode_into(&mut out, value);
    out
}
