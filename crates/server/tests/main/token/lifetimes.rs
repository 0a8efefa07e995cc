//! Codes and clocks: RD-08, OP-01.

use super::table_t::Column;
use super::table_t_grants::{T_13, grant_of};
use super::{DAY, HOUR, assert_refused, code, connect, connected, exchange_fields, identity};
use keyfob_authority::model::{EndReason, Grant};
use keyfob_protocol::token_name::{GrantId, TokenKind};
use keyfob_testkit::{Browser, START, TestServer};
use std::collections::HashSet;

#[tokio::test]
async fn rd_08_a_hundred_thousand_codes_are_distinct_and_short() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let code = code(&server, &app).await;
    let held = server.store().held_grant(grant_of(TokenKind::Code, &code)).await.expect("no fault").expect("a grant");
    let keys = server.authority().keys();
    let spell = |grant: &Grant| keys.grant_key(grant).expect("its root key").code().expose().clone();
    assert_eq!(spell(&held.grant), code, "codes are made like this");
    let mut codes = HashSet::new();
    let mut tags = HashSet::new();
    for n in 0..100_000_u32 {
        let mut random = [0; 11];
        random[..4].copy_from_slice(&n.to_be_bytes());
        // One salt for all: even a generator that repeats itself must not make two codes alike.
        let code = spell(&Grant { id: GrantId::new(START, random), ..held.grant.clone() });
        assert!(code.len() <= 200 && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'), "{code}");
        tags.insert(code[code.len() - 40..].to_owned());
        codes.insert(code);
    }
    assert_eq!((codes.len(), tags.len()), (100_000, 100_000), "names and tags alike");
}

#[tokio::test]
async fn rd_08_a_code_moved_to_another_user_app_or_salt_is_another_code() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let code = code(&server, &app).await;
    let held = server.store().held_grant(grant_of(TokenKind::Code, &code)).await.expect("no fault").expect("a grant");
    let grant = held.grant;
    let keys = server.authority().keys();
    let mut moved = vec![grant.clone(), grant.clone(), grant.clone()];
    moved[0].user.0 += 1;
    moved[1].app.0 += 1;
    moved[2].salt[0] ^= 1;
    for moved in &moved {
        assert_ne!(keys.grant_key(moved).expect("its root key").code().expose(), &code);
    }
}

#[tokio::test]
async fn rd_08_a_flipped_character_anywhere_is_t_13_without_store_access() {
    let case = Column::Rfc.case().await;
    let code = code(&case.server, &case.app).await;
    let reads = case.store.calls("held_grant");
    for at in 0..code.len() {
        let old = code.as_bytes()[at];
        let others = if old.is_ascii_lowercase() { [b'A', b'0'] } else { [b'a', b'z'] };
        for other in others.into_iter().chain([old ^ 1]).filter(|other| *other != old) {
            let mut flipped = code.clone().into_bytes();
            flipped[at] = other;
            let flipped = String::from_utf8(flipped).expect("ASCII");
            case.check(&T_13, &case.exchange(&case.app, &flipped).await);
        }
    }
    for truncated in
        [&code[1..], &code[..code.len() - 1], &format!("{code}a"), &code.to_uppercase(), &format!(" {code}")]
    {
        case.check(&T_13, &case.exchange(&case.app, truncated).await);
    }
    assert_eq!(case.store.calls("held_grant"), reads, "garbage is refused before any I/O");
    assert_eq!(case.store.calls("record"), 0);
    assert_eq!(case.exchange(&case.app, &code).await.status(), 200);
}

#[tokio::test]
async fn rd_08_a_code_lives_to_1459_and_is_dead_at_1500() {
    for (age, status) in [(0, 200), (14 * 60 + 59, 200), (15 * 60, 400), (20 * HOUR, 400)] {
        let server = TestServer::start().await;
        let app = server.confidential_app("Listing Lantern").await;
        let code = code(&server, &app).await;
        server.clock.advance(age);
        let answer = app.exchange(&server, &code).await;
        assert_eq!(answer.status(), status, "{age} s: {}", answer.text());
    }
}

#[tokio::test]
async fn op_01_everything_is_valid_while_now_is_before_issue_plus_lifetime() {
    for (seconds_early, alive) in [(1, true), (0, false)] {
        let server = TestServer::start().await;
        let app = server.confidential_app("Listing Lantern").await;
        let status = if alive { 200 } else { 400 };

        let code = code(&server, &app).await;
        server.clock.advance(15 * 60 - seconds_early);
        assert_eq!(app.exchange(&server, &code).await.status(), status, "code");

        let tokens = connect(&server, &app).await;
        server.clock.advance(HOUR - seconds_early);
        assert_eq!(identity(&server, &tokens.access_token).await == 200, alive, "access token");

        let tokens = connect(&server, &app).await;
        server.clock.advance(90 * DAY - seconds_early);
        assert_eq!(app.refresh(&server, &tokens.refresh_token).await.status(), status, "refresh token");

        let mut browser = Browser::new(&server);
        let consent = browser.consent(&app.authorize_url()).await;
        server.clock.advance(15 * 60 - seconds_early);
        let decided = browser.decide(&consent, "approve").await;
        assert_eq!(decided.status() == 303, alive, "interaction: {}", decided.text());
    }
}

#[tokio::test]
async fn op_01_answers_are_in_utc() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    server.clock.set(keyfob_protocol::Timestamp(1_798_761_599));
    let answer = app.exchange_by_get(&server, &code(&server, &app).await).await;
    assert_eq!(answer.at("data.issued_at"), "2026-12-31T23:59:59Z");
    assert_eq!(answer.at("data.expires_at"), "2027-01-01T00:59:59Z");
}

#[tokio::test]
async fn op_01_a_clock_that_steps_back_revives_nothing_that_was_spent() {
    for back in [1, 60, HOUR, 400 * DAY] {
        let server = TestServer::start().await;
        let fixed = server.confidential_app("Fixed").await;
        let rotating = server.rotating_app("Rotating").await;
        server.clock.advance(600);

        let used = code(&server, &fixed).await;
        let live = connected(&fixed.exchange(&server, &used).await);
        let burnt = super::pkce_code(&server, &fixed).await;
        assert_refused(&fixed.exchange(&server, &burnt).await, "invalid_grant");
        let revoked = connect(&server, &fixed).await;
        let grant = grant_of(TokenKind::Refresh, &revoked.refresh_token);
        let now = server.doorway.now();
        server.authority().end_grant(grant, EndReason::RevokedByUser, now).await.expect("no fault");
        let oldest = connect(&server, &rotating).await;
        let parent = connected(&rotating.refresh(&server, &oldest.refresh_token).await);
        let current = connected(&rotating.refresh(&server, &parent.refresh_token).await);

        server.clock.advance(-back);
        assert_refused(&fixed.exchange(&server, &burnt).await, "invalid_grant");
        let right = exchange_fields(&fixed, &burnt, &[("code_verifier", super::VERIFIER)]);
        assert_refused(&fixed.post(&server, &right).await, "invalid_grant");
        assert_refused(&fixed.refresh(&server, &revoked.refresh_token).await, "invalid_grant");
        assert_eq!(identity(&server, &revoked.access_token).await, 401, "{back} s back");
        assert_refused(&rotating.refresh(&server, &oldest.refresh_token).await, "invalid_grant");
        let again = connected(&rotating.refresh(&server, &parent.refresh_token).await);
        assert_eq!(again.refresh_token, current.refresh_token, "the successor stays the successor");
        assert_refused(&fixed.exchange(&server, &used).await, "invalid_grant");
        assert_eq!(fixed.refresh(&server, &live.refresh_token).await.status(), 200, "and nothing good was lost");
        assert_eq!(server.doorway.metrics.store_behind.get(), 0);
    }
}
