//! Revocation acts on the next call, for new and for remembered tokens.

use crate::issuer::{GRANT, HOUR, ISSUED, World, claims, invalid, with};
use keyfob_gate::{Challenge, InvalidReason};
use keyfob_protocol::Timestamp;
use keyfob_protocol::revocation::{Revocation, RevokedKind};
use keyfob_protocol::token_name::GrantId;
use serde_json::json;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};

const WIDE: [(RevokedKind, &str, &str); 3] =
    [(RevokedKind::App, "3", "4"), (RevokedKind::User, "42", "43"), (RevokedKind::Account, "5", "6")];

#[test]
fn jw_04_a_revoked_grant_or_token_stops_whatever_its_age() {
    for (kind, ours, other) in [
        (RevokedKind::Grant, GRANT.to_text(), GrantId([8; 16]).to_text()),
        (RevokedKind::Token, "token-one".into(), "t".into()),
    ] {
        let world = World::new();
        let token = world.token(&claims());
        world.revoke(kind, &other, ISSUED.plus(HOUR));
        assert!(world.call(&token).is_ok(), "{kind:?} of another");
        world.revoke(kind, &ours, ISSUED.plus(-HOUR));
        assert_eq!(world.call(&token).unwrap_err(), invalid(InvalidReason::Revoked), "{kind:?}, remembered");
        let sibling = world.token(&with(claims(), "app", json!(9)));
        assert_eq!(world.call(&sibling).unwrap_err(), invalid(InvalidReason::Revoked), "{kind:?}, first sight");
    }
}

#[test]
fn jw_04_a_wide_revocation_stops_tokens_up_to_its_second_and_none_after() {
    for (kind, ours, other) in WIDE {
        for (iat, refused) in [(-1, true), (0, true), (1, false)] {
            let world = World::new();
            let token = world.token(&with(claims(), "iat", json!(ISSUED.0 + iat)));
            world.revoke(kind, other, ISSUED.plus(HOUR));
            assert!(world.call(&token).is_ok(), "{kind:?} of another");
            world.revoke(kind, ours, ISSUED);
            let expected = if refused { Some(invalid(InvalidReason::Revoked)) } else { None };
            assert_eq!(world.call(&token).err(), expected, "{kind:?} {iat}, remembered");
            let sibling = world.token(&with(with(claims(), "iat", json!(ISSUED.0 + iat)), "jti", json!("two")));
            assert_eq!(world.call(&sibling).err(), expected, "{kind:?} {iat}, first sight");
        }
    }
}

#[test]
fn jw_04_a_token_of_the_second_passes_only_the_revocation_that_it_was_issued_after() {
    for ((kind, ours, _), member) in WIDE.into_iter().zip(["app", "user", "account"]) {
        for (after, refused) in [(-1, true), (0, false), (1, false)] {
            let world = World::new();
            let token = world.token(&with(claims(), "after", json!({ member: ISSUED.0 + after })));
            assert!(world.call(&token).is_ok());
            world.revoke(kind, ours, ISSUED);
            let expected = if refused { Some(invalid(InvalidReason::Revoked)) } else { None };
            assert_eq!(world.call(&token).err(), expected, "{kind:?} {after}");
            world.revoke(kind, ours, ISSUED.plus(2));
            assert_eq!(world.call(&token).unwrap_err(), invalid(InvalidReason::Revoked), "{kind:?}, the next one");
        }
        for (other, ours, _) in WIDE.into_iter().filter(|(other, ..)| *other != kind) {
            let world = World::new();
            let token = world.token(&with(claims(), "after", json!({ member: ISSUED.0 })));
            world.revoke(other, ours, ISSUED);
            assert_eq!(world.call(&token).unwrap_err(), invalid(InvalidReason::Revoked), "{other:?}, not {kind:?}");
        }
    }
}

#[test]
fn jw_04_entries_for_one_thing_only_widen() {
    let world = World::new();
    let token = world.token(&claims());
    let revoke = |not_before, until| {
        let entry = Revocation { number: 1, kind: RevokedKind::User, id: "42".into(), not_before, until };
        world.gate.revocations().insert(&entry).unwrap();
    };
    revoke(ISSUED, ISSUED.plus(HOUR));
    revoke(ISSUED.plus(-10), ISSUED.plus(10));
    assert_eq!(world.gate.revocations().len(), 1);
    world.gate.revocations().forget_expired(ISSUED.plus(10));
    assert_eq!(world.call(&token).unwrap_err(), invalid(InvalidReason::Revoked));
}

#[test]
fn jw_04_an_entry_is_forgotten_when_its_last_token_has_expired_and_not_before() {
    let world = World::new();
    let token = world.token(&claims());
    for (kind, id) in
        [(RevokedKind::Grant, GRANT.to_text()), (RevokedKind::Token, "t".into()), (RevokedKind::App, "3".into())]
    {
        world.revoke(kind, &id, ISSUED);
    }
    assert_eq!(world.gate.revocations().len(), 3);
    world.clock.set(ISSUED.plus(HOUR - 1));
    world.gate.forget_expired();
    assert_eq!(world.gate.revocations().len(), 3);
    assert_eq!(world.call(&token).unwrap_err(), invalid(InvalidReason::Revoked));
    world.clock.set(ISSUED.plus(HOUR));
    assert_eq!(world.call(&token).unwrap_err(), Challenge::ExpiredToken);
    world.gate.forget_expired();
    assert_eq!((world.gate.revocations().len(), world.gate.cached_tokens()), (0, 0));
    assert_eq!(world.call(&token).unwrap_err(), Challenge::ExpiredToken);
}

#[test]
fn jw_04_an_entry_that_cannot_be_read_is_reported_and_not_dropped_silently() {
    let world = World::new();
    for (kind, id) in
        [(RevokedKind::Grant, "x"), (RevokedKind::User, "+42"), (RevokedKind::App, ""), (RevokedKind::Account, "1.5")]
    {
        let entry = Revocation { number: 9, kind, id: id.into(), not_before: ISSUED, until: Timestamp(i64::MAX) };
        let unreadable = world.gate.revocations().insert(&entry).unwrap_err();
        assert_eq!((unreadable.number, unreadable.kind), (9, kind), "{id}");
    }
    assert!(world.gate.revocations().is_empty());
}

#[test]
fn br_09_a_revocation_acts_at_once_while_eight_threads_call() {
    let world = World::new();
    let token = world.token(&claims());
    let (revoked, start) = (AtomicBool::new(false), Barrier::new(9));
    std::thread::scope(|threads| {
        let callers: Vec<_> = (0..8)
            .map(|_| {
                threads.spawn(|| {
                    start.wait();
                    let mut passed = 0;
                    loop {
                        // Read before the call: a call that starts after the insertion returned must be refused.
                        let must_refuse = revoked.load(Ordering::SeqCst);
                        match world.call(&token) {
                            Ok(_) => {
                                assert!(!must_refuse, "passed after the revocation");
                                passed += 1;
                            }
                            Err(challenge) => {
                                assert_eq!(challenge, invalid(InvalidReason::Revoked));
                                break passed;
                            }
                        }
                    }
                })
            })
            .collect();
        start.wait();
        // Unrelated entries make every thread ask the set again, while others read it.
        for number in 100..1100 {
            world.revoke(RevokedKind::User, &number.to_string(), ISSUED);
        }
        world.revoke(RevokedKind::Grant, &GRANT.to_text(), ISSUED);
        revoked.store(true, Ordering::SeqCst);
        for caller in callers {
            caller.join().unwrap();
        }
    });
    assert_eq!(world.call(&token).unwrap_err(), invalid(InvalidReason::Revoked));
}
