//! A headless Chromium with a fresh profile, driven over WebDriver. It and its driver are killed when it is dropped.

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use thirtyfour::common::capabilities::chromium::ChromiumLikeCapabilities;
use thirtyfour::prelude::*;
use url::Url;

const CHROMIUM: &str = "/usr/bin/chromium";
const CHROMEDRIVER: &str = "/usr/bin/chromedriver";

const FLAGS: [&str; 10] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--disable-dev-shm-usage",
];

/// More than any page takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// One person's browser.
pub(super) struct Browser {
    driver: Option<WebDriver>,
    process: Child,
    profile: TempDir,
    /// Reading the driver's log empties it.
    requests: Mutex<Vec<String>>,
}

impl Browser {
    pub(super) async fn start() -> Browser {
        for program in [CHROMIUM, CHROMEDRIVER] {
            assert!(
                Path::new(program).exists(),
                "{program} is missing; the tests of the pages need Debian's packages: apt-get install chromium chromium-driver"
            );
        }
        let profile = tempfile::tempdir().expect("a directory");
        // A group of its own, so that the browser's many processes can be ended together.
        let mut command = Command::new(CHROMEDRIVER);
        command.arg("--port=0").process_group(0);
        let mut process = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{CHROMEDRIVER} does not start: {error}; reinstall chromium-driver"));
        let mut said = BufReader::new(process.stdout.take().expect("a pipe")).lines().map_while(Result::ok);
        let port =
            said.find_map(|line| line.split_once("successfully on port ")?.1.trim_end_matches('.').parse::<u16>().ok());
        // From here on dropping it ends the process.
        let mut browser = Browser { driver: None, process, profile, requests: Mutex::default() };
        let port = port.unwrap_or_else(|| panic!("{CHROMEDRIVER} names no port; reinstall chromium-driver"));
        std::thread::spawn(move || said.for_each(drop));
        browser.driver = Some(browser.session(port).await);
        browser
    }

    async fn session(&self, port: u16) -> WebDriver {
        let mut wanted = DesiredCapabilities::chrome();
        let profile = format!("--user-data-dir={}", self.profile.path().display());
        let mut set = || -> WebDriverResult<()> {
            wanted.set_binary(CHROMIUM)?;
            FLAGS.into_iter().chain([profile.as_str()]).try_for_each(|flag| wanted.add_arg(flag))?;
            // An empty first page: the browser's own costs a second of every test.
            wanted.add_experimental_option(
                "prefs",
                json!({ "session": { "restore_on_startup": 4, "startup_urls": ["about:blank"] } }),
            )?;
            wanted.set("goog:loggingPrefs", json!({ "browser": "ALL", "performance": "ALL" }))
        };
        set().expect("plain values");
        let session = WebDriver::new(format!("http://127.0.0.1:{port}"), wanted).await;
        session.unwrap_or_else(|error| {
            panic!("{CHROMIUM} does not start: {error}; are chromium and chromium-driver of one version?")
        })
    }

    fn driver(&self) -> &WebDriver {
        self.driver.as_ref().expect("a started browser")
    }

    pub(super) async fn open(&self, url: &str) {
        self.driver().goto(url).await.unwrap_or_else(|error| panic!("{url}: {error}"));
    }

    pub(super) async fn url(&self) -> Url {
        self.driver().current_url().await.expect("a page")
    }

    pub(super) async fn reload(&self) {
        self.driver().refresh().await.expect("a page");
    }

    pub(super) async fn back(&self) {
        self.driver().back().await.expect("a page");
    }

    pub(super) async fn element(&self, css: &str) -> WebElement {
        match self.driver().find(By::Css(css)).await {
            Ok(element) => element,
            Err(error) => panic!("no {css}: {error}\n{}", self.text().await),
        }
    }

    pub(super) async fn has(&self, css: &str) -> bool {
        !self.driver().find_all(By::Css(css)).await.expect("a page").is_empty()
    }

    pub(super) async fn click(&self, css: &str) {
        self.element(css).await.click().await.unwrap_or_else(|error| panic!("{css}: {error}"));
    }

    pub(super) async fn click_twice(&self, css: &str) {
        let element = self.element(css).await;
        self.driver().action_chain().double_click_element(&element).perform().await.expect("a double click");
    }

    pub(super) async fn fill(&self, css: &str, text: &str) {
        let field = self.element(css).await;
        field.clear().await.expect("a field");
        field.send_keys(text).await.expect("a field");
    }

    /// Keys to whatever has the focus.
    pub(super) async fn press(&self, keys: impl AsRef<str>) {
        self.driver().action_chain().send_keys(keys.as_ref()).perform().await.expect("a keyboard");
    }

    pub(super) async fn press_shift_tab(&self) {
        let keys = self.driver().action_chain().key_down(Key::Shift).key_down(Key::Tab).key_up(Key::Tab);
        keys.key_up(Key::Shift).perform().await.expect("a keyboard");
    }

    /// What a person can read on the page.
    pub(super) async fn text(&self) -> String {
        self.element_text("body").await
    }

    pub(super) async fn element_text(&self, css: &str) -> String {
        match self.driver().find(By::Css(css)).await {
            Ok(element) => element.text().await.unwrap_or_default(),
            Err(_) => String::new(),
        }
    }

    /// Waits for the page with this heading.
    pub(super) async fn shows(&self, heading: &str) {
        let deadline = Instant::now() + PATIENCE;
        while self.element_text("h1").await != heading {
            if Instant::now() > deadline {
                panic!("no page {heading:?} but, at {}:\n{}", self.url().await, self.text().await);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits for the page with this text on it.
    pub(super) async fn says(&self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let page = self.text().await;
            if page.contains(text) {
                return;
            }
            assert!(Instant::now() < deadline, "the page does not say {text:?} but:\n{page}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The signed-in person's way through the sign-in page.
    pub(super) async fn sign_in(&self, email: &str, password: &str) {
        self.shows("Sign in").await;
        self.fill("#email", email).await;
        self.fill("#password", password).await;
        self.click("button.primary").await;
    }

    pub(super) async fn script(&self, script: &str) -> Value {
        let answer = self.driver().execute(script, Vec::new()).await;
        answer.unwrap_or_else(|error| panic!("{script}: {error}")).json().clone()
    }

    /// A command of the DevTools protocol.
    pub(super) async fn devtools(&self, method: &str, parameters: Value) -> Value {
        let answer = self.driver().cdp().send_raw(method, parameters).await;
        answer.unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// A screen of this width, in CSS pixels. Below 600 it is a phone.
    pub(super) async fn resize(&self, width: u32) {
        let (height, mobile) = if width < 600 { (740, true) } else { (900, false) };
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
    }

    /// `light` or `dark`.
    pub(super) async fn prefer(&self, scheme: &str) {
        // Reduced motion, so that a computed colour is the one that stays.
        let features = json!([
            { "name": "prefers-color-scheme", "value": scheme },
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ]);
        self.devtools("Emulation.setEmulatedMedia", json!({ "features": features })).await;
    }

    pub(super) async fn without_javascript(&self) {
        self.devtools("Emulation.setScriptExecutionDisabled", json!({ "value": true })).await;
    }

    /// Nothing was written to the console (errors, policy violations), and no request left these origins.
    /// `statuses`: of pages that refuse, which Chromium writes to the console, too.
    pub(super) async fn was_quiet(&self, origins: &[&str], statuses: &[u16]) {
        let wanted: Vec<String> = statuses.iter().map(|s| format!("responded with a status of {s}")).collect();
        let console = self.driver().get_log("browser").await.expect("a log");
        let expected = |message: &str| wanted.iter().any(|wanted| message.contains(wanted));
        let loud: Vec<_> = console.iter().filter(|entry| !expected(&entry.message)).collect();
        assert!(loud.is_empty(), "the console is not empty: {loud:#?}");

        let requests = self.requests().await;
        assert!(!requests.is_empty(), "the log of requests is empty");
        for url in requests {
            let inside =
                origins.iter().any(|origin| url.strip_prefix(origin).is_some_and(|rest| rest.starts_with('/')));
            // The latter two stay within the browser.
            assert!(inside || url.starts_with("data:") || url.starts_with("chrome:"), "a request went to {url}");
        }
    }

    /// The last URL that it asked for on this path or below it.
    pub(super) async fn asked_for(&self, path: &str) -> String {
        let there = |url: &&String| Url::parse(url).is_ok_and(|url| url.path().starts_with(path));
        let requests = self.requests().await;
        requests.iter().rfind(there).unwrap_or_else(|| panic!("{path} is not among {requests:#?}")).clone()
    }

    /// Every URL that it asked for, in order.
    async fn requests(&self) -> Vec<String> {
        let log = self.driver().get_log("performance").await.expect("a log");
        let mut requests = self.requests.lock().expect("no panic");
        for entry in log {
            let event: Value = serde_json::from_str(&entry.message).expect("JSON");
            if event["message"]["method"] == "Network.requestWillBeSent" {
                requests.push(event["message"]["params"]["request"]["url"].as_str().expect("a URL").to_owned());
            }
        }
        requests.clone()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if let Some(driver) = self.driver.take() {
            // Asking it to quit would take longer than ending it.
            let _ = driver.leak();
        }
        let group = Pid::from_child(&self.process);
        let _ = kill_process_group(group, Signal::KILL);
        let _ = self.process.wait();
        // The profile can only be removed when the last of them is gone.
        let deadline = Instant::now() + Duration::from_secs(5);
        while test_kill_process_group(group).is_ok() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
