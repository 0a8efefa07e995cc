//! Row AZ-16: our own failures. Before the redirect URI is validated the user is told, after that the app. Nothing is granted.

use super::asserting::{assert_page, assert_refused_to_app, grants};
use super::platform::{CONTINUE, DECISION, assertion, back, count, options, ticket, una};
use crate::token::watched_store::WatchedStore;
use keyfob_authority::model::AppPolicy;
use keyfob_authority::store::StoreError;
use keyfob_protocol::Dialect::{FollowUpBoss, OAuth};
use keyfob_testkit::{Browser, TestServer, TestServerOptions};

fn down() -> StoreError {
    StoreError::Unavailable("unable to open database file: /var/lib/keyfob.db SELECT".to_owned())
}

fn broken() -> StoreError {
    StoreError::Broken("no such column: SELECT x FROM grants".to_owned())
}

fn status_of(error: &StoreError) -> u16 {
    if matches!(error, StoreError::Unavailable(_)) { 503 } else { 500 }
}

#[tokio::test]
async fn az_16_before_the_redirect_uri_is_validated_the_user_is_told() {
    for (error, status) in [(down(), 503), (broken(), 500)] {
        let (store, server) = WatchedStore::serve(TestServerOptions::default()).await;
        let app = server.confidential_app("Listing Lantern").await;
        store.fail("app_by_client_id", error.clone());
        let mut browser = Browser::new(&server);
        let answer = browser.get(&app.authorize_url()).await.answer;
        assert_page(&answer, status);
        assert_eq!(answer.header("retry-after"), (status == 503).then_some("1"));
        store.heal();
        let consent = browser.consent(&app.authorize_url()).await;
        // A sealed interaction whose app cannot be read is not validated either.
        store.fail("app", error);
        assert_page(&browser.decide(&consent, "approve").await.answer, status);
        assert_page(&browser.decide(&consent, "switch").await.answer, status);
        store.heal();
        assert_eq!(grants(&server).await, 0);
        assert_eq!(browser.decide(&consent, "approve").await.status(), 303);
    }
}

#[tokio::test]
async fn az_16_after_that_the_app_is_told_in_its_dialect() {
    for (error, code) in [(down(), "temporarily_unavailable"), (broken(), "server_error")] {
        for (response_type, dialect) in [("auth_code", FollowUpBoss), ("code", OAuth)] {
            let (store, server) = WatchedStore::serve(TestServerOptions::default()).await;
            let app = server.confidential_app("Listing Lantern").await;
            let url = app.authorize_url_with(&[("response_type", response_type), ("state", "s")]);
            let mut browser = Browser::new(&server);
            let page = browser.get(&url).await;
            for method in ["user_by_email", "open_session"] {
                store.fail(method, error.clone());
                let answer = browser.sign_in(&page, &server.owner).await.answer;
                assert_refused_to_app(&answer, dialect, code, Some("s"));
                assert!(!browser.cookies.contains_key("keyfob-session"));
                store.heal();
            }
            let consent = browser.sign_in(&page, &server.owner).await;
            store.fail("session", error.clone());
            assert_refused_to_app(&browser.get(&url).await.answer, dialect, code, Some("s"));
            store.heal();
            store.fail("write_grant", error.clone());
            assert_refused_to_app(&browser.decide(&consent, "approve").await.answer, dialect, code, Some("s"));
            assert_refused_to_app(&browser.decide(&consent, "deny").await.answer, dialect, code, Some("s"));
            store.heal();
            assert_eq!(grants(&server).await, 0);
            // Nothing was used up by that.
            assert!(browser.decide(&consent, "approve").await.landing().parameter("code").is_some());
        }
    }
}

#[tokio::test]
async fn az_16_on_the_way_back_from_the_platform_the_app_is_told_as_well() {
    for (error, code) in [(down(), "temporarily_unavailable"), (broken(), "server_error")] {
        for (response_type, dialect) in [("auth_code", FollowUpBoss), ("code", OAuth)] {
            let (store, server) = WatchedStore::serve(options()).await;
            let app = server.confidential_app("Listing Lantern").await;
            let url = app.authorize_url_with(&[("response_type", response_type), ("state", "s")]);
            let mut browser = Browser::new(&server);
            let (_, asked) = ticket(&browser.get(&url).await);
            let assertion = assertion(&una(&server, &asked));
            for method in ["is_ticket_used", "account_by_external", "administer", "account", "use_ticket"] {
                store.fail(method, error.clone());
                let answer = back(&mut browser, &assertion).await.answer;
                assert_refused_to_app(&answer, dialect, code, Some("s"));
                assert!(!browser.cookies.contains_key("keyfob-session") && count(&server, "fault"));
                store.heal();
            }
            // Another browser's request is not known, and neither is one whose app cannot be read.
            store.fail("is_ticket_used", error.clone());
            assert_page(&back(&mut Browser::new(&server), &assertion).await.answer, status_of(&error));
            store.fail("app", error.clone());
            assert_page(&back(&mut browser, &assertion).await.answer, status_of(&error));
            store.heal();
            // Nothing was used up by that.
            assert_eq!(back(&mut browser, &assertion).await.landing().location, CONTINUE);
            store.fail("session", error.clone());
            assert_refused_to_app(&browser.get(CONTINUE).await.answer, dialect, code, Some("s"));
            store.heal();
            assert!(browser.get(CONTINUE).await.has_form(DECISION));
        }
    }
}

#[tokio::test]
async fn az_16_without_randomness_nothing_begins_and_nothing_is_granted() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let url = app.authorize_url_with(&[("response_type", "code"), ("state", "s")]);
    let mut browser = Browser::new(&server);
    let consent = browser.consent(&url).await;
    server.entropy.set_failing(true);
    // A new browser cannot even get its flow cookie.
    let first = Browser::new(&server).get(&url).await.answer;
    assert_eq!((first.status(), first.header("location")), (500, None));
    assert_refused_to_app(&browser.get(&url).await.answer, OAuth, "server_error", Some("s"));
    assert_refused_to_app(&browser.decide(&consent, "approve").await.answer, OAuth, "server_error", Some("s"));
    let page = browser.get("/connections").await;
    assert_eq!(page.status(), 200, "reading needs none");
    server.entropy.set_failing(false);
    assert_eq!(grants(&server).await, 0);
    assert!(browser.decide(&consent, "approve").await.landing().parameter("code").is_some());
}

#[tokio::test]
async fn az_16_a_list_that_cannot_be_read_or_changed_says_so_to_the_user() {
    let (store, server) = WatchedStore::serve(TestServerOptions::default()).await;
    let app = server.confidential_app("Listing Lantern").await;
    let mut browser = Browser::new(&server);
    let code = browser.connect(&app.authorize_url()).await.code();
    app.exchange(&server, &code).await;
    let list = browser.get("/connections").await;

    store.fail("session", down());
    assert_page(&browser.get("/connections").await.answer, 503);
    assert_page(&browser.submit(&list, "/connections/revoke", &[]).await.answer, 503);
    assert_page(&browser.submit(&list, "/sign-out", &[]).await.answer, 503);
    store.heal();
    store.fail("grants", down());
    assert_page(&browser.get("/connections").await.answer, 503);
    store.heal();
    store.fail("write_grant", broken());
    assert_page(&browser.submit(&list, "/connections/revoke", &[]).await.answer, 500);
    store.heal();
    store.fail("close_session", down());
    assert_page(&browser.submit(&list, "/sign-out", &[]).await.answer, 503);
    store.heal();
    // The page did not claim what had not happened.
    assert!(browser.get("/connections").await.has_form("/connections/revoke"));
    assert_eq!(browser.submit(&list, "/connections/revoke", &[]).await.status(), 303);
    assert!(!browser.get("/connections").await.has_form("/connections/revoke"));
}

#[tokio::test]
async fn az_16_superseding_is_made_up_for_when_the_form_is_sent_again() {
    let (store, server) = WatchedStore::serve(TestServerOptions::default()).await;
    let policy = AppPolicy { one_grant_per_user: true, ..AppPolicy::default() };
    let app = server.app("Listing Lantern", policy).await;
    let mut browser = Browser::new(&server);
    let code = browser.connect(&app.authorize_url()).await.code();
    let earlier = app.exchange(&server, &code).await;
    let consent = browser.consent(&app.authorize_url()).await;
    store.fail("grants", down());
    assert_refused_to_app(
        &browser.decide(&consent, "approve").await.answer,
        FollowUpBoss,
        "temporarily_unavailable",
        Some("st-4711"),
    );
    store.heal();
    assert_eq!(app.refresh(&server, &earlier.at("refresh_token")).await.status(), 200);
    let code = browser.decide(&consent, "approve").await.landing().code();
    assert_eq!(app.refresh(&server, &earlier.at("refresh_token")).await.status(), 400, "the newer grant replaced it");
    assert_eq!(app.exchange(&server, &code).await.status(), 200);
}
