//! Approve and deny in both dialects, once and twice, in time and too late.

use super::app::App;
use super::browser::Browser;
use super::sandbox::Sandbox;
use super::serving::{ISSUER, OWNER, PASSWORD, SYSTEM, Serving, VERIFIER};

const APPROVE: &str = "button[value=approve]";
const DENY: &str = "button[value=deny]";

#[tokio::test]
async fn se_02_in_02_rd_01_the_code_reaches_the_app_in_follow_up_boss_s_spelling() {
    let app = App::start().await;
    let (serving, browser) = (Serving::start(&app), Browser::start().await);
    browser.open(&serving.confidential.follow_up_boss("a b&c=\"<", &[])).await;
    assert!(browser.text().await.contains("to continue to Listing Lantern"));
    browser.sign_in(OWNER, PASSWORD).await;

    browser.shows("Connect Listing Lantern?").await;
    let page = browser.text().await;
    let host = app.origin.strip_prefix("http://").expect("http").split(':').next().expect("a host");
    for shown in [SYSTEM, "Olive Owner", OWNER, "Maple Street Realty", "Owner", host, "take this back at any time"] {
        assert!(page.contains(shown), "{shown} is not on the page:\n{page}");
    }
    browser.click(APPROVE).await;

    // The policy names the app's origin, or Chromium would stop here.
    let arrival = app.arrival().await;
    browser.shows("Back at the app").await;
    assert_eq!(arrival.names(), ["response", "code", "state"]);
    assert_eq!(arrival.get("response").as_deref(), Some("approved"));
    assert_eq!(arrival.get("state").as_deref(), Some("a b&c=\"<"));
    serving.redeem(&arrival.get("code").expect("a code")).await;
    browser.was_quiet(&[&serving.origin, &app.origin], &[]).await;
}

#[tokio::test]
async fn se_02_rd_03_a_public_app_connects_by_the_standard_with_pkce() {
    let app = App::start().await;
    let (serving, browser) = (Serving::start(&app), Browser::start().await);
    browser.open(&serving.public.standard("s1")).await;
    browser.sign_in(OWNER, PASSWORD).await;
    browser.shows("Connect Doorbell?").await;
    browser.click(APPROVE).await;

    let arrival = app.arrival().await;
    assert_eq!(arrival.names(), ["code", "state", "iss"]);
    assert_eq!(arrival.get("iss").as_deref(), Some(ISSUER));
    let (code, redirect_uri) = (arrival.get("code").expect("a code"), app.redirect_uri());
    let exchange = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", &redirect_uri),
        ("code_verifier", VERIFIER),
    ];
    let (status, tokens) = serving.token(&serving.public, &exchange).await;
    assert_eq!(status, 200, "{tokens}");
    browser.was_quiet(&[&serving.origin, &app.origin], &[]).await;
}

#[tokio::test]
async fn rd_02_rd_04_a_denial_is_one_click_and_carries_no_code() {
    let app = App::start().await;
    let (serving, browser) = (Serving::start(&app), Browser::start().await);
    browser.open(&serving.confidential.follow_up_boss("s1", &[])).await;
    browser.sign_in(OWNER, PASSWORD).await;
    browser.shows("Connect Listing Lantern?").await;
    browser.click(DENY).await;
    let arrival = app.arrival().await;
    assert_eq!(arrival.url.query(), Some("response=denied&state=s1"));

    // Signed in already, so the next request shows the consent page at once.
    browser.open(&serving.public.standard("s2")).await;
    browser.shows("Connect Doorbell?").await;
    browser.click(DENY).await;
    let arrival = app.arrival().await;
    assert_eq!((arrival.get("error").as_deref(), arrival.get("code")), (Some("access_denied"), None));
    assert_eq!(arrival.get("state").as_deref(), Some("s2"));
    browser.was_quiet(&[&serving.origin, &app.origin], &[]).await;
}

#[tokio::test]
async fn in_03_the_same_decision_again_leads_to_the_same_place_and_another_is_refused() {
    let app = App::start().await;
    let (serving, browser) = (Serving::start(&app), Browser::start().await);
    browser.open(&serving.confidential.follow_up_boss("s1", &[])).await;
    browser.sign_in(OWNER, PASSWORD).await;
    browser.shows("Connect Listing Lantern?").await;
    // The app is slow to show anything: the page stays, and people press again.
    app.answers_nothing();
    browser.click(APPROVE).await;
    let first = app.arrival().await;
    browser.click(APPROVE).await;
    assert_eq!(app.arrival().await.url, first.url);
    browser.click_twice(APPROVE).await;
    assert_eq!(app.arrival().await.url, first.url);
    while let Some(more) = app.early_arrival().await {
        assert_eq!(more.url, first.url);
    }
    browser.click(DENY).await;
    browser.shows("This was decided already").await;

    // The code has lived through all that.
    serving.redeem(&first.get("code").expect("a code")).await;
}

#[tokio::test]
async fn in_03_the_back_button_shows_a_consent_page_that_works() {
    let app = App::start().await;
    let (serving, browser) = (Serving::start(&app), Browser::start().await);
    browser.open(&format!("{}/connections", serving.origin)).await;
    browser.sign_in(OWNER, PASSWORD).await;
    browser.shows("Connected apps").await;
    browser.open(&serving.confidential.follow_up_boss("s1", &[])).await;
    browser.shows("Connect Listing Lantern?").await;
    browser.click(APPROVE).await;
    app.arrival().await;
    browser.shows("Back at the app").await;
    browser.back().await;
    browser.shows("Connect Listing Lantern?").await;
    browser.click(APPROVE).await;
    let again = app.arrival().await;
    assert_eq!(again.get("response").as_deref(), Some("approved"));
    browser.shows("Back at the app").await;
    browser.was_quiet(&[&serving.origin, &app.origin], &[]).await;
}

#[tokio::test]
async fn in_04_a_decision_after_fifteen_minutes_is_refused_in_words() {
    let app = App::start().await;
    let (sandbox, browser) = (Sandbox::start(&app), Browser::start().await);
    let (email, password) = sandbox.user();
    browser.open(&sandbox.authorize(&app)).await;
    browser.sign_in(email, password).await;
    browser.shows("Connect Open House Notes?").await;
    sandbox.advance("16m").await;
    browser.click(APPROVE).await;
    browser.shows("This request has expired").await;
    assert!(browser.text().await.contains("Go back to the app and connect again."));
    assert!(app.early_arrival().await.is_none());
    browser.was_quiet(&[&sandbox.origin], &[400]).await;
}
