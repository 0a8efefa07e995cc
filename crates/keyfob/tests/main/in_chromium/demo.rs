//! The sandbox's demo integration, walked as a newcomer would.

use super::app::App;
use super::audit::looks_right;
use super::browser::Browser;
use super::sandbox::Sandbox;

const CONNECT: &str = "form[action='/demo/connect'] button";

fn action(name: &str) -> String {
    format!("form[action='/demo/{name}'] button")
}

/// From the list of apps to the consent page of the `n`th app (1 is the first). Signs in on the way to the first.
async fn connect(browser: &Browser, sandbox: &Sandbox, n: usize) {
    browser.open(&sandbox.demo).await;
    browser.shows("Connect an app, step by step").await;
    browser.click(&format!(".app:nth-child({n}) {CONNECT}")).await;
    if n == 1 {
        let (email, password) = sandbox.user();
        browser.sign_in(email, password).await;
    }
    browser.says("It will be able to").await;
}

#[tokio::test]
async fn se_02_the_demo_shows_the_whole_flow_with_its_secrets_masked() {
    let app = App::start().await;
    let (sandbox, browser) = (Sandbox::start(&app), Browser::start().await);
    connect(&browser, &sandbox, 1).await;
    browser.click("button[value=approve]").await;
    browser.says("is connected as").await;
    browser.shows("Open House Notes").await;
    looks_right(&browser, "demo-connection").await;

    // Authorize, callback, exchange, the call that says who it is: each can be opened, no secret stands open.
    let steps = browser.script("return document.querySelectorAll('details.step').length").await;
    assert_eq!(steps, 4);
    browser.script("document.querySelectorAll('details.step').forEach(step => step.open = true)").await;
    looks_right(&browser, "demo-connection-open").await;
    let masked = "return [...document.querySelectorAll('details.secret')].map(secret => \
                  [secret.querySelector('.full').textContent, document.body.innerText.includes(secret.querySelector('.full').textContent)])";
    let masked = browser.script(masked).await;
    let masked = masked.as_array().expect("a list");
    assert!(masked.len() >= 6 && masked.iter().all(|secret| secret[1] == false), "{masked:#?}");
    browser.click("details.secret > summary").await;
    let revealed =
        browser.script("const e = document.querySelector('details.secret'); return [e.open, e.innerText]").await;
    let whole = masked[0][0].as_str().expect("a secret");
    assert!(revealed[0] == true && revealed[1].as_str().is_some_and(|text| text.contains(whole)), "{revealed}");

    browser.click(&action("call")).await;
    browser.says("The API answered 200").await;
    browser.click(&action("refresh")).await;
    browser.says("The app has a fresh access token.").await;
    browser.click(&action("present-code-again")).await;
    browser.says("The authority refused the code with 4").await;
    browser.click(&action("advance")).await;
    browser.says("61 minutes have passed").await;
    browser.click(&action("call")).await;
    browser.says("The API answered 200").await;
    browser.click(&action("revoke")).await;
    browser.says("The grant is taken back.").await;
    browser.click(&action("call")).await;
    browser.says("Ended").await;
    looks_right(&browser, "demo-ended").await;
    browser.was_quiet(&[&sandbox.origin], &[]).await;
}

#[tokio::test]
async fn every_app_of_the_demo_connects() {
    let app = App::start().await;
    let (sandbox, browser) = (Sandbox::start(&app), Browser::start().await);
    browser.open(&sandbox.demo).await;
    looks_right(&browser, "demo-home").await;
    for n in 1..=3 {
        connect(&browser, &sandbox, n).await;
        browser.click("button[value=approve]").await;
        browser.says("is connected as").await;
        browser.click(&action("refresh")).await;
        browser.says("The app has a fresh access token.").await;
    }
    browser.open(&sandbox.demo).await;
    let connected = browser.script("return document.querySelectorAll('.tag.good').length").await;
    assert_eq!(connected, 3);
    looks_right(&browser, "demo-home-connected").await;
    browser.was_quiet(&[&sandbox.origin], &[]).await;
}

#[tokio::test]
async fn cl_14_after_a_denial_the_app_says_so_offers_a_retry_and_keeps_what_it_had() {
    let app = App::start().await;
    let (sandbox, browser) = (Sandbox::start(&app), Browser::start().await);
    connect(&browser, &sandbox, 1).await;
    browser.click("button[value=deny]").await;
    browser.shows("Nothing was connected").await;
    looks_right(&browser, "demo-denied").await;
    // The authorize request and the callback; no token request.
    let titles = browser.script("return [...document.querySelectorAll('.step-title')].map(e => e.textContent)").await;
    assert_eq!(titles.as_array().map(Vec::len), Some(2), "{titles}");

    browser.click(CONNECT).await;
    browser.says("It will be able to").await;
    browser.click("button[value=approve]").await;
    browser.says("is connected as").await;
    browser.click(&action("deny")).await;
    browser.says("It will be able to").await;
    browser.click("button[value=deny]").await;
    browser.shows("Nothing was connected").await;
    assert!(browser.text().await.contains("stays as it is"), "{}", browser.text().await);
    browser.open(&format!("{}/connections/followupboss", sandbox.demo)).await;
    browser.click(&action("call")).await;
    browser.says("The API answered 200").await;
    browser.was_quiet(&[&sandbox.origin], &[]).await;
}

#[tokio::test]
async fn cl_10_a_second_visit_of_the_callback_does_nothing() {
    let app = App::start().await;
    let (sandbox, browser) = (Sandbox::start(&app), Browser::start().await);
    connect(&browser, &sandbox, 1).await;
    browser.click("button[value=approve]").await;
    browser.says("is connected as").await;
    // The address bar holds nothing of the answer, and reloading shows the same page.
    assert_eq!(browser.url().await.query(), None);
    browser.reload().await;
    browser.shows("Open House Notes").await;

    let callback = browser.asked_for("/demo/callback/").await;
    browser.open(&callback).await;
    browser.shows("This answer was already used").await;
    assert_eq!(browser.url().await.query(), None);
    looks_right(&browser, "demo-already-used").await;
    let page = browser.text().await;
    assert!(page.contains("sent no code"), "{page}");
    browser.open(&format!("{}/connections/followupboss", sandbox.demo)).await;
    assert!(browser.has(&action("call")).await, "the connection is still there");
    browser.was_quiet(&[&sandbox.origin], &[]).await;
}

#[tokio::test]
async fn the_demo_makes_things_fail_and_shows_what_the_app_makes_of_it() {
    let app = App::start().await;
    let (sandbox, browser) = (Sandbox::start(&app), Browser::start().await);
    browser.open(&sandbox.demo).await;
    browser.click("a[href='/demo/faults']").await;
    browser.shows("Make something fail").await;
    looks_right(&browser, "demo-faults").await;
    browser.click("button[value*='double-callback']").await;
    browser.says("Set. Now do something that it meets.").await;
    looks_right(&browser, "demo-faults-set").await;
    connect(&browser, &sandbox, 1).await;
    browser.click("button[value=approve]").await;
    browser.says("This answer was already used").await;
    browser.open(&sandbox.demo).await;
    let connected = browser.script("return document.querySelectorAll('.tag.good').length").await;
    assert_eq!(connected, 1, "the first visit connected it");
    browser.click("a[href='/demo/faults']").await;
    browser.click("form[action='/demo/faults/end'] button").await;
    browser.says("Everything works as it should again.").await;
}
