//! Signing in: wrongly, again, and as somebody else.

use super::app::App;
use super::browser::Browser;
use super::serving::{AGENT, OWNER, PASSWORD, Serving};

const APPROVE: &str = "button[value=approve]";

#[tokio::test]
async fn in_01_a_wrong_password_says_no_more_than_an_unknown_address_and_the_right_one_goes_on() {
    let app = App::start().await;
    let (serving, browser) = (Serving::start(&app), Browser::start().await);
    browser.open(&serving.confidential.follow_up_boss("s1", &[])).await;
    browser.sign_in("nobody@example.com", PASSWORD).await;
    browser.says("We do not recognise").await;
    let unknown = browser.element_text("[role=alert]").await;
    browser.sign_in(OWNER, "a wrong password").await;
    browser.says("We do not recognise").await;
    assert_eq!(browser.element_text("[role=alert]").await, unknown);
    // The address is kept, the password is not, and the focus is where the mistake was.
    let kept = browser.script("return [email.value, password.value, document.activeElement.id]").await;
    assert_eq!(kept, serde_json::json!([OWNER, "", "password"]));

    browser.sign_in(OWNER, PASSWORD).await;
    browser.shows("Connect Listing Lantern?").await;
    browser.click(APPROVE).await;
    assert_eq!(app.arrival().await.get("response").as_deref(), Some("approved"));
    browser.was_quiet(&[&serving.origin, &app.origin], &[422]).await;
}

#[tokio::test]
async fn az_08_prompt_login_asks_again_despite_a_live_session() {
    let app = App::start().await;
    let (serving, browser) = (Serving::start(&app), Browser::start().await);
    browser.open(&format!("{}/connections", serving.origin)).await;
    browser.sign_in(OWNER, PASSWORD).await;
    browser.shows("Connected apps").await;

    browser.open(&serving.confidential.follow_up_boss("s1", &[("prompt", "login")])).await;
    browser.shows("Sign in").await;
    assert!(browser.text().await.contains("The app asks you to sign in again."));
    browser.sign_in(OWNER, "a wrong password").await;
    browser.says("We do not recognise").await;
    assert!(app.early_arrival().await.is_none(), "no code without the new sign-in");
    browser.sign_in(OWNER, PASSWORD).await;
    browser.shows("Connect Listing Lantern?").await;
    browser.click(APPROVE).await;
    assert_eq!(app.arrival().await.get("response").as_deref(), Some("approved"));
}

#[tokio::test]
async fn in_07_another_person_can_take_over_and_consents_for_themselves() {
    let app = App::start().await;
    let (serving, browser) = (Serving::start(&app), Browser::start().await);
    browser.open(&serving.confidential.follow_up_boss("s1", &[])).await;
    browser.sign_in(OWNER, PASSWORD).await;
    browser.shows("Connect Listing Lantern?").await;
    assert!(browser.text().await.contains("Olive Owner"));
    browser.click("button[value=switch]").await;
    browser.sign_in(AGENT, PASSWORD).await;
    browser.shows("Connect Listing Lantern?").await;
    let page = browser.text().await;
    assert!(page.contains("Adam Agent") && !page.contains("Olive Owner"), "{page}");
    browser.click(APPROVE).await;
    app.arrival().await;
    browser.shows("Back at the app").await;

    // The session is the new person's, and so is the connection.
    browser.open(&format!("{}/connections", serving.origin)).await;
    browser.shows("Connected apps").await;
    assert!(browser.text().await.contains("Adam Agent"));
    browser.was_quiet(&[&serving.origin, &app.origin], &[]).await;
}
