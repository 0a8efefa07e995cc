//! What every page must pass, on a phone and on a wide screen, in light and dark: nothing to scroll sideways, text that can be read
//! (contrast of 4.5 to 1), targets that a thumb can hit (44 px). `KEYFOB_SCREENSHOTS=DIR` keeps a picture of each, for whoever
//! wants to look.

use super::browser::Browser;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use std::path::PathBuf;

const WIDTHS: [u32; 2] = [360, 1440];
const SCHEMES: [&str; 2] = ["light", "dark"];

/// Looks at the page that is open. Leaves the browser wide and light.
pub(super) async fn looks_right(browser: &Browser, name: &str) {
    let mut problems = Vec::new();
    for (width, scheme) in WIDTHS.into_iter().flat_map(|width| SCHEMES.map(|scheme| (width, scheme))) {
        browser.resize(width).await;
        browser.prefer(scheme).await;
        let found = browser.script(include_str!("audit.js")).await;
        let found: Vec<String> = serde_json::from_value(found).expect("sentences");
        problems.extend(found.into_iter().map(|problem| format!("{name}, {width} px, {scheme}: {problem}")));
        if let Some(directory) = std::env::var_os("KEYFOB_SCREENSHOTS") {
            picture(browser, PathBuf::from(directory), &format!("{name}-{width}-{scheme}")).await;
        }
    }
    browser.prefer("light").await;
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

async fn picture(browser: &Browser, directory: PathBuf, name: &str) {
    let answer = browser.devtools("Page.captureScreenshot", json!({ "captureBeyondViewport": true })).await;
    let png = STANDARD.decode(answer["data"].as_str().expect("a picture")).expect("base64");
    std::fs::create_dir_all(&directory).expect("a directory");
    std::fs::write(directory.join(name).with_extension("png"), png).expect("a file");
}
