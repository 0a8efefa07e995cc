//! What a refused caller reads, byte for byte.

use crate::issuer::{HOUR, ISSUED, World, authorization, claims, with};
use http::{HeaderMap, Response};
use keyfob_gate::{Challenge, WithoutNews};
use keyfob_protocol::Timestamp;
use keyfob_protocol::jwt::JwtProblem;
use keyfob_protocol::scope::Scope;
use serde_json::json;

/// Status, every header and the body, as text.
fn wire(challenge: &Challenge) -> String {
    let response: Response<String> = challenge.response(None);
    let mut text = format!("{}\n", response.status().as_u16());
    for (name, value) in response.headers() {
        text.push_str(&format!("{name}: {}\n", value.to_str().unwrap()));
    }
    text + response.body()
}

#[test]
fn br_02_the_bare_challenge_has_no_error_code() {
    let answer = World::new().gate.check(&HeaderMap::new()).unwrap_err();
    assert_eq!(
        wire(&answer),
        "401\ncontent-type: application/json\nwww-authenticate: Bearer realm=\"api\"\n\
         {\"errorMessage\":\"Send an access token: Authorization: Bearer <token>.\"}"
    );
}

#[test]
fn br_03_unknown_malformed_and_revoked_tokens_read_alike_and_an_expired_one_differs_in_the_code() {
    let world = World::new();
    let (revoked, old) = (world.token(&claims()), world.token(&with(claims(), "exp", json!(ISSUED.0))));
    world.revoke(keyfob_protocol::revocation::RevokedKind::Token, "token-one", ISSUED);
    let unknown = world.token(&with(claims(), "iss", json!("https://evil.example.com")));
    let invalid = "401\ncontent-type: application/json\n\
                   www-authenticate: Bearer realm=\"api\", error=\"invalid_token\"\n\
                   {\"errorMessage\":\"The access token is not valid. Use the refresh token to get a new one; if that is refused, the user has to connect again.\",\"errorCode\":\"invalid-access-token\"}";
    for token in [unknown.as_str(), "garbage", "not token68 \"", &revoked] {
        assert_eq!(wire(&world.call(token).unwrap_err()), invalid, "{token}");
    }
    assert_eq!(
        wire(&world.call(&old).unwrap_err()),
        "401\ncontent-type: application/json\nwww-authenticate: Bearer realm=\"api\", error=\"invalid_token\"\n\
         {\"errorMessage\":\"The access token has expired. Use the refresh token to get a new one.\",\
         \"errorCode\":\"expired-access-token\"}"
    );
}

#[test]
fn br_03_expired_is_said_only_of_a_once_valid_token() {
    let world = World::new();
    let stranger = crate::issuer::SigningKey::ed25519(9);
    let old = with(claims(), "exp", json!(ISSUED.0));
    let forged = crate::issuer::sign(&stranger, &crate::issuer::header(), &old);
    assert_eq!(world.call(&forged).unwrap_err(), crate::issuer::invalid(JwtProblem::WrongSignature));
    assert_eq!(world.call(&world.token(&old)).unwrap_err(), Challenge::ExpiredToken);
}

#[test]
fn d9_with_fub_status_an_invalid_token_is_400_and_an_expired_one_stays_401() {
    let world = World::with_config(|config| config.fub_status = true);
    let invalid = world.call("garbage").unwrap_err();
    assert_eq!(
        wire(&invalid),
        "400\ncontent-type: application/json\nwww-authenticate: Bearer realm=\"api\", error=\"invalid_token\"\n\
         {\"errorMessage\":\"The access token is not valid. Use the refresh token to get a new one; if that is refused, the user has to connect again.\",\"errorCode\":\"invalid-access-token\"}"
    );
    let expired = world.call(&world.token(&with(claims(), "exp", json!(ISSUED.0)))).unwrap_err();
    assert_eq!((expired.status().as_u16(), expired.error_code()), (401, Some("expired-access-token")));
    assert_eq!(world.gate.check(&HeaderMap::new()).unwrap_err().status(), 401);
}

#[test]
fn br_04_several_credentials_are_an_invalid_request() {
    let answer = World::new().gate.check(&authorization(&["Bearer a", "Bearer b"])).unwrap_err();
    assert_eq!(
        wire(&answer),
        "400\ncontent-type: application/json\nwww-authenticate: Bearer realm=\"api\", error=\"invalid_request\"\n\
         {\"errorMessage\":\"Send exactly one access token, in one Authorization header.\",\
         \"errorCode\":\"invalid-authorization-header\"}"
    );
}

#[test]
fn br_06_a_scope_that_does_not_reach_is_403_and_names_what_is_needed() {
    let world = World::new();
    let caller = world.call(&world.token(&with(claims(), "scope", json!("notes people")))).unwrap();
    let scope = |text| Scope::parse(text).unwrap();
    for covered in ["", "people", "people notes"] {
        assert_eq!(caller.permits(&scope(covered)), Ok(()), "{covered}");
    }
    assert_eq!(
        wire(&caller.permits(&scope("people events")).unwrap_err()),
        "403\ncontent-type: application/json\n\
         www-authenticate: Bearer realm=\"api\", error=\"insufficient_scope\", scope=\"events people\"\n\
         {\"errorMessage\":\"The access token does not permit this.\",\"errorCode\":\"resource-restricted\"}"
    );
    let nothing = world.call(&world.token(&with(claims(), "scope", json!("")))).unwrap();
    assert!(nothing.permits(&scope("people")).is_err());
    let whole_role = world.call(&world.token(&claims())).unwrap();
    assert_eq!(whole_role.permits(&scope("people events")), Ok(()));
    let role = Challenge::InsufficientScope { required: Scope::empty() };
    assert_eq!(role.www_authenticate(None).unwrap(), "Bearer realm=\"api\", error=\"insufficient_scope\"");
}

const CANNOT_DECIDE: &str = "503\ncontent-type: application/json\nretry-after: 1\n\
    {\"errorMessage\":\"Access tokens cannot be checked at the moment. Try again shortly.\"}";

#[test]
fn br_11_a_gate_without_keys_or_before_its_first_sync_cannot_decide() {
    let world = World::unfed(|_| ());
    let token = world.token(&claims());
    assert_eq!(wire(&world.call(&token).unwrap_err()), CANNOT_DECIDE);
    world.gate.revocations().mark_synced(ISSUED);
    assert_eq!(world.call(&token).unwrap_err(), Challenge::CannotDecide, "no keys");
    world.gate.set_keys(&world.key_set()).unwrap();
    assert!(world.call(&token).is_ok());

    let unsynced = World::unfed(|_| ());
    unsynced.gate.set_keys(&unsynced.key_set()).unwrap();
    assert!(!unsynced.gate.revocations().first_sync_done());
    assert_eq!(unsynced.call(&token).unwrap_err(), Challenge::CannotDecide, "no sync");
    assert_eq!(unsynced.gate.holder_of(&token).unwrap_err(), Challenge::CannotDecide);
    assert_eq!(unsynced.gate.check(&HeaderMap::new()).unwrap_err(), Challenge::NoCredentials);
}

#[test]
fn br_11_a_gate_without_news_refuses_or_keeps_serving_as_configured() {
    let closed = World::with_config(|config| config.without_news = WithoutNews::RefuseAfter(30));
    let token = closed.token(&claims());
    closed.clock.set(ISSUED.plus(30));
    assert!(closed.call(&token).is_ok());
    closed.clock.set(ISSUED.plus(31));
    assert_eq!(closed.call(&token).unwrap_err(), Challenge::CannotDecide, "though the token is known");
    closed.gate.revocations().mark_synced(ISSUED.plus(31));
    assert!(closed.call(&token).is_ok());
    closed.gate.revocations().mark_synced(ISSUED);
    assert_eq!(closed.gate.revocations().synced_at(), Some(Timestamp(ISSUED.0 + 31)), "never moves back");

    let open = World::new();
    open.clock.set(ISSUED.plus(HOUR - 1));
    assert!(open.call(&token).is_ok());
}
