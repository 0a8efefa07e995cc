//! Where credentials are looked for.

use crate::issuer::{World, authorization, claims, invalid};
use http::HeaderMap;
use keyfob_gate::{Challenge, InvalidReason};

#[test]
fn br_01_the_scheme_is_case_insensitive_for_new_and_for_known_tokens() {
    let world = World::new();
    let token = world.token(&claims());
    for scheme in ["bearer", "Bearer", "BEARER", "bEARER"] {
        assert!(world.gate.check(&authorization(&[&format!("{scheme} {token}")])).is_ok(), "{scheme}");
    }
    assert_eq!(world.gate.cached_tokens(), 1);
}

#[test]
fn br_01_a_malformed_header_is_an_invalid_token() {
    let world = World::new();
    let token = world.token(&claims());
    world.call(&token).unwrap();
    for rest in
        ["".into(), " ".into(), format!(" \"{token}\""), format!(" {token},"), format!(" {token} x"), " é".into()]
    {
        let answer = world.gate.check(&authorization(&[&format!("Bearer{rest}")]));
        assert_eq!(answer.unwrap_err(), invalid(InvalidReason::MalformedHeader), "{rest}");
    }
}

#[test]
fn br_02_without_bearer_credentials_there_is_only_a_challenge() {
    let world = World::new();
    assert_eq!(world.gate.check(&HeaderMap::new()).unwrap_err(), Challenge::NoCredentials);
    for other in ["Basic YTpi", "Bearerabc", "", "Digest x"] {
        assert_eq!(world.gate.check(&authorization(&[other])).unwrap_err(), Challenge::NoCredentials, "{other}");
    }
}

#[test]
fn br_04_several_authorization_headers_are_refused() {
    let world = World::new();
    let good = format!("Bearer {}", world.token(&claims()));
    for pair in [[good.as_str(), good.as_str()], [&good, "Basic YTpi"], ["Basic YTpi", &good], ["", ""]] {
        assert_eq!(world.gate.check(&authorization(&pair)).unwrap_err(), Challenge::SeveralCredentials, "{pair:?}");
    }
}
