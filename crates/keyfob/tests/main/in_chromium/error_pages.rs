//! Requests that cannot be answered: the person learns what to do, the developer what to mend.

use super::app::App;
use super::browser::Browser;
use super::serving::Serving;

#[tokio::test]
async fn az_03_az_02_the_developer_sees_which_parameter_is_wrong_and_from_which_byte() {
    let app = App::start().await;
    let (serving, browser) = (Serving::start(&app), Browser::start().await);
    let registered = app.redirect_uri();
    let client = &serving.confidential;
    browser.open(&client.with(&client.id, &format!("{registered}/<script>"))).await;
    browser.shows("This app sent a request that cannot be answered").await;
    let page = browser.text().await;
    for shown in ["redirect_uri", &registered, "/<script>", "nothing was connected"] {
        assert!(page.contains(shown), "{shown} is not on the page:\n{page}");
    }
    assert!(page.contains(&format!("byte {}, counted from 0", registered.len())), "{page}");
    let marks = browser.script("return [...document.querySelectorAll('mark')].map(m => m.textContent)").await;
    assert!(!marks.as_array().expect("a list").is_empty(), "the difference is marked");

    browser.open(&client.with("no-such-client", &registered)).await;
    browser.shows("This app sent a request that cannot be answered").await;
    let page = browser.text().await;
    assert!(page.contains("client_id") && page.contains("no-such-client"), "{page}");
    assert!(app.early_arrival().await.is_none(), "nothing is sent to an address that was not checked");
    browser.was_quiet(&[&serving.origin], &[400]).await;
}
