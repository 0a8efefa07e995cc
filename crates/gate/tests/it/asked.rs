//! Tokens that somebody asks about, as introspection does: remembered, and never more than that.

use crate::issuer::{GRANT, HOUR, ISSUED, SigningKey, World, claims, invalid, with};
use keyfob_gate::{Challenge, InvalidReason};
use keyfob_protocol::access_token::JwkSet;
use keyfob_protocol::revocation::RevokedKind;
use serde_json::json;

#[test]
fn it_04_being_asked_about_opens_no_gate() {
    let world = World::new();
    let foreign = world.token(&with(claims(), "aud", json!("https://another.example.com")));
    for _ in 0..3 {
        let caller = world.gate.holder_of(&foreign).expect("genuine");
        assert!(caller.audience.contains("https://another.example.com"));
        assert_eq!(world.call(&foreign).unwrap_err(), invalid(InvalidReason::WrongAudience));
    }
    assert_eq!(world.gate.cached_tokens(), 1);
}

#[test]
fn it_04_what_is_remembered_of_a_token_ends_with_it() {
    let world = World::new();
    let token = world.token(&claims());
    let ask = || world.gate.holder_of(&token);
    assert_eq!(ask().expect("genuine").jti, ask().expect("remembered").jti);
    world.clock.set(ISSUED.plus(HOUR));
    assert_eq!(ask().unwrap_err(), Challenge::ExpiredToken);
    world.clock.set(ISSUED);
    ask().expect("valid again");
    world.gate.set_keys(&JwkSet { keys: vec![SigningKey::ed25519(2).jwk("next")] }).expect("usable");
    assert_eq!(ask().unwrap_err(), invalid(InvalidReason::UnknownKey));
    world.gate.set_keys(&world.key_set()).expect("usable");
    ask().expect("known again");
    world.revoke(RevokedKind::Grant, &GRANT.to_text(), ISSUED.plus(HOUR));
    assert_eq!(ask().unwrap_err(), invalid(InvalidReason::Revoked));
}
