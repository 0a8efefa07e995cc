//! What a person has connected: seen, taken back, signed out of.

use super::app::App;
use super::browser::Browser;
use super::serving::{OWNER, PASSWORD, Serving};

#[tokio::test]
async fn in_09_se_04_a_connection_is_taken_back_and_the_person_signs_out() {
    let app = App::start().await;
    let (serving, browser) = (Serving::start(&app), Browser::start().await);
    let connections = format!("{}/connections", serving.origin);
    browser.open(&connections).await;
    browser.sign_in(OWNER, PASSWORD).await;
    browser.says("No app is connected").await;

    browser.open(&serving.confidential.follow_up_boss("s1", &[])).await;
    browser.click("button[value=approve]").await;
    let tokens = serving.redeem(&app.arrival().await.get("code").expect("a code")).await;
    let refresh_token = tokens["refresh_token"].as_str().expect("a refresh token");
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", refresh_token)];
    assert_eq!(serving.token(&serving.confidential, &refresh).await.0, 200);

    browser.open(&connections).await;
    browser.says("Listing Lantern").await;
    browser.click("button.danger").await;
    browser.says("No app is connected").await;
    assert!(!browser.has("button.danger").await);
    let (status, refusal) = serving.token(&serving.confidential, &refresh).await;
    assert_eq!((status, refusal["error"].as_str()), (400, Some("invalid_grant")));

    browser.click("form[action='/sign-out'] button").await;
    browser.shows("You are signed out").await;
    browser.open(&connections).await;
    browser.shows("Sign in").await;
    browser.was_quiet(&[&serving.origin, &app.origin], &[]).await;
}
