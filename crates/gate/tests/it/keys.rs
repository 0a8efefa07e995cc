//! Which published key sets are usable, and what a change of keys does to remembered tokens.

use crate::issuer::{SigningKey, World, claims, header, invalid, sign, with};
use keyfob_gate::{InvalidReason, KeySetProblem, VerificationKeys};
use keyfob_protocol::access_token::{JwkSet, PublicJwk, SigningAlgorithm};
use keyfob_protocol::jwt::JwtProblem;
use serde_json::json;

#[test]
fn md_04_key_ids_are_unique() {
    let set = JwkSet { keys: vec![SigningKey::ed25519(1).jwk("one"), SigningKey::ed25519(2).jwk("one")] };
    assert_eq!(VerificationKeys::new(&set).unwrap_err(), KeySetProblem::Duplicate("one".into()));
    assert_eq!(VerificationKeys::new(&JwkSet::default()).unwrap_err(), KeySetProblem::Empty);
}

#[test]
fn md_04_only_public_members_survive_reading_a_set() {
    let mut jwk = serde_json::to_value(SigningKey::ed25519(1).jwk("one")).unwrap();
    for private in ["d", "p", "q", "k"] {
        jwk = with(jwk, private, json!("c2VjcmV0"));
    }
    let set: JwkSet = serde_json::from_value(json!({ "keys": [jwk] })).unwrap();
    assert!(VerificationKeys::new(&set).is_ok());
    let mut members: Vec<_> =
        serde_json::to_value(&set.keys[0]).unwrap().as_object().unwrap().keys().cloned().collect();
    members.sort_unstable();
    assert_eq!(members, ["alg", "crv", "kid", "kty", "use", "x"]);
}

#[test]
fn jw_02_a_key_serves_its_own_algorithm_only() {
    let (ed, ec) = (SigningKey::ed25519(1).jwk("k"), SigningKey::p256().jwk("k"));
    let mismatched = [
        PublicJwk { alg: SigningAlgorithm::Es256, ..ed.clone() },
        PublicJwk { alg: SigningAlgorithm::EdDsa, ..ec.clone() },
        PublicJwk { crv: "X25519".into(), ..ed.clone() },
        PublicJwk { kty: "EC".into(), ..ed.clone() },
        PublicJwk { use_: "enc".into(), ..ed.clone() },
        PublicJwk { y: None, ..ec.clone() },
    ];
    for jwk in mismatched {
        let problem = VerificationKeys::new(&JwkSet { keys: vec![jwk.clone()] }).unwrap_err();
        assert_eq!(problem, KeySetProblem::Mismatch("k".into()), "{jwk:?}");
    }
    let not_keys = [
        PublicJwk { x: "AAAA".into(), ..ed.clone() },
        PublicJwk { x: "not base64".into(), ..ed },
        PublicJwk { y: Some(ec.x.clone()), ..ec },
    ];
    for jwk in not_keys {
        let problem = VerificationKeys::new(&JwkSet { keys: vec![jwk.clone()] }).unwrap_err();
        assert_eq!(problem, KeySetProblem::NotAKey("k".into()), "{jwk:?}");
    }
}

#[test]
fn jw_02_a_withdrawn_key_takes_its_remembered_tokens_along() {
    let world = World::new();
    let (old, next) = (world.token(&claims()), SigningKey::ed25519(2));
    assert!(world.call(&old).is_ok());
    world.gate.set_keys(&JwkSet { keys: vec![world.ed.jwk("ed"), next.jwk("next")] }).unwrap();
    assert!(world.call(&old).is_ok());
    assert!(world.call(&sign(&next, &with(header(), "kid", json!("next")), &claims())).is_ok());
    world.gate.set_keys(&JwkSet { keys: vec![next.jwk("next")] }).unwrap();
    assert_eq!(world.call(&old).unwrap_err(), invalid(InvalidReason::UnknownKey));
    world.gate.set_keys(&JwkSet { keys: vec![next.jwk("ed")] }).unwrap();
    assert_eq!(world.call(&old).unwrap_err(), invalid(JwtProblem::WrongSignature));
}

#[test]
fn jw_02_an_unusable_set_leaves_the_keys_in_force() {
    let world = World::new();
    let token = world.token(&claims());
    assert_eq!(world.gate.set_keys(&JwkSet::default()).unwrap_err(), KeySetProblem::Empty);
    assert!(world.call(&token).is_ok());
}
