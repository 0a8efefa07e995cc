//! KM-01 and its neighbours: data that is not this authority's, or cannot be opened, is refused at the start and stays as it is.

use super::place::{ISSUER, Place, Told};
use super::serving::Serving;
use rusqlite::Connection;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Data with people in it, made by a server that has stopped.
fn with_data() -> Place {
    let place = Place::new();
    place.people();
    place
}

fn write_key(path: &Path, text: &str, mode: u32) {
    std::fs::write(path, text).expect("a key file");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("its mode");
}

/// Both `serve` and a command refuse with code 3 and these words.
#[track_caller]
fn refuses(place: &Place, environment: &[(&str, &str)], words: &[&str]) -> String {
    let mut serve = place.command(&["serve"]);
    let mut list = place.command(&["account", "list"]);
    serve.envs(environment.iter().copied());
    list.envs(environment.iter().copied());
    let (code, said) = Serving::refused(serve);
    let Told { code: listed, stdout, stderr } = super::place::told(list, "");
    assert_eq!((code, listed, stdout.as_str()), (Some(3), Some(3), ""), "{said} {stderr}");
    for word in words {
        assert!(said.contains(word) && stderr.contains(word), "{word:?} is missing: {said} {stderr}");
    }
    said
}

/// It starts as before: the refusal changed nothing.
#[track_caller]
fn starts_again(place: &Place) {
    place.serve().stop();
    assert_eq!(place.json(&["account", "list"])[0]["domain"], "maple-street");
}

#[test]
fn km_01_a_missing_master_key_is_not_replaced_where_there_is_data() {
    let place = with_data();
    let kept = place.around().join("kept");
    std::fs::rename(place.master_key_file(), &kept).expect("moved");
    refuses(&place, &[], &["master key file", "is missing", "master_key_file", "data.master-key"]);
    assert!(!place.master_key_file().exists());
    std::fs::rename(kept, place.master_key_file()).expect("moved");
    starts_again(&place);
}

#[test]
fn km_01_a_new_master_key_is_for_its_owner_only_and_lies_beside_the_data() {
    let place = with_data();
    let mode = |path: &Path| std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode(&place.master_key_file()), 0o600);
    assert_eq!(mode(&place.data()), 0o700);
    assert_eq!(mode(&place.database()), 0o600);
}

#[test]
fn km_01_a_master_key_that_others_can_read_is_refused() {
    let place = with_data();
    let key = std::fs::read_to_string(place.master_key_file()).expect("a key");
    for mode in [0o644, 0o640, 0o604, 0o660] {
        write_key(&place.master_key_file(), &key, mode);
        let said = refuses(&place, &[], &["master_key_file", "chmod 600", &format!("{mode:o}")]);
        assert!(!said.contains(key.trim()), "the value is named");
    }
    write_key(&place.master_key_file(), &key, 0o600);
    starts_again(&place);
}

#[test]
fn km_01_short_placeholder_and_foreign_keys_are_refused_without_naming_the_value() {
    let place = with_data();
    let right = std::fs::read_to_string(place.master_key_file()).expect("a key");
    let placeholder = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let ascending = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let foreign = "q1Zk0c7mJ2sY9uVn4bXw8eRt5aLo3iPd6gHf+CjKxQM=";
    for (key, why) in [
        ("", "32 bytes"),
        ("c2hvcnQga2V5LCBub3QgMzI=", "32 bytes"),
        ("changeme-changeme", "32 bytes"),
        (placeholder, "placeholder"),
        (ascending, "placeholder"),
        (foreign, "not the one that this data is under"),
    ] {
        write_key(&place.master_key_file(), key, 0o600);
        let setting = if key == foreign { "master key" } else { "master_key_file" };
        let said = refuses(&place, &[], &[setting, why]);
        assert!(key.is_empty() || !said.contains(key), "the value is named: {said}");
        let said = refuses(&place, &[("KEYFOB_MASTER_KEY", key)], &[why]);
        assert!(key == foreign || said.contains("KEYFOB_MASTER_KEY"), "{said}");
        assert!(key.is_empty() || !said.contains(key), "the value is named: {said}");
    }
    write_key(&place.master_key_file(), &right, 0o600);
    starts_again(&place);
}

#[test]
fn km_01_a_corrupted_or_missing_key_row_is_refused() {
    let place = with_data();
    let rows = Connection::open(place.database()).expect("a database");
    let purposes: Vec<(i64, Vec<u8>)> = {
        let mut statement = rows.prepare("SELECT id, sealed FROM sealed_keys").expect("a query");
        let found = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).expect("rows");
        found.map(|row| row.expect("a row")).collect()
    };
    assert!(purposes.len() >= 4, "token, interaction, CSRF and signing keys");
    for (id, sealed) in purposes {
        let mut broken = sealed.clone();
        *broken.last_mut().expect("bytes") ^= 1;
        rows.execute("UPDATE sealed_keys SET sealed = ?2 WHERE id = ?1", (id, &broken)).expect("written");
        refuses(&place, &[], &["key"]);
        rows.execute("UPDATE sealed_keys SET sealed = ?2 WHERE id = ?1", (id, &sealed)).expect("written");
    }
    rows.execute("CREATE TEMP TABLE kept AS SELECT * FROM sealed_keys", []).expect("kept");
    rows.execute("DELETE FROM sealed_keys", []).expect("deleted");
    refuses(&place, &[], &["key"]);
    rows.execute("INSERT INTO sealed_keys SELECT * FROM kept", []).expect("put back");
    drop(rows);
    starts_again(&place);
}

#[test]
fn km_01_data_of_another_issuer_or_of_a_sandbox_is_refused() {
    let place = with_data();
    refuses(&place, &[("KEYFOB_ISSUER", "http://localhost")], &[ISSUER, "http://localhost", "issuer"]);
    let rows = Connection::open(place.database()).expect("a database");
    rows.execute("UPDATE store SET sandbox = 1", []).expect("written");
    refuses(&place, &[], &["keyfob sandbox"]);
    rows.execute("UPDATE store SET sandbox = 0", []).expect("written");
    drop(rows);
    starts_again(&place);
}

#[test]
fn km_01_a_file_that_is_no_database_is_refused_and_kept() {
    let place = with_data();
    let garbage = "this is not a database. ".repeat(1000);
    for suffix in ["-wal", "-shm"] {
        // A clean end leaves none; a leftover would be replayed into the garbage.
        let _ = std::fs::remove_file(format!("{}{suffix}", place.database().display()));
    }
    std::fs::write(place.database(), &garbage).expect("written");
    let (code, said) = Serving::refused(place.command(&["serve"]));
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("keyfob.db") && said.contains("damaged") && !said.contains("panicked"), "{said}");
    assert_eq!(std::fs::read_to_string(place.database()).expect("kept"), garbage);
}
