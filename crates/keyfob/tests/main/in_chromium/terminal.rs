//! `keyfob connect`: from the terminal to the browser and back to a listener on this machine.

use super::app::App;
use super::audit::looks_right;
use super::browser::Browser;
use super::sandbox::Sandbox;
use super::serving::bare;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// Ends its process when it is dropped.
struct Connecting(Child);

impl Drop for Connecting {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to end.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Begins to connect at the sandbox; the address that it prints.
fn begin(mut connect: Command) -> (Connecting, String) {
    let mut child = connect.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the binary starts");
    let mut stderr = BufReader::new(child.stderr.take().expect("a pipe")).lines().map_while(Result::ok);
    let url = stderr.find(|line| line.starts_with("http")).expect("an address to open");
    // What it says later must find a reader.
    std::thread::spawn(move || stderr.for_each(drop));
    (Connecting(child), url)
}

#[tokio::test]
async fn cl_10_the_browser_ends_on_a_clean_page_of_the_terminal_s() {
    // The address of an app that has just ended: one that the sandbox knows and nobody listens on.
    let app = App::start().await;
    let (sandbox, redirect_uri, origin) = (Sandbox::start(&app), app.redirect_uri(), app.origin.clone());
    drop(app);
    let home = tempfile::tempdir().expect("a directory");
    let (client_id, secret) = sandbox.app();
    for (decision, heading, code) in [("approve", "Approved", 0), ("deny", "Nothing was connected", 8)] {
        // First, which also gives the app's listener the time to close.
        let browser = Browser::start().await;
        let arguments = ["connect", "followupboss", "--sandbox", &sandbox.origin, "--no-browser"];
        let mut connect = bare(&arguments);
        connect.args(["--client-id", client_id, "--redirect-uri", &redirect_uri]);
        connect.env("KEYFOB_CLIENT_SECRET", secret).env("KEYFOB_CONNECTIONS", home.path().join("connections"));
        let (mut connecting, url) = begin(connect);
        browser.open(&url).await;
        let (email, password) = sandbox.user();
        browser.sign_in(email, password).await;
        browser.click(&format!("button[value={decision}]")).await;
        browser.shows(heading).await;
        let ended_at = browser.url().await;
        assert_eq!((ended_at.query(), ended_at.origin().ascii_serialization()), (None, origin.clone()));
        looks_right(&browser, &format!("terminal-{decision}")).await;
        browser.was_quiet(&[&sandbox.origin, &origin], &[]).await;
        let status =
            tokio::task::spawn_blocking(move || connecting.0.wait()).await.expect("no panic").expect("it ends");
        assert_eq!(status.code(), Some(code));
    }
}
