//! Several processes on one connection, and processes that die in the middle of a refresh.

use super::between::Between;
use super::desk::Desk;
use super::sandbox::{ROTATING, Sandbox};
use std::process::Stdio;

/// Connects through somebody on the wire, who lets the exchange pass.
async fn connected_through(between: &Between, sandbox: &Sandbox, desk: &Desk) {
    let connecting = desk.begin_at(&between.base, sandbox.system("name"), &["--as", "a"]);
    let callback = sandbox.approved(&connecting.url).await;
    let told = tokio::task::spawn_blocking(move || connecting.pastes(&[&callback])).await.expect("no panic");
    assert_eq!(told.code, Some(0), "{told:?}");
    assert_eq!(between.answered(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn cl_05_of_four_processes_on_one_expired_token_one_refreshes() {
    let sandbox = Sandbox::start();
    let desk = Desk::of(&sandbox, ROTATING);
    let between = Between::passing(&sandbox, 1).await;
    connected_through(&between, &sandbox, &desk).await;
    sandbox.advance("61m").await;

    let calls: Vec<_> = (0..4)
        .map(|_| {
            let mut command = desk.command(&["call", "GET", "/v1/identity"]);
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
            command.spawn().expect("the binary starts")
        })
        .collect();
    // One of them has refreshed and waits for the answer; the others find the door closed.
    between.until_answered(2).await;
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    between.pass(100);
    for call in calls {
        let output = tokio::task::spawn_blocking(|| call.wait_with_output()).await.expect("no panic").expect("it ends");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(output.stdout.starts_with(b"{\"account\""));
    }
    assert_eq!(between.answered(), 2, "the exchange and one refresh");
    assert_eq!(desk.kept("a")["generation"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_dies_between_the_answer_and_the_write_loses_nothing() {
    let sandbox = Sandbox::start();
    let desk = Desk::of(&sandbox, ROTATING);
    let between = Between::passing(&sandbox, 1).await;
    connected_through(&between, &sandbox, &desk).await;
    let before = std::fs::read(desk.file("a")).expect("the file");
    for deaths in 1..=2 {
        sandbox.advance("61m").await;
        let mut command = desk.command(&["call", "GET", "/v1/identity"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut call = command.spawn().expect("the binary starts");
        // The authority has rotated, and its answer never arrives.
        between.until_answered(1 + deaths).await;
        call.kill().expect("it runs");
        call.wait().expect("it ends");
        let now = std::fs::read(desk.file("a")).expect("the file");
        assert_eq!(now, before, "the old token stands in the file");
    }
    between.pass(100);
    let told = tokio::task::block_in_place(|| desk.run(&["call", "GET", "/v1/identity"]));
    assert_eq!(told.code, Some(0), "the lease ended with its holder and the old token heals: {told:?}");
    assert_eq!(desk.kept("a")["generation"], 2);
    sandbox.advance("61m").await;
    let told = tokio::task::block_in_place(|| desk.run(&["call", "GET", "/v1/identity"]));
    assert_eq!(told.code, Some(0), "{told:?}");
}

#[tokio::test]
async fn a_file_from_before_a_refresh_still_connects() {
    let sandbox = Sandbox::start();
    let desk = Desk::of(&sandbox, ROTATING);
    desk.connected(&sandbox, "a").await;
    let before = std::fs::read(desk.file("a")).expect("the file");
    for later in ["30s", "61m"] {
        desk.does(&["connections", "refresh", "a"]);
        sandbox.advance(later).await;
        // What a crash between the answer and the write leaves: within the replay window, and long after.
        std::fs::write(desk.file("a"), &before).expect("written");
        desk.does(&["connections", "refresh", "a"]);
        desk.does(&["call", "GET", "/v1/identity"]);
        std::fs::write(desk.file("a"), &before).expect("written");
    }
}
