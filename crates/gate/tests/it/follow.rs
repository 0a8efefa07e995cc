//! Following an authority: what it says acts, and what it fails to say is not made up.

use crate::issuer::{GRANT, HOUR, ISSUED, SigningKey, claims, header, invalid, sign, with};
use crate::scripted::{NAME, SECRET, Scripted, until, within};
use http::{StatusCode, header as names};
use keyfob_gate::follow::{FollowConfig, Follower};
use keyfob_gate::{Challenge, InvalidReason, WithoutNews};
use keyfob_protocol::access_token::JwkSet;
use keyfob_protocol::revocation::{Revocation, RevokedKind};
use keyfob_protocol::{Secret, basic};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

#[tokio::test]
async fn jw_04_a_token_stops_within_a_second_of_its_revocation() {
    let authority = Scripted::start(|_| ()).await;
    let _following = authority.ready().await;
    let token = authority.world.token(&claims());
    assert!(authority.world.call(&token).is_ok());
    authority.revoke(RevokedKind::User, "43");
    authority.revoke(RevokedKind::Grant, &GRANT.to_text());
    within(Duration::from_secs(1), "the token stops", || authority.world.call(&token).is_err()).await;
    assert_eq!(authority.world.call(&token).unwrap_err(), invalid(InvalidReason::Revoked));
}

#[tokio::test]
async fn br_11_a_gate_serves_nothing_before_keys_and_the_first_complete_sync() {
    let authority = Scripted::start(|config| config.without_news = WithoutNews::KeepServing).await;
    let token = authority.world.token(&claims());
    authority.script().keys_fail = true;
    let following = authority.follow();
    until("the keys were asked for twice", || authority.script().keys_asked > 1).await;
    assert_eq!(authority.world.call(&token).unwrap_err(), Challenge::CannotDecide);
    assert!(following.status.failures() > 0);
    authority.script().keys_fail = false;
    until("the gate is ready", || authority.world.call(&token).is_ok()).await;
}

#[tokio::test]
async fn jw_04_a_snapshot_of_many_pages_is_read_at_once_and_goes_on_from_its_end() {
    let authority = Scripted::start(|_| ()).await;
    for number in 0..95 {
        authority.revoke(RevokedKind::User, &(100 + number).to_string());
    }
    authority.script().page = 10;
    let _following = authority.follow();
    // At the pace of complete answers ten pages would take two seconds.
    within(Duration::from_millis(1500), "all pages", || authority.world.gate.is_ready()).await;
    assert_eq!(authority.world.gate.revocations().len(), 95);
    until("it asks again", || authority.script().asked.len() > 11).await;
    let asked: Vec<_> = authority.script().asked.iter().take(11).map(|(after, _)| after.clone()).collect();
    let expected =
        [None, Some(10), Some(20), Some(30), Some(40), Some(50), Some(60), Some(70), Some(80), Some(90), Some(95)];
    assert_eq!(asked, expected.map(|at: Option<i32>| at.map(|at| format!("epoch:{at}"))));
}

#[tokio::test]
async fn br_11_nothing_is_called_synced_while_pages_are_missing() {
    let authority = Scripted::start(|_| ()).await;
    authority.revoke(RevokedKind::User, "100");
    // An answer that says that there is more and does not advance.
    authority.script().page = 0;
    let following = authority.follow();
    until("it tried twice", || following.status.failures() > 1).await;
    assert!(!authority.world.gate.is_ready());
    authority.script().page = 1;
    until("the gate is ready", || authority.world.gate.is_ready()).await;
}

#[tokio::test]
async fn br_11_a_node_that_cannot_read_its_store_does_not_make_the_gate_look_fresh() {
    let authority = Scripted::start(|_| ()).await;
    authority.script().behind = 31;
    let _following = authority.follow();
    until("it is synced", || authority.world.gate.revocations().synced_at().is_some()).await;
    assert_eq!(authority.world.gate.seconds_without_news(), Some(31));
    let token = authority.world.token(&claims());
    assert_eq!(authority.world.call(&token).unwrap_err(), Challenge::CannotDecide);
    authority.script().behind = 3;
    until("the gate is ready", || authority.world.call(&token).is_ok()).await;
    assert_eq!(authority.world.gate.seconds_without_news(), Some(3));
}

#[tokio::test]
async fn br_11_clocks_that_differ_make_the_gate_neither_fresher_nor_staler() {
    for ahead in [-1000, 1000] {
        let authority = Scripted::start(|_| ()).await;
        authority.script().ahead = ahead;
        let following = authority.ready().await;
        assert_eq!(authority.world.gate.revocations().synced_at(), Some(ISSUED));
        assert_eq!(following.status.skew_seconds(), -ahead);
    }
}

#[tokio::test]
async fn br_11_an_entry_that_cannot_be_read_keeps_the_gate_from_being_synced_while_it_is_in_force() {
    let authority = Scripted::start(|_| ()).await;
    let _following = authority.ready().await;
    let unreadable = Revocation {
        number: 1,
        kind: RevokedKind::Account,
        id: "five".into(),
        not_before: ISSUED,
        until: ISSUED.plus(100),
    };
    authority.script().entries.push(unreadable);
    authority.revoke(RevokedKind::User, "42");
    until("the readable entry acts", || authority.world.gate.revocations().len() == 1).await;
    let token = authority.world.token(&with(claims(), "sub", json!("41")));
    authority.world.clock.set(ISSUED.plus(31));
    let asked = authority.script().asked.len();
    until("it asks on", || authority.script().asked.len() > asked + 2).await;
    assert_eq!(authority.world.call(&token).unwrap_err(), Challenge::CannotDecide);
    authority.world.clock.set(ISSUED.plus(100));
    until("no live token is concerned any more", || authority.world.call(&token).is_ok()).await;
}

#[tokio::test]
async fn br_11_an_entry_of_a_kind_that_is_not_known_is_not_skipped() {
    let authority = Scripted::start(|_| ()).await;
    let entry = json!({ "number": 1, "kind": "planet", "id": "3", "not_before": 0, "until": 9_999_999_999_i64 });
    let news = json!({
        "cursor": "epoch:1", "snapshot": true, "complete": true, "synced_at": ISSUED.0, "time": ISSUED.0, "keys": "first",
        "revocations": [entry],
    });
    authority.answers(StatusCode::OK, &[], &news.to_string());
    let following = authority.follow();
    until("it tried twice", || following.status.failures() > 1).await;
    assert!(!authority.world.gate.is_ready());
}

#[tokio::test]
async fn br_11_an_authority_that_is_cut_off_during_load_closes_the_gate_until_it_is_back() {
    let authority = Arc::new(Scripted::start(|_| ()).await);
    let _following = authority.ready().await;
    let (token, stop) = (authority.world.token(&claims()), Arc::new(AtomicBool::new(false)));
    let callers: Vec<_> = (0..4)
        .map(|_| {
            let (authority, token, stop) = (authority.clone(), token.clone(), stop.clone());
            std::thread::spawn(move || {
                let mut answers = [0_u64; 2];
                while !stop.load(Ordering::SeqCst) {
                    // Read before the call: the set may become staler meanwhile, never fresher, while the authority is cut off.
                    let stale = authority.world.gate.seconds_without_news().is_some_and(|seconds| seconds > 30);
                    match authority.world.call(&token) {
                        Ok(_) => {
                            assert!(!stale || authority.world.gate.is_ready(), "passed without news");
                            answers[0] += 1;
                        }
                        Err(challenge) => {
                            assert_eq!(challenge, Challenge::CannotDecide);
                            answers[1] += 1;
                        }
                    }
                }
                answers
            })
        })
        .collect();
    authority.answers(StatusCode::BAD_GATEWAY, &[], "");
    let failed = _following.status.failures();
    until("it fails", || _following.status.failures() > failed).await;
    for second in [10, 20, 30] {
        authority.world.clock.set(ISSUED.plus(second));
        assert!(authority.world.call(&token).is_ok(), "{second}");
    }
    authority.world.clock.set(ISSUED.plus(31));
    for _ in 0..100 {
        assert_eq!(authority.world.call(&token).unwrap_err(), Challenge::CannotDecide);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    authority.answers_properly();
    until("the gate is back", || authority.world.call(&token).is_ok()).await;
    stop.store(true, Ordering::SeqCst);
    for caller in callers {
        let [passed, refused] = caller.join().unwrap();
        assert!(passed > 0 && refused > 0, "{passed} {refused}");
    }
}

#[tokio::test]
async fn br_11_an_open_gate_goes_on_without_news_but_not_without_a_first_sync() {
    let authority = Scripted::start(|config| config.without_news = WithoutNews::KeepServing).await;
    let token = authority.world.token(&claims());
    authority.answers(StatusCode::BAD_GATEWAY, &[], "");
    let following = authority.follow();
    until("it tried twice", || following.status.failures() > 1).await;
    assert_eq!(authority.world.call(&token).unwrap_err(), Challenge::CannotDecide);
    authority.answers_properly();
    until("the gate is ready", || authority.world.gate.is_ready()).await;
    authority.answers(StatusCode::BAD_GATEWAY, &[], "");
    authority.world.clock.set(ISSUED.plus(HOUR - 1));
    assert!(authority.world.call(&token).is_ok());
}

#[tokio::test]
async fn km_02_keys_rotate_under_a_running_gate() {
    let authority = Scripted::start(|_| ()).await;
    let _following = authority.ready().await;
    let world = &authority.world;
    let next = SigningKey::ed25519(9);
    let (of_old, of_next) = (world.token(&claims()), sign(&next, &with(header(), "kid", json!("next")), &claims()));
    assert_eq!(world.call(&of_next).unwrap_err(), invalid(InvalidReason::UnknownKey));
    let publish = |keys: JwkSet, name: &str| {
        let mut script = authority.script();
        (script.keys, script.keys_name) = (keys, name.to_owned());
    };
    publish(JwkSet { keys: vec![world.ed.jwk("ed"), next.jwk("next")] }, "both");
    until("the next key is known", || world.call(&of_next).is_ok()).await;
    assert!(world.call(&of_old).is_ok(), "both verify");
    publish(JwkSet { keys: vec![next.jwk("next")] }, "next");
    until("the old key is gone", || world.call(&of_old) == Err(invalid(InvalidReason::UnknownKey))).await;
    assert!(world.call(&of_next).is_ok());
}

#[tokio::test]
async fn km_02_keys_are_fetched_again_when_they_changed_and_each_five_minutes_and_not_otherwise() {
    let authority = Scripted::start(|_| ()).await;
    let _following = authority.ready().await;
    let asked_on = async |looks: usize| {
        let asked = authority.script().asked.len();
        until("it asks on", || authority.script().asked.len() > asked + looks).await;
    };
    asked_on(3).await;
    assert_eq!(authority.script().keys_asked, 1);
    // The second look after a change: another node may have answered the first.
    authority.world.clock.set(ISSUED.plus(5));
    until("the second look", || authority.script().keys_asked == 2).await;
    authority.world.clock.set(ISSUED.plus(304));
    asked_on(3).await;
    assert_eq!(authority.script().keys_asked, 2);
    authority.world.clock.set(ISSUED.plus(305));
    until("five minutes later", || authority.script().keys_asked == 3).await;
    asked_on(3).await;
    assert_eq!(authority.script().keys_asked, 3);
}

#[tokio::test]
async fn km_02_keys_that_are_known_to_have_changed_and_cannot_be_had_leave_the_gate_unsynced() {
    let authority = Scripted::start(|_| ()).await;
    let _following = authority.ready().await;
    {
        let mut script = authority.script();
        (script.keys, script.keys_name) = (JwkSet::default(), "none".into());
    }
    until("the empty set was fetched", || authority.script().keys_asked > 1).await;
    authority.world.clock.set(ISSUED.plus(31));
    let asked = authority.script().asked.len();
    until("it asks on", || authority.script().asked.len() > asked + 1).await;
    let token = authority.world.token(&claims());
    assert_eq!(authority.world.call(&token).unwrap_err(), Challenge::CannotDecide);
}

#[tokio::test]
async fn the_gate_authenticates_with_basic_form_encoded() {
    let authority = Scripted::start(|_| ()).await;
    let _following = authority.ready().await;
    let authorization = authority.script().asked[0].1.clone();
    let presented = basic::parse(authorization.as_bytes()).expect("well-formed");
    assert_eq!(presented.id, NAME);
    assert_eq!(presented.secret.decoded.expect("it was encoded").expose(), SECRET);
}

#[tokio::test]
async fn a_refused_secret_is_tried_again_slowly() {
    let authority = Scripted::start(|_| ()).await;
    authority.answers(StatusCode::UNAUTHORIZED, &[], r#"{"error":"invalid_client"}"#);
    let following = authority.follow();
    until("it was refused", || following.status.failures() == 1).await;
    tokio::time::sleep(Duration::from_millis(1200)).await;
    assert_eq!(authority.script().asked.len(), 1, "other failures are tried again after 100 ms");
    assert!(!authority.world.gate.is_ready());
}

#[tokio::test]
async fn retry_after_is_heeded() {
    let authority = Scripted::start(|_| ()).await;
    authority.answers(StatusCode::SERVICE_UNAVAILABLE, &[(names::RETRY_AFTER, "1")], "");
    let following = authority.follow();
    until("it was sent away", || following.status.failures() == 1).await;
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(authority.script().asked.len(), 1);
    authority.answers_properly();
    until("the gate is ready", || authority.world.gate.is_ready()).await;
}

#[tokio::test]
async fn a_cursor_that_the_authority_does_not_take_is_given_up() {
    let authority = Scripted::start(|_| ()).await;
    authority.revoke(RevokedKind::User, "100");
    let following = authority.ready().await;
    authority.answers(StatusCode::BAD_REQUEST, &[], r#"{"error":"invalid_request"}"#);
    until("it was refused", || following.status.failures() > 0).await;
    authority.answers_properly();
    let asked = authority.script().asked.len();
    until("it asks on", || authority.script().asked.len() > asked).await;
    assert!(authority.script().asked[1..].iter().any(|(after, _)| after.is_none()), "from the beginning");
    assert_eq!(authority.world.gate.revocations().len(), 1);
}

#[tokio::test]
async fn answers_that_are_none_are_failures() {
    let elsewhere = Scripted::start(|_| ()).await;
    let location = format!("{}/oauth/revocations?wait=1", elsewhere.base);
    for (status, headers, body) in [
        (StatusCode::FOUND, vec![(names::LOCATION, location.as_str())], String::new()),
        (StatusCode::OK, vec![], "<html>".to_owned()),
        (StatusCode::OK, vec![], " ".repeat(1024 * 1024 + 1)),
        (StatusCode::NOT_FOUND, vec![], String::new()),
        (StatusCode::NO_CONTENT, vec![], String::new()),
    ] {
        let authority = Scripted::start(|_| ()).await;
        authority.answers(status, &headers, &body);
        let following = authority.follow();
        until("it failed", || following.status.failures() > 0).await;
        assert!(!authority.world.gate.is_ready(), "{status}");
    }
    assert!(elsewhere.script().asked.is_empty(), "the secret followed a redirect");
}

#[test]
fn se_03_the_secret_travels_in_clear_on_loopback_only() {
    let world = crate::issuer::World::new();
    let config =
        |authority: &str| FollowConfig { authority: authority.into(), name: "api".into(), secret: Secret::from("s") };
    let refused = |authority| Follower::new(world.gate.clone(), &config(authority), world.clock.clone()).err();
    for unsafe_url in [
        "http://auth.example.com",
        "http://localhost.example.com",
        "ftp://127.0.0.1",
        "auth.example.com",
        "https://user:password@auth.example.com",
        "https://auth.example.com?x=1",
        "https://auth.example.com#x",
        "",
    ] {
        let told = refused(unsafe_url).unwrap_or_else(|| panic!("{unsafe_url}")).to_string();
        assert!(!told.contains("password"), "{told}");
    }
    for safe in ["http://127.0.0.1:8080", "http://[::1]:8080", "http://localhost:8080"] {
        assert!(refused(safe).is_none(), "{safe}");
    }
}
