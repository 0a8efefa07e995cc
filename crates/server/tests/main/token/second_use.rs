//! A code that comes twice: TK-08 and decision D16.

use super::{STATE, VERIFIER, assert_refused, code, connected, exchange_fields, identity, pkce_code, standard_code};
use keyfob_authority::model::{AppPolicy, CodeReuse};
use keyfob_testkit::{TestApp, TestServer};

/// What the second use did.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Lives,
    Ended,
}

/// Redeems with the first fields and, so many seconds later, comes back with the second; T-13 either way.
async fn twice(
    server: &TestServer,
    app: &TestApp,
    code: &str,
    first: &[(&str, &str)],
    later: i64,
    second: &[(&str, &str)],
) -> Outcome {
    let tokens = connected(&app.post(server, &exchange_fields(app, code, first)).await);
    server.clock.advance(later);
    assert_refused(&app.post(server, &exchange_fields(app, code, second)).await, "invalid_grant");
    let refreshed = app.refresh(server, &tokens.refresh_token).await;
    let call = identity(server, &tokens.access_token).await;
    match (refreshed.status(), call) {
        (200, 200) => Outcome::Lives,
        (400, 401) => {
            assert_refused(&refreshed, "invalid_grant");
            Outcome::Ended
        }
        other => panic!("half ended: {other:?}"),
    }
}

async fn start() -> (TestServer, TestApp) {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    (server, app)
}

#[tokio::test]
async fn tk_08_the_same_bound_request_again_ends_nothing() {
    let state = [("state", STATE)];
    for later in [0, 14 * 60] {
        let (server, app) = start().await;
        let code = code(&server, &app).await;
        assert_eq!(twice(&server, &app, &code, &state, later, &state).await, Outcome::Lives, "{later} s");
    }
    let (server, app) = start().await;
    let code = pkce_code(&server, &app).await;
    let verifier = [("code_verifier", VERIFIER)];
    assert_eq!(twice(&server, &app, &code, &verifier, 60, &verifier).await, Outcome::Lives);
}

#[tokio::test]
async fn tk_08_another_state_without_pkce_ends_the_grant() {
    let (server, app) = start().await;
    let code = code(&server, &app).await;
    assert_eq!(twice(&server, &app, &code, &[("state", STATE)], 1, &[("state", "injected")]).await, Outcome::Ended);
}

#[tokio::test]
async fn tk_08_an_unbound_request_again_ends_the_grant() {
    let (server, app) = start().await;
    let code = standard_code(&server, &app, &[]).await;
    assert_eq!(twice(&server, &app, &code, &[], 1, &[]).await, Outcome::Ended);
    // A constant state binds nothing.
    let code = super::code(&server, &app).await;
    let dummy = [("state", "dummy")];
    assert_eq!(twice(&server, &app, &code, &dummy, 1, &dummy).await, Outcome::Ended);
}

#[tokio::test]
async fn tk_08_after_a_pkce_redemption_a_request_without_the_proof_ends_nothing() {
    for wrong in [&[("code_verifier", "w".repeat(43))][..], &[], &[("state", "injected".to_owned())]] {
        let (server, app) = start().await;
        let code = pkce_code(&server, &app).await;
        let wrong: Vec<_> = wrong.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(twice(&server, &app, &code, &[("code_verifier", VERIFIER)], 1, &wrong).await, Outcome::Lives);
    }
    // The right verifier in another request is somebody who stole it.
    let (server, app) = start().await;
    let code = pkce_code(&server, &app).await;
    let stolen = [("code_verifier", VERIFIER), ("state", "other")];
    assert_eq!(twice(&server, &app, &code, &[("code_verifier", VERIFIER)], 1, &stolen).await, Outcome::Ended);
}

#[tokio::test]
async fn tk_08_after_the_code_s_lifetime_a_replay_ends_nothing() {
    for (later, outcome) in [(15 * 60 - 1, Outcome::Ended), (15 * 60, Outcome::Lives), (50 * 60, Outcome::Lives)] {
        let (server, app) = start().await;
        let code = code(&server, &app).await;
        let injected = [("state", "injected")];
        assert_eq!(twice(&server, &app, &code, &[("state", STATE)], later, &injected).await, outcome, "{later} s");
    }
}

#[tokio::test]
async fn tk_08_attempts_of_others_change_nothing() {
    let (server, app) = start().await;
    let other = server.confidential_app("Other").await;
    let code = code(&server, &app).await;
    let tokens = connected(&app.exchange(&server, &code).await);
    assert_refused(&other.exchange(&server, &code).await, "invalid_grant");
    let wrong = TestApp { secret: Some("keyfobsecretwrong".into()), ..app.clone() };
    assert_eq!(wrong.exchange(&server, &code).await.status(), 401);
    assert_eq!(identity(&server, &tokens.access_token).await, 200);
    assert_eq!(app.refresh(&server, &tokens.refresh_token).await.status(), 200);
}

#[tokio::test]
async fn tk_08_the_strict_policy_ends_the_grant_at_any_second_use() {
    let server = TestServer::start().await;
    let app = server.app("Strict", AppPolicy { code_reuse: CodeReuse::Strict, ..AppPolicy::default() }).await;
    let code = code(&server, &app).await;
    let state = [("state", STATE)];
    assert_eq!(twice(&server, &app, &code, &state, 0, &state).await, Outcome::Ended);
}

#[tokio::test]
async fn tk_08_the_end_reaches_tokens_from_later_refreshes_and_no_other_grant() {
    let server = TestServer::start().await;
    let app = server.rotating_app("Rotating").await;
    let earlier = super::connect(&server, &app).await;
    let code = code(&server, &app).await;
    let first = connected(&app.exchange(&server, &code).await);
    let second = connected(&app.refresh(&server, &first.refresh_token).await);
    assert_refused(&app.post(&server, &exchange_fields(&app, &code, &[("state", "injected")])).await, "invalid_grant");
    for token in [&first.access_token, &second.access_token] {
        assert_eq!(identity(&server, token).await, 401);
    }
    assert_refused(&app.refresh(&server, &second.refresh_token).await, "invalid_grant");
    assert_eq!(identity(&server, &earlier.access_token).await, 200);
    assert_eq!(app.refresh(&server, &earlier.refresh_token).await.status(), 200);
}
