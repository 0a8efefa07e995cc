//! Our own failures: T-21, KM-04, and what must still hold after them (ST-04 as far as one process shows it).

use super::table_t::{Case, Column, Row};
use super::{HOUR, code, connect, connected, exchange_fields, identity};
use keyfob_authority::store::StoreError;
use keyfob_testkit::{Browser, Page, TestServer};

const UNAVAILABLE: Row = Row::new((503, "temporarily_unavailable"), (503, "server-error"));
const BROKEN: Row = Row::new((500, "server_error"), (500, "server-error"));

fn unavailable() -> StoreError {
    StoreError::Unavailable("canary disk full".to_owned())
}

fn broken() -> StoreError {
    StoreError::Broken("canary row makes no sense".to_owned())
}

/// Lets each method fail in turn, checks the row, and that nothing was said of the inside.
async fn check_each(case: &Case, methods: &[&'static str], ask: impl AsyncFn() -> keyfob_testkit::Answer) {
    for method in methods {
        for (error, row) in [(unavailable(), &UNAVAILABLE), (broken(), &BROKEN)] {
            case.store.fail(method, error);
            let before = case.store.calls(method);
            let answer = ask().await;
            assert!(case.store.calls(method) > before, "{method} stands on the way");
            case.store.heal();
            case.check(row, &answer);
            assert!(!answer.text().contains("canary"), "{}", answer.text());
        }
    }
}

#[tokio::test]
async fn t_21_a_store_that_fails_issues_nothing_and_leaves_the_code_usable() {
    for column in Column::ALL {
        let case = column.case().await;
        let code = code(&case.server, &case.app).await;
        let ask = async || {
            // What is cached of apps would hide the first read.
            case.server.authority().reload(None);
            case.exchange(&case.app, &code).await
        };
        check_each(&case, &["app_by_client_id", "held_grant", "write_grant"], ask).await;
        assert_eq!(case.exchange(&case.app, &code).await.status(), 200, "the code is still usable");
    }
}

#[tokio::test]
async fn t_21_a_store_that_fails_rotates_nothing() {
    for column in Column::ALL {
        let case = column.case().await;
        let app = case.server.rotating_app("Rotating").await;
        let tokens = connect(&case.server, &app).await;
        let ask = async || case.refresh(&app, &tokens.refresh_token).await;
        check_each(&case, &["held_grant", "write_grant"], ask).await;
        let next = connected(&app.refresh(&case.server, &tokens.refresh_token).await);
        assert_eq!(app.refresh(&case.server, &next.refresh_token).await.status(), 200);
    }
}

#[tokio::test]
async fn t_21_a_fixed_token_s_use_is_durable_before_the_answer() {
    let case = Column::Rfc.case().await;
    let tokens = connect(&case.server, &case.app).await;
    case.server.clock.advance(HOUR);
    check_each(&case, &["write_grant"], async || case.refresh(&case.app, &tokens.refresh_token).await).await;
    assert_eq!(case.refresh(&case.app, &tokens.refresh_token).await.status(), 200);
}

#[tokio::test]
async fn t_21_a_burn_or_an_end_that_cannot_commit_is_no_refusal() {
    // A refusal that was meant to commit must not be given while it did not: the next request would find the code good.
    let case = Column::Rfc.case().await;
    let burnt = code(&case.server, &case.app).await;
    let wrong = [("grant_type", "auth_code"), ("code", burnt.as_str()), ("redirect_uri", "https://b.example/")];
    check_each(&case, &["write_grant"], async || case.ask(&case.app, &wrong).await).await;
    assert_eq!(case.ask(&case.app, &wrong).await.status(), 400);

    let repeated = code(&case.server, &case.app).await;
    let tokens = connected(&case.exchange(&case.app, &repeated).await);
    let injected = exchange_fields(&case.app, &repeated, &[("state", "injected")]);
    check_each(&case, &["write_grant"], async || case.ask(&case.app, &injected).await).await;
    assert_eq!(identity(&case.server, &tokens.access_token).await, 200, "nothing was ended");
    assert_eq!(case.ask(&case.app, &injected).await.status(), 400);
    assert_eq!(identity(&case.server, &tokens.access_token).await, 401, "now it is");
}

#[tokio::test]
async fn t_21_a_record_that_fails_is_a_fault() {
    let case = Column::Rfc.case().await;
    let expired = code(&case.server, &case.app).await;
    let repeated = code(&case.server, &case.app).await;
    assert_eq!(case.exchange(&case.app, &repeated).await.status(), 200);
    check_each(&case, &["record"], async || case.exchange(&case.app, &repeated).await).await;
    case.server.clock.advance(15 * 60);
    check_each(&case, &["record"], async || case.exchange(&case.app, &expired).await).await;
}

#[tokio::test]
async fn t_21_the_store_is_not_asked_before_the_request_is_well_formed() {
    let case = Column::Rfc.case().await;
    for method in ["app_by_client_id", "held_grant", "write_grant", "record", "touch_secret"] {
        case.store.fail(method, broken());
    }
    let answer = case.ask_with(&[("authorization", "Basic !")], &[("grant_type", "refresh_token")]).await;
    assert_eq!(answer.status(), 401, "T-06 comes before T-21");
}

#[tokio::test]
async fn km_04_without_entropy_nothing_is_issued_and_the_code_stays_usable() {
    for column in Column::ALL {
        let case = column.case().await;
        let app = case.server.rotating_app("Rotating").await;
        let code = code(&case.server, &app).await;
        case.server.entropy.set_failing(true);
        case.check(&BROKEN, &case.exchange(&app, &code).await);
        case.server.entropy.set_failing(false);
        let tokens = connected(&app.exchange(&case.server, &code).await);
        case.server.entropy.set_failing(true);
        case.check(&BROKEN, &case.refresh(&app, &tokens.refresh_token).await);
        case.server.entropy.set_failing(false);
        let next = connected(&app.refresh(&case.server, &tokens.refresh_token).await);
        assert_eq!(app.refresh(&case.server, &next.refresh_token).await.status(), 200);
    }
}

/// Our failure is told to the user, or to the app once its redirect URI is validated (matrix AZ-16); there is no code either way.
fn issued_nothing(page: &Page) {
    match page.status() {
        500 => assert_eq!(page.answer.header("location"), None),
        _ => {
            let landing = page.landing();
            assert_eq!(landing.parameter("error").as_deref(), Some("server_error"), "{}", landing.location);
            assert_eq!(landing.parameter("code"), None);
        }
    }
}

#[tokio::test]
async fn km_04_without_entropy_no_flow_begins_and_no_code_is_issued() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let mut browser = Browser::new(&server);
    server.entropy.set_failing(true);
    issued_nothing(&browser.get(&app.authorize_url()).await);
    server.entropy.set_failing(false);

    let sign_in = browser.get(&app.authorize_url()).await;
    server.entropy.set_failing(true);
    let owner = server.owner.clone();
    issued_nothing(&browser.sign_in(&sign_in, &owner).await);
    assert!(!browser.cookies.contains_key("keyfob-session"));
    server.entropy.set_failing(false);

    let consent = browser.sign_in(&sign_in, &owner).await;
    server.entropy.set_failing(true);
    issued_nothing(&browser.decide(&consent, "approve").await);
    server.entropy.set_failing(false);
    let code = browser.decide(&consent, "approve").await.landing().code();
    assert_eq!(app.exchange(&server, &code).await.status(), 200);
}

#[tokio::test]
async fn km_04_without_entropy_no_app_is_registered() {
    let server = TestServer::start().await;
    server.entropy.set_failing(true);
    let headers = [("x-system", "Partner One"), ("x-system-key", server.system_key.as_str())];
    let body = "{\"redirectUris\":[\"https://a.example/cb\"]}";
    let answer = super::send(&server, "POST", "/v1/oauthApps", &headers, body).await;
    assert_eq!(answer.status(), 500, "{}", answer.text());
    server.entropy.set_failing(false);
    let listed = super::send(&server, "GET", "/v1/oauthApps", &headers, "").await;
    assert_eq!(listed.json()["oauthApps"].as_array().map(Vec::len), Some(0));
}
