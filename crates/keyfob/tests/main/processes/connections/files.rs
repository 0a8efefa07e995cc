//! Where connections are kept: who may read them, and what happens when they cannot be read or written.

use super::desk::Desk;
use super::sandbox::{ROTATING, Sandbox};
use std::fs::Permissions;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).expect("it exists").permissions().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, Permissions::from_mode(mode)).expect("its mode");
}

#[tokio::test]
async fn files_that_others_can_read_are_refused() {
    let sandbox = Sandbox::start();
    let desk = Desk::of(&sandbox, ROTATING);
    desk.connected(&sandbox, "a").await;
    let (directory, file) = (desk.connections(), desk.file("a"));
    assert_eq!((mode(&directory), mode(&file)), (0o700, 0o600));
    for (path, wrong, right) in [(&file, 0o640, 0o600), (&file, 0o604, 0o600), (&directory, 0o750, 0o700)] {
        set_mode(path, wrong);
        let told = desk.run(&["call", "GET", "/v1/identity"]);
        assert_eq!((told.code, told.stdout.as_str()), (Some(3), ""), "{told:?}");
        assert!(told.stderr.contains("chmod") && told.stderr.contains(&format!("{wrong:o}")), "{told:?}");
        set_mode(path, right);
    }
    desk.does(&["connections", "refresh"]);
    assert_eq!(mode(&file), 0o600, "also when it is written again");
    let left: Vec<_> = std::fs::read_dir(&directory).expect("it exists").filter_map(Result::ok).collect();
    assert!(left.iter().all(|entry| !entry.file_name().to_string_lossy().ends_with(".new")), "{left:?}");
}

#[tokio::test]
async fn the_default_directory_is_the_user_s() {
    let sandbox = Sandbox::start();
    let desk = Desk::of(&sandbox, ROTATING);
    let home = tempfile::tempdir().expect("a directory");
    for (variable, below) in [("XDG_DATA_HOME", "keyfob/connections"), ("HOME", ".local/share/keyfob/connections")] {
        let mut command = desk.command(&["connections", "list", "--json"]);
        command.env_remove("KEYFOB_CONNECTIONS").env_remove("XDG_DATA_HOME").env_remove("HOME");
        let told = super::super::place::told(
            {
                command.env(variable, home.path());
                command
            },
            "",
        );
        assert_eq!((told.code, told.stdout.as_str()), (Some(0), "[]\n"), "{told:?}");
        assert_eq!(mode(&home.path().join(below)), 0o700);
    }
}

#[tokio::test]
async fn a_file_that_is_no_connection_is_told_by_place_and_spoils_no_other() {
    let sandbox = Sandbox::start();
    let desk = Desk::of(&sandbox, ROTATING);
    desk.connected(&sandbox, "good").await;
    let whole = std::fs::read_to_string(desk.file("good")).expect("the file");
    let token = desk.access_token("good");
    for text in [&whole[..whole.len() / 2], "", "[]", &whole.replacen("\"version\": 1", "\"version\": 2", 1)] {
        std::fs::write(desk.file("bad"), text).expect("written");
        set_mode(&desk.file("bad"), 0o600);
        let told = desk.run(&["call", "GET", "/v1/identity", "--connection", "bad"]);
        assert_eq!((told.code, told.stdout.as_str()), (Some(3), ""), "{told:?}");
        assert!(told.stderr.contains("bad.json") && !told.stderr.contains(&token), "{told:?}");
        let list = desk.json(&["connections", "list"]);
        assert_eq!((&list[0]["state"], &list[1]["state"]), (&"unreadable".into(), &"connected".into()), "{list}");
    }
    desk.does(&["call", "GET", "/v1/identity", "--connection", "good"]);
}

#[tokio::test]
async fn tokens_that_cannot_be_written_are_reported_and_waited_for() {
    let sandbox = Sandbox::start();
    let desk = Desk::of(&sandbox, ROTATING);
    desk.connected(&sandbox, "a").await;
    let before = std::fs::read(desk.file("a")).expect("the file");
    sandbox.advance("61m").await;
    // No file can be made where a directory stands. (A mode would not stop root, as whom tests may run.)
    let in_the_way = desk.connections().join(".a.new");
    std::fs::create_dir(&in_the_way).expect("made");
    let mut call = desk.command(&["call", "GET", "/v1/identity"]);
    let mut call = call.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut said = BufReader::new(call.stderr.take().expect("piped")).lines().map_while(Result::ok);
    assert!(said.any(|line| line.contains("new tokens came and cannot be written") && line.contains("Make room now")));
    assert_eq!(std::fs::read(desk.file("a")).expect("the file"), before, "the token before it is still there");
    // It waits for that.
    std::fs::remove_dir(&in_the_way).expect("removed");
    let rest: Vec<String> = said.collect();
    let ended = call.wait_with_output().expect("an end");
    assert!(ended.status.success() && !ended.stdout.is_empty(), "{rest:?}");
    assert_ne!(std::fs::read(desk.file("a")).expect("the file"), before);
    desk.does(&["connections", "refresh", "a"]);
    desk.does(&["call", "GET", "/v1/identity"]);
}
