//! What the README tells a partner to type works, word for word; the test is the browser.

use super::desk::Connecting;
use super::returns::{parameter, visit};
use super::sandbox::{FIXED, Sandbox};
use crate::readme::block;
use std::path::Path;
use std::process::Command;

#[tokio::test(flavor = "multi_thread")]
async fn the_partner_s_tour_of_the_readme_works() {
    let sandbox = Sandbox::start();
    let script = block("## Call an API as a partner").replace("http://127.0.0.1:4180", sandbox.issuer());
    // A free port, which the sandbox hears of as soon as it is known.
    let script = script.replace("http://127.0.0.1:8976/", "http://127.0.0.1/");
    let home = tempfile::tempdir().expect("a directory");
    let binary = Path::new(env!("CARGO_BIN_EXE_keyfob")).parent().expect("a directory");
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").expect("a PATH"));
    let mut tour = Command::new("bash");
    super::super::place::clear_environment(&mut tour);
    tour.args(["-euo", "pipefail", "-c", &script]).current_dir(home.path()).env("PATH", path).env("HOME", home.path());
    tour.env_remove("XDG_DATA_HOME").env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY");

    let connecting = Connecting::start(tour, "");
    sandbox.register(FIXED, &parameter(&connecting.url, "redirect_uri")).await;
    let callback = sandbox.approved(&connecting.url).await;
    assert_eq!(visit(&sandbox, &callback).await.header("location"), "/keyfob/approved");
    let told = tokio::task::spawn_blocking(|| connecting.ended()).await.expect("no panic");
    assert_eq!(told.code, Some(0), "{told:?}");
    let steps = [
        "connection followupboss: connected, Yusuf Shah",
        "{\"_metadata\":",
        "\"offsetSeconds\":3660",
        "\"body\":\"Called back.\"",
        "followupboss  connected  ",
        "connection followupboss: revoked",
    ];
    let mut rest = told.stdout.as_str();
    for step in steps {
        rest = rest.split_once(step).unwrap_or_else(|| panic!("no {step} in order in: {told:?}")).1;
    }
    assert!(told.stderr.contains("GET /v1/people: 200; rate limit: 2"), "{told:?}");
}
