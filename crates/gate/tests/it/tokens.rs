//! Which texts open the gate: signature, header and claims.

use crate::issuer::{
    AUDIENCE, GRANT, HOUR, ISSUED, SigningKey, World, claims, header, invalid, sign, signing_input, with,
};
use aws_lc_rs::hmac;
use aws_lc_rs::signature::KeyPair;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keyfob_gate::{Challenge, Holder, InvalidReason};
use keyfob_protocol::jwt::JwtProblem;
use keyfob_protocol::revocation::RevokedKind;
use keyfob_protocol::scope::Scope;
use keyfob_protocol::token_name::{TokenKind, TokenName};
use serde_json::{Value, json};

#[test]
fn jw_01_a_token_with_every_claim_names_its_caller() {
    let world = World::new();
    let caller = world.call(&world.token(&with(claims(), "scope", json!("people notes")))).unwrap();
    let holder = Holder { user: 42, account: 5, grant: crate::issuer::GRANT };
    assert_eq!((caller.holder, caller.app, caller.client_id.as_str()), (Some(holder), 3, "app-one"));
    assert_eq!(caller.jti, "token-one");
    assert_eq!(caller.scope.as_ref().unwrap().to_string(), "notes people");
    assert_eq!((caller.issued_at, caller.expires_at), (ISSUED, ISSUED.plus(HOUR)));
}

#[test]
fn jw_01_each_required_claim_is_required() {
    let world = World::new();
    for claim in ["iss", "sub", "aud", "client_id", "iat", "exp", "jti", "gid", "acc", "app"] {
        let token = world.token(&with(claims(), claim, Value::Null));
        assert_eq!(world.call(&token).unwrap_err(), invalid(InvalidReason::MalformedClaims), "{claim}");
    }
}

/// Claims of a token that an app has for itself.
fn own_claims() -> Value {
    let own = with(claims(), "sub", json!("app-one"));
    with(with(own, "gid", Value::Null), "acc", Value::Null)
}

#[test]
fn tk_16_an_app_that_acts_for_itself_has_no_holder_and_no_role_in_place_of_a_scope() {
    let world = World::new();
    let caller = world.call(&world.token(&own_claims())).unwrap();
    assert_eq!((caller.holder, caller.app, caller.client_id.as_str()), (None, 3, "app-one"));
    let notes = Scope::parse("notes").unwrap();
    assert!(caller.permits(&Scope::empty()).is_ok());
    assert_eq!(caller.permits(&notes).unwrap_err(), Challenge::InsufficientScope { required: notes.clone() });
    let scoped = world.call(&world.token(&with(own_claims(), "scope", json!("notes")))).unwrap();
    assert!(scoped.permits(&notes).is_ok());
}

#[test]
fn tk_16_the_two_forms_of_claims_do_not_mix() {
    let world = World::new();
    let numbered = with(with(own_claims(), "client_id", json!("42")), "sub", json!("42"));
    let caller = world.call(&world.token(&numbered)).unwrap();
    assert_eq!(caller.holder, None, "a client id that looks like a user's number names no user");
    for (claim, value) in [
        ("sub", json!("app-two")),
        ("sub", json!("42")),
        ("gid", json!(GRANT.to_text())),
        ("acc", json!(5)),
        ("app", Value::Null),
    ] {
        let token = world.token(&with(own_claims(), claim, value.clone()));
        assert_eq!(world.call(&token).unwrap_err(), invalid(InvalidReason::MalformedClaims), "{claim} {value}");
    }
}

#[test]
fn tk_16_revocations_of_the_app_and_of_the_token_stop_it_and_those_of_users_do_not() {
    for (kind, id, stops) in [
        (RevokedKind::App, "3", true),
        (RevokedKind::Token, "token-one", true),
        (RevokedKind::User, "42", false),
        (RevokedKind::User, "0", false),
        (RevokedKind::Account, "0", false),
    ] {
        let world = World::new();
        let token = world.token(&own_claims());
        assert!(world.call(&token).is_ok());
        world.revoke(kind, id, ISSUED);
        assert_eq!(world.call(&token).is_err(), stops, "{kind:?} {id}");
    }
}

#[test]
fn jw_02_both_algorithms_of_the_list_open_the_gate() {
    let world = World::new();
    assert!(world.call(&world.token(&claims())).is_ok());
    let es256 = json!({ "alg": "ES256", "typ": "at+jwt", "kid": "ec" });
    assert!(world.call(&sign(&world.ec, &es256, &claims())).is_ok());
}

#[test]
fn jw_02_each_claim_wrong_is_refused() {
    let world = World::new();
    let wrong = [
        ("iss", json!("https://id.example.com/"), InvalidReason::WrongIssuer),
        ("iss", json!("https://evil.example.com"), InvalidReason::WrongIssuer),
        ("aud", json!("https://other.example.com"), InvalidReason::WrongAudience),
        ("aud", json!([]), InvalidReason::WrongAudience),
        ("iat", json!(ISSUED.0 + 61), InvalidReason::IssuedInTheFuture),
        ("nbf", json!(ISSUED.0 + 1), InvalidReason::NotYetValid),
        ("exp", json!("never"), InvalidReason::MalformedClaims),
        ("sub", json!("+42"), InvalidReason::MalformedClaims),
        ("sub", json!("sandy"), InvalidReason::MalformedClaims),
        ("gid", json!("short"), InvalidReason::MalformedClaims),
        ("scope", json!("a\"b"), InvalidReason::MalformedClaims),
    ];
    for (claim, value, reason) in wrong {
        let token = world.token(&with(claims(), claim, value.clone()));
        assert_eq!(world.call(&token).unwrap_err(), invalid(reason), "{claim} {value}");
        // The same token past its end is still invalid, not expired.
        let stale = with(with(claims(), "exp", json!(ISSUED.0)), claim, value.clone());
        assert_eq!(world.call(&world.token(&stale)).unwrap_err(), invalid(reason), "{claim} {value}, expired");
    }
}

#[test]
fn jw_02_times_hold_to_the_second_and_iat_allows_a_clock_a_minute_ahead() {
    let world = World::new();
    assert!(world.call(&world.token(&with(claims(), "iat", json!(ISSUED.0 + 60)))).is_ok());
    assert!(world.call(&world.token(&with(claims(), "nbf", json!(ISSUED.0)))).is_ok());
    assert!(world.call(&world.token(&with(claims(), "exp", json!(ISSUED.0 + 1)))).is_ok());
}

#[test]
fn jw_02_an_unsigned_token_is_refused() {
    let world = World::new();
    for alg in ["none", "None", ""] {
        let input = signing_input(&with(header(), "alg", json!(alg)), &claims());
        for token in [format!("{input}."), format!("{input}.AAAA")] {
            assert_eq!(world.call(&token).unwrap_err(), invalid(JwtProblem::WrongAlgorithm), "{alg}");
        }
        assert_eq!(world.call(&input).unwrap_err(), invalid(JwtProblem::NotAJwt));
    }
}

#[test]
fn jw_02_hs256_with_the_public_key_as_secret_is_refused() {
    let world = World::new();
    let SigningKey::Ed25519(pair) = &world.ed else { panic!("key ed is Ed25519") };
    let input = signing_input(&with(header(), "alg", json!("HS256")), &claims());
    for secret in [pair.public_key().as_ref(), world.ed.jwk("ed").x.as_bytes()] {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), input.as_bytes());
        let token = format!("{input}.{}", URL_SAFE_NO_PAD.encode(tag));
        assert_eq!(world.call(&token).unwrap_err(), invalid(JwtProblem::WrongAlgorithm));
    }
}

#[test]
fn jw_02_unknown_and_borrowed_algorithms_fail_closed() {
    let world = World::new();
    for alg in ["ES256", "RS256", "PS256", "Ed25519", "eddsa"] {
        let token = sign(&world.ed, &with(header(), "alg", json!(alg)), &claims());
        assert_eq!(world.call(&token).unwrap_err(), invalid(JwtProblem::WrongAlgorithm), "{alg}");
    }
}

#[test]
fn jw_02_a_swapped_or_unknown_kid_is_refused() {
    let world = World::new();
    let swapped = json!({ "alg": "ES256", "typ": "at+jwt", "kid": "ec" });
    assert_eq!(world.call(&sign(&world.ed, &swapped, &claims())).unwrap_err(), invalid(JwtProblem::WrongSignature));
    for kid in [json!("other"), json!(""), Value::Null] {
        let token = sign(&world.ed, &with(header(), "kid", kid.clone()), &claims());
        assert_eq!(world.call(&token).unwrap_err(), invalid(InvalidReason::UnknownKey), "{kid}");
    }
}

#[test]
fn jw_02_another_key_under_our_kid_is_refused() {
    let world = World::new();
    let stranger = SigningKey::ed25519(9);
    assert_eq!(world.call(&sign(&stranger, &header(), &claims())).unwrap_err(), invalid(JwtProblem::WrongSignature));
}

#[test]
fn jw_02_key_material_in_the_header_is_ignored() {
    let world = World::new();
    let stranger = SigningKey::ed25519(9);
    let jwk = serde_json::to_value(stranger.jwk("ed")).unwrap();
    let pointers =
        [("jwk", jwk), ("jku", json!("https://evil.example.com/jwks")), ("x5u", json!("https://evil.example.com/x"))];
    for (member, value) in pointers {
        let header = with(header(), member, value);
        assert_eq!(
            world.call(&sign(&stranger, &header, &claims())).unwrap_err(),
            invalid(JwtProblem::WrongSignature),
            "{member}"
        );
        assert!(world.call(&sign(&world.ed, &header, &claims())).is_ok(), "{member}");
    }
}

#[test]
fn jw_02_critical_extensions_are_refused() {
    let world = World::new();
    for crit in [json!(["b64"]), json!(["exp"]), json!([]), json!("x")] {
        let token = sign(&world.ed, &with(header(), "crit", crit.clone()), &claims());
        assert_eq!(world.call(&token).unwrap_err(), invalid(JwtProblem::CriticalExtension), "{crit}");
    }
}

#[test]
fn jw_02_every_changed_byte_breaks_a_token() {
    let world = World::new();
    let token = world.token(&claims());
    world.call(&token).unwrap();
    for at in 0..token.len() {
        let mut changed = token.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        assert!(world.call(&String::from_utf8(changed).unwrap()).is_err(), "byte {at}");
    }
}

#[test]
fn jw_03_id_tokens_and_client_assertions_are_not_access_tokens() {
    let world = World::new();
    for typ in
        [json!("JWT"), json!("jwt"), json!("client-authentication+jwt"), json!("at+jwt2"), json!(""), Value::Null]
    {
        let token = sign(&world.ed, &with(header(), "typ", typ.clone()), &claims());
        assert_eq!(world.call(&token).unwrap_err(), invalid(JwtProblem::WrongType), "{typ}");
    }
    let id_token =
        json!({ "iss": crate::issuer::ISSUER, "sub": "42", "aud": "app-one", "iat": ISSUED.0, "exp": ISSUED.0 + HOUR });
    assert_eq!(world.call(&world.token(&id_token)).unwrap_err(), invalid(InvalidReason::MalformedClaims));
}

#[test]
fn jw_03_the_type_is_a_media_type_and_knows_no_case() {
    let world = World::new();
    for typ in ["at+jwt", "AT+JWT", "application/at+jwt", "Application/At+Jwt"] {
        let token = sign(&world.ed, &with(header(), "typ", json!(typ)), &claims());
        assert!(world.call(&token).is_ok(), "{typ}");
    }
}

#[test]
fn br_07_a_token_dies_at_its_sixtieth_minute_to_the_second() {
    let world = World::new();
    let (seen, unseen) = (world.token(&claims()), world.token(&with(claims(), "jti", json!("token-two"))));
    assert!(world.call(&seen).is_ok());
    world.clock.set(ISSUED.plus(HOUR - 1));
    assert!(world.call(&seen).is_ok());
    world.clock.set(ISSUED.plus(HOUR));
    assert_eq!(world.call(&seen).unwrap_err(), Challenge::ExpiredToken);
    assert_eq!(world.call(&unseen).unwrap_err(), Challenge::ExpiredToken);
}

#[test]
fn br_08_other_artefacts_do_not_open_the_gate() {
    let world = World::new();
    let name = |kind| TokenName { kind, root_key: 1, grant: crate::issuer::GRANT, generation: 0, branch: 0 };
    let artefacts = [
        name(TokenKind::Code).spell(&[1; 32]),
        name(TokenKind::Refresh).spell(&[1; 32]),
        "keyfobcs_0123456789abcdefghijklmnopqrstuvwxyz".to_owned(),
        crate::issuer::GRANT.to_text(),
        "token-one".to_owned(),
        "a.b.c".to_owned(),
        "..".to_owned(),
        "A".repeat(9000),
    ];
    for artefact in artefacts {
        assert_eq!(world.call(&artefact).unwrap_err(), invalid(JwtProblem::NotAJwt), "{artefact}");
    }
}

#[test]
fn ri_03_a_token_opens_the_gate_of_its_audience_only() {
    let (one, other) =
        (World::new(), World::with_config(|config| config.audience = "https://other.example.com".into()));
    let token = one.token(&claims());
    assert!(one.call(&token).is_ok());
    assert_eq!(other.call(&token).unwrap_err(), invalid(InvalidReason::WrongAudience));
    let both = one.token(&with(claims(), "aud", json!([AUDIENCE, "https://other.example.com"])));
    assert!(one.call(&both).is_ok() && other.call(&both).is_ok());
}

#[test]
fn d17_the_audience_may_be_the_issuer() {
    let world = World::with_config(|config| config.audience = crate::issuer::ISSUER.into());
    assert!(world.call(&world.token(&with(claims(), "aud", json!(crate::issuer::ISSUER)))).is_ok());
    assert_eq!(world.call(&world.token(&claims())).unwrap_err(), invalid(InvalidReason::WrongAudience));
}
