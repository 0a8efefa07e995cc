//! `keyfob migrate`: everything goes from one kind of store to the other and back, and nobody notices but by a short wait.

mod holding;
mod round;

use super::place::{Place, told};
use super::serving::Serving;
use keyfob_testkit::{PostgresCluster, PostgresDatabase};
use std::process::Command;

/// In every URL; the server asks for none over its socket, so that it only has to be kept secret.
const DATABASE_PASSWORD: &str = "hunter2-of-the-database";

fn database() -> (PostgresDatabase, String) {
    let database = PostgresCluster::shared().database();
    let url = database.url().replace("postgres@", &format!("postgres:{DATABASE_PASSWORD}@"));
    (database, url)
}

fn directory(place: &Place, name: &str) -> (std::path::PathBuf, String) {
    let path = place.around().join(name);
    let url = format!("sqlite:{}", path.display());
    (path, url)
}

/// The command, as an operator types it who keeps passwords out of the list of processes.
fn migrate(place: &Place, from: &str, to: &str, more: &[&str]) -> Command {
    let mut command = place.command(&[&["migrate", "--json"], more].concat());
    command.env("KEYFOB_MIGRATE_FROM", from).env("KEYFOB_MIGRATE_TO", to);
    command
}

/// Moves, and reads what it printed.
#[track_caller]
fn moved(place: &Place, from: &str, to: &str) -> serde_json::Value {
    let told = told(migrate(place, from, to, &[]), "");
    assert_eq!(told.code, Some(0), "{told:?}");
    assert!(told.stderr.contains("master key"), "{told:?}");
    assert!(!format!("{told:?}").contains(DATABASE_PASSWORD), "{told:?}");
    serde_json::from_str(&told.stdout).unwrap_or_else(|error| panic!("{error}: {told:?}"))
}

/// Refused with this code, and in these words.
#[track_caller]
fn refused(place: &Place, from: &str, to: &str, code: i32, words: &[&str]) {
    let told = told(migrate(place, from, to, &[]), "");
    assert_eq!((told.code, told.stdout.as_str()), (Some(code), ""), "{told:?}");
    for word in words {
        assert!(told.stderr.contains(word), "{word:?} is missing: {told:?}");
    }
    assert!(!told.stderr.contains(DATABASE_PASSWORD), "{told:?}");
}

/// A command on the rows that lie there: the same master key, another store.
fn on(place: &Place, store: &str, arguments: &[&str]) -> Command {
    let mut command = place.command(arguments);
    command.env("KEYFOB_MASTER_KEY_FILE", place.master_key_file());
    match store.strip_prefix("sqlite:") {
        Some(path) => command.env("KEYFOB_DATA", path).env_remove("KEYFOB_STORE"),
        None => command.env("KEYFOB_STORE", store),
    };
    command
}

fn serve(place: &Place, store: &str) -> Serving {
    Serving::start(on(place, store, &["serve"]))
}

#[test]
fn what_cannot_be_moved_is_refused_with_what_to_do_and_nothing_is_made() {
    let place = Place::new();
    let (here, (there, target)) = (format!("sqlite:{}", place.data().display()), directory(&place, "there"));
    refused(&place, &here, &target, 4, &["no data"]);
    refused(&place, "mysql://u:hunter2-of-the-database@h/d", &target, 3, &["--from", "sqlite:DIR"]);
    place.people();
    let serving = place.serve();
    refused(&place, &here, &target, 5, &["stop it first"]);
    assert!(!there.exists());
    serving.stop();
    let mut another = migrate(&place, &here, &target, &[]);
    another.env("KEYFOB_ISSUER", "http://localhost");
    let told = told(another, "");
    assert!(told.code == Some(3) && told.stderr.contains("set issuer to http://127.0.0.1"), "{told:?}");
    let key = std::fs::read_to_string(place.master_key_file()).expect("a key");
    let other = Place::new();
    other.people();
    std::fs::copy(other.master_key_file(), place.master_key_file()).expect("another key");
    refused(&place, &here, &target, 3, &["master key is not the one"]);
    assert!(!there.exists());
    std::fs::write(place.master_key_file(), key).expect("the right key");
    refused(&place, &here, &format!("sqlite:{}", other.data().display()), 5, &["in use already", "new"]);
    refused(&place, &here, &here, 5, &["running on"]);
    moved(&place, &here, &target);
    refused(&place, &here, &format!("{target}-2"), 5, &["was moved to", "already"]);
    let serve = Serving::refused(place.command(&["serve"]));
    assert!(serve.0 == Some(3) && serve.1.contains("was moved to sqlite:"), "{serve:?}");
    assert_eq!(place.run(&["account", "list"]).code, Some(3));
}
