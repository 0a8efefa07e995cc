//! Without a mouse, and without script.

use super::app::App;
use super::browser::Browser;
use super::serving::{OWNER, PASSWORD, Serving};
use serde_json::json;
use thirtyfour::Key;

/// Presses Tab until the focus is on what `is_there` (JavaScript over `e`) describes, and returns how often. Every stop must be visible.
async fn tab_to(browser: &Browser, is_there: &str) -> usize {
    let looked = format!(
        "const e = document.activeElement; const s = getComputedStyle(e); \
         return [{is_there}, e === document.body || (s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2), e.outerHTML.slice(0, 80)]"
    );
    for pressed in 1..=12 {
        browser.press(Key::Tab.value().to_string()).await;
        let state = browser.script(&looked).await;
        assert_eq!(state[1], true, "the focus cannot be seen on {}", state[2]);
        if state[0] == true {
            return pressed;
        }
    }
    panic!("twelve times Tab do not lead to {is_there}");
}

#[tokio::test]
async fn the_keyboard_is_enough() {
    let app = App::start().await;
    let (serving, browser) = (Serving::start(&app), Browser::start().await);
    browser.open(&serving.confidential.follow_up_boss("s1", &[])).await;
    browser.shows("Sign in").await;
    // The first field has the focus at once.
    browser.press(OWNER).await;
    assert_eq!(tab_to(&browser, "e.id === 'password'").await, 1);
    browser.press(PASSWORD).await;
    assert_eq!(tab_to(&browser, "e.matches('button.primary')").await, 1);
    browser.press(Key::Enter.value().to_string()).await;

    browser.shows("Connect Listing Lantern?").await;
    // Nothing is focused beforehand: an Enter too many from the page before decides nothing.
    assert_eq!(browser.script("return document.activeElement === document.body").await, true);
    assert_eq!(tab_to(&browser, "e.value === 'approve'").await, 1);
    assert_eq!(tab_to(&browser, "e.value === 'deny'").await, 1);
    browser.press_shift_tab().await;
    assert_eq!(browser.script("return document.activeElement.value").await, "approve");
    browser.press(Key::Enter.value().to_string()).await;
    assert_eq!(app.arrival().await.get("response").as_deref(), Some("approved"));
    browser.was_quiet(&[&serving.origin, &app.origin], &[]).await;
}

#[tokio::test]
async fn se_02_no_script_is_needed() {
    let app = App::start().await;
    let (serving, browser) = (Serving::start(&app), Browser::start().await);
    browser.without_javascript().await;
    browser.open(&serving.confidential.follow_up_boss("s1", &[])).await;
    browser.sign_in(OWNER, "a wrong password").await;
    browser.says("We do not recognise").await;
    browser.sign_in(OWNER, PASSWORD).await;
    browser.shows("Connect Listing Lantern?").await;
    browser.click("button[value=approve]").await;
    serving.redeem(&app.arrival().await.get("code").expect("a code")).await;
    browser.open(&format!("{}/connections", serving.origin)).await;
    browser.says("Listing Lantern").await;
    browser.click("button.danger").await;
    browser.says("No app is connected").await;
    browser.devtools("Emulation.setScriptExecutionDisabled", json!({ "value": false })).await;
    assert_eq!(browser.script("return document.scripts.length").await, 0);
    browser.was_quiet(&[&serving.origin, &app.origin], &[422]).await;
}
