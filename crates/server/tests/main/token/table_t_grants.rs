//! Table T, rows T-13 to T-20, in its three columns. T-21 is in `faults`.

use super::table_t::{Case, Column, Row, in_every_column};
use super::{CHALLENGE, DAY, STATE, code, connect, exchange_fields, pkce_code};
use keyfob_authority::model::{AppPolicy, EndReason, StateAtToken};
use keyfob_protocol::scope::Scope;
use keyfob_protocol::token_name::{GrantId, PresentedToken, TokenKind, TokenName};
use keyfob_testkit::{Answer, START, TestApp};
use std::sync::atomic::Ordering;

pub(super) const T_13: Row = Row::new((400, "invalid_grant"), (400, "invalid-auth-code"));
const T_14: Row =
    Row { fub_status: (401, "invalid_grant"), ..Row::new((400, "invalid_grant"), (401, "expired-auth-code")) };
const T_15: Row = Row::new((400, "invalid_grant"), (400, "invalid-redirect-uri"));
const T_15A: Row = Row::new((400, "invalid_grant"), (400, "code-exchange-failed"));
const T_16: Row = Row::new((400, "invalid_grant"), (400, "code-exchange-failed"));
pub(super) const T_17: Row = Row::new((400, "invalid_grant"), (400, "invalid-refresh-token"));
const T_18: Row =
    Row { fub_status: (401, "invalid_grant"), ..Row::new((400, "invalid_grant"), (401, "expired-refresh-token")) };
const T_20: Row = Row::new((400, "invalid_scope"), (400, "code-exchange-failed"));
const T_20_TARGET: Row = Row::new((400, "invalid_target"), (400, "code-exchange-failed"));

/// The grant that a token names.
pub(super) fn grant_of(kind: TokenKind, token: &str) -> GrantId {
    PresentedToken::parse(kind, token).expect("one of ours").claimed_name().grant
}

#[tokio::test]
async fn t_13_a_used_code_is_refused() {
    in_every_column(T_13, async |case| {
        let code = code(&case.server, &case.app).await;
        assert_eq!(case.exchange(&case.app, &code).await.status(), 200);
        case.exchange(&case.app, &code).await
    })
    .await;
}

#[tokio::test]
async fn t_13_a_code_of_another_client_is_refused_and_stays_usable() {
    in_every_column(T_13, async |case| {
        let other = case.server.confidential_app("Other").await;
        let code = code(&case.server, &case.app).await;
        let answer = case.exchange(&other, &code).await;
        assert_eq!(case.exchange(&case.app, &code).await.status(), 200);
        answer
    })
    .await;
}

#[tokio::test]
async fn t_13_a_revoked_code_is_refused() {
    in_every_column(T_13, async |case| {
        let code = code(&case.server, &case.app).await;
        let grant = grant_of(TokenKind::Code, &code);
        let authority = case.server.authority();
        authority.end_grant(grant, EndReason::RevokedByUser, case.server.doorway.now()).await.expect("no fault");
        case.exchange(&case.app, &code).await
    })
    .await;
}

#[tokio::test]
async fn t_13_an_unknown_code_is_refused() {
    for column in Column::ALL {
        let case = column.case().await;
        let real = grant_of(TokenKind::Code, &code(&case.server, &case.app).await);
        let forge = |root_key, grant| {
            TokenName { kind: TokenKind::Code, root_key, grant, generation: 0, branch: 0 }.spell(&[0; 32])
        };
        let never = GrantId::new(START, [9; 11]);
        for code in ["x".to_owned(), "a".repeat(4096), forge(1, never), forge(1, real), forge(99, real)] {
            case.check(&T_13, &case.exchange(&case.app, &code).await);
        }
    }
}

#[tokio::test]
async fn t_14_an_expired_code_is_refused() {
    in_every_column(T_14, async |case| {
        let code = code(&case.server, &case.app).await;
        case.server.clock.advance(15 * 60);
        case.exchange(&case.app, &code).await
    })
    .await;
}

#[tokio::test]
async fn t_15_another_redirect_uri_is_refused() {
    in_every_column(T_15, async |case| {
        let code = code(&case.server, &case.app).await;
        let fields = [
            ("grant_type", "auth_code"),
            ("code", &code),
            ("redirect_uri", "https://app.example.com/callback/"),
            ("state", STATE),
        ];
        case.ask(&case.app, &fields).await
    })
    .await;
}

#[tokio::test]
async fn t_15a_another_state_is_refused_where_the_policy_compares() {
    in_every_column(T_15A, async |case| {
        let policy = AppPolicy { state_at_token: StateAtToken::Match, ..AppPolicy::default() };
        let app = case.server.app("Compares state", policy).await;
        let code = code(&case.server, &app).await;
        let answer = case.ask(&app, &exchange_fields(&app, &code, &[("state", "dummy")])).await;
        assert_eq!(case.exchange(&app, &code).await.status(), 200, "T-15a burns nothing");
        answer
    })
    .await;
}

#[tokio::test]
async fn t_16_a_failed_pkce_proof_is_refused() {
    for verifier in [None, Some("short"), Some(CHALLENGE)] {
        in_every_column(T_16, async |case| {
            let code = pkce_code(&case.server, &case.app).await;
            let more: Vec<_> = verifier.map(|verifier| ("code_verifier", verifier)).into_iter().collect();
            case.ask(&case.app, &exchange_fields(&case.app, &code, &more)).await
        })
        .await;
    }
    in_every_column(T_16, async |case| {
        let code = code(&case.server, &case.app).await;
        case.ask(&case.app, &exchange_fields(&case.app, &code, &[("code_verifier", super::VERIFIER)])).await
    })
    .await;
}

#[tokio::test]
async fn t_17_a_refresh_token_that_is_not_good_is_refused() {
    for column in Column::ALL {
        let case = column.case().await;
        let refresh_token = connect(&case.server, &case.app).await.refresh_token;
        let grant = grant_of(TokenKind::Refresh, &refresh_token);
        let forged =
            TokenName { kind: TokenKind::Refresh, root_key: 1, grant, generation: 1, branch: 0 }.spell(&[7; 32]);
        case.check(&T_17, &case.refresh(&case.app, "x").await);
        case.check(&T_17, &case.refresh(&case.app, &forged).await);
        let other = case.server.confidential_app("Other").await;
        case.check(&T_17, &case.refresh(&other, &refresh_token).await);
        assert_eq!(case.refresh(&case.app, &refresh_token).await.status(), 200, "attempts of others change nothing");
        let now = case.server.doorway.now();
        case.server.authority().end_grant(grant, EndReason::RevokedByUser, now).await.expect("no fault");
        case.check(&T_17, &case.refresh(&case.app, &refresh_token).await);
    }
}

#[tokio::test]
async fn t_18_a_refresh_token_unused_for_90_days_is_refused() {
    in_every_column(T_18, async |case| {
        let refresh_token = connect(&case.server, &case.app).await.refresh_token;
        case.server.clock.advance(90 * DAY);
        case.refresh(&case.app, &refresh_token).await
    })
    .await;
}

/// Redeems a code and refreshes, after something happened to the user or account, and checks both.
async fn check_holder(legacy: &'static str, happens: impl AsyncFn(&Case)) {
    let row = || Row { fub_status: (404, "invalid_grant"), ..Row::new((400, "invalid_grant"), (404, legacy)) };
    for column in Column::ALL {
        let case = column.case().await;
        let refresh_token = connect(&case.server, &case.app).await.refresh_token;
        let code = code(&case.server, &case.app).await;
        happens(&case).await;
        case.check(&row(), &case.exchange(&case.app, &code).await);
        case.check(&row(), &case.refresh(&case.app, &refresh_token).await);
    }
}

#[tokio::test]
async fn t_19_a_deleted_user_is_not_found() {
    check_holder("user-not-found", async |case| {
        let (user, now) = (case.server.owner.user.id, case.server.doorway.now());
        let _ = case.server.authority().remove_user(user, now).await.expect("no fault");
    })
    .await;
}

#[tokio::test]
async fn t_19_a_disabled_user_is_an_invalid_account() {
    check_holder("invalid-account", async |case| {
        let (user, now) = (case.server.owner.user.id, case.server.doorway.now());
        let _ = case.server.authority().set_user_enabled(user, false, now).await.expect("no fault");
    })
    .await;
}

#[tokio::test]
async fn t_19_a_suspended_account_is_inactive() {
    check_holder("inactive-account", async |case| {
        let (account, now) = (case.server.owner.user.account, case.server.doorway.now());
        let _ = case.server.authority().set_account_enabled(account, false, now).await.expect("no fault");
    })
    .await;
}

#[tokio::test]
async fn t_19_a_missing_account_is_not_found() {
    check_holder("account-not-found", async |case| case.store.without_account.store(true, Ordering::SeqCst)).await;
}

#[tokio::test]
async fn t_20_a_scope_beyond_the_grant_is_refused() {
    in_every_column(T_20, async |case| {
        let people = Scope::parse("people").expect("a scope");
        let both = Scope::parse("people deals").expect("a scope");
        let policy = AppPolicy { allowed_scope: both, default_scope: people, ..AppPolicy::default() };
        let app: TestApp = case.server.app("Scoped", policy).await;
        let refresh_token = connect(&case.server, &app).await.refresh_token;
        let fields = [("grant_type", "refresh_token"), ("refresh_token", &refresh_token), ("scope", "people deals")];
        case.ask(&app, &fields).await
    })
    .await;
}

#[tokio::test]
async fn t_20_an_unknown_resource_is_refused() {
    in_every_column(T_20_TARGET, async |case| {
        let refresh_token = connect(&case.server, &case.app).await.refresh_token;
        let resource = ("resource", "https://elsewhere.example");
        let fields = [("grant_type", "refresh_token"), ("refresh_token", &refresh_token), resource];
        case.ask(&case.app, &fields).await
    })
    .await;
    in_every_column(T_20_TARGET, async |case| -> Answer {
        let code = code(&case.server, &case.app).await;
        let resource = ("resource", "https://elsewhere.example");
        let answer = case.ask(&case.app, &exchange_fields(&case.app, &code, &[resource])).await;
        assert_eq!(case.exchange(&case.app, &code).await.status(), 200, "T-20 burns nothing");
        answer
    })
    .await;
}
