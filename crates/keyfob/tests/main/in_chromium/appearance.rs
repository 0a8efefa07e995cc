//! Every page on a phone and on a wide screen, in light and dark.

use super::app::App;
use super::audit::looks_right;
use super::browser::Browser;
use super::serving::{OWNER, PASSWORD, Serving};

#[tokio::test]
async fn the_pages_of_the_authority_look_right_narrow_and_wide_light_and_dark() {
    let app = App::start().await;
    let (serving, browser) = (Serving::start(&app), Browser::start().await);
    let (client, connections) = (&serving.confidential, format!("{}/connections", serving.origin));
    browser.open(&connections).await;
    looks_right(&browser, "sign-in-alone").await;
    browser.open(&client.follow_up_boss("s1", &[])).await;
    looks_right(&browser, "sign-in").await;
    browser.sign_in(OWNER, "a wrong password").await;
    browser.says("We do not recognise").await;
    looks_right(&browser, "sign-in-refused").await;
    browser.sign_in(OWNER, PASSWORD).await;
    browser.shows("Connect Listing Lantern?").await;
    looks_right(&browser, "consent").await;
    app.answers_nothing();
    browser.click("button[value=approve]").await;
    serving.redeem(&app.arrival().await.get("code").expect("a code")).await;
    browser.click("button[value=deny]").await;
    browser.shows("This was decided already").await;
    looks_right(&browser, "error").await;
    browser.open(&client.with(&client.id, &format!("{}/", app.redirect_uri()))).await;
    looks_right(&browser, "error-redirect-uri").await;
    browser.open(&client.with(&"4".repeat(64), &app.redirect_uri())).await;
    looks_right(&browser, "error-client").await;
    browser.open(&connections).await;
    looks_right(&browser, "connections").await;
    browser.click("button.danger").await;
    browser.says("No app is connected").await;
    looks_right(&browser, "connections-empty").await;
    browser.click("form[action='/sign-out'] button").await;
    browser.shows("You are signed out").await;
    looks_right(&browser, "signed-out").await;
    browser.open(&format!("{}/no/such/page", serving.origin)).await;
    looks_right(&browser, "not-found").await;
    browser.was_quiet(&[&serving.origin, &app.origin], &[422, 400, 404]).await;
}
