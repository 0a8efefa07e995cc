//! Backup of a running authority, and what a restore of an older one does to customers: nobody is lost who the backup knew.

use super::partner::{Shape, call, revoke, tokens};
use super::place::{PASSWORD, Place};
use super::serving::Serving;
use super::visitor::{Visitor, http_client};
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

#[tokio::test]
async fn op_02_a_restored_backup_is_reported_and_loses_no_customer_it_knew() {
    let place = Place::new();
    let people = place.people();
    let http = http_client();
    let mut visitor = Visitor::new(&http);
    let serving = place.serve();
    let base = serving.base();
    let mut connected = Vec::new();
    for (partner, state) in
        [(&people.rotating, "r"), (&people.fixed, "f"), (&people.rotating, "x"), (&people.rotating, "c")]
    {
        let code = visitor.connect(&base, partner, state).await.expect("a code");
        connected.push((partner, code));
    }
    let mut granted = Vec::new();
    for ((partner, code), state) in connected[..3].iter().zip(["r", "f", "x"]) {
        granted.push(tokens(&partner.redeem(&http, &base, Shape::Post, code, state).await.expect("an answer")));
    }
    let [(_, mut rotating), (_, fixed), (revoked_access, revoked)] = granted.try_into().expect("three");

    let file = place.around().join("backup.db");
    let path = file.to_str().expect("UTF-8");
    let told = place.run(&["backup", path]);
    assert_eq!(told.code, Some(0), "{told:?}");

    // After the backup: customers go on, one is connected anew, one is revoked.
    for _ in 0..3 {
        rotating = tokens(&people.rotating.refresh(&http, &base, Shape::Post, &rotating).await.expect("an answer")).1;
    }
    let late = &connected[3].1;
    let (_, late) = tokens(&people.rotating.redeem(&http, &base, Shape::Post, late, "c").await.expect("an answer"));
    let unknown = visitor.connect(&base, &people.fixed, "n").await.expect("a code");
    let unknown = people.fixed.redeem(&http, &base, Shape::Post, &unknown, "n").await.expect("an answer");
    let (_, unknown) = tokens(&unknown);
    assert_eq!(revoke(&http, &base, &people, &revoked_access).await.expect("an answer").status, 200);

    let told = place.run(&["restore", path]);
    assert_eq!(told.code, Some(5), "a server runs: {told:?}");
    assert!(told.stderr.contains("stop it first"), "{told:?}");
    serving.stop();
    let told = place.run(&["restore", path]);
    assert_eq!(told.code, Some(0), "{told:?}");
    assert!(told.stderr.contains("keyfob.db.before-restore-1") && told.stderr.contains("revoke it again"), "{told:?}");
    assert!(place.data().join("keyfob.db.before-restore-1").exists());

    let serving = place.serve();
    let base = serving.base();
    let incident = serving.says(WENT_BACK);
    assert_eq!(incident["level"], "ERROR");
    let ledger = place.json(&["ledger"]);
    let entries: Vec<_> = ledger.as_array().expect("entries").iter().filter(|e| e["kind"] == "store_behind").collect();
    assert_eq!(entries.len(), 1, "{ledger}");

    let refresh = async |partner: &super::partner::Partner, token: &str| {
        partner.refresh(&http, &base, Shape::Post, token).await.expect("an answer")
    };
    let (access, next) = tokens(&refresh(&people.rotating, &rotating).await);
    assert_eq!(call(&http, &base, &access).await, Ok(200), "ahead of the row: the row catches up");
    tokens(&refresh(&people.rotating, &next).await);
    assert_eq!(tokens(&refresh(&people.fixed, &fixed).await).1, fixed);
    tokens(&refresh(&people.rotating, &late).await);
    let ledger = place.json(&["ledger"]);
    let caught_up = ledger.as_array().expect("entries").iter();
    let caught_up = caught_up.filter(|entry| entry["kind"] == "store_behind" && !entry["grant"].is_null()).count();
    assert_eq!(caught_up, 2, "the rotated one and the one whose redemption was lost: {ledger}");
    let again = people.rotating.redeem(&http, &base, Shape::Post, &connected[3].1, "c").await.expect("an answer");
    assert_eq!(again.status, 400, "its code does not live twice: {}", again.body);
    // The known limits (docs/threats.md): who came after the backup is unknown, who was revoked after it lives.
    assert_eq!(refresh(&people.fixed, &unknown).await.status, 400);
    tokens(&refresh(&people.rotating, &revoked).await);
    serving.stop();

    let serving = place.serve();
    assert!(!serving.said().contains("the store went back"), "it is said once");
    serving.stop();
}

const WENT_BACK: &str = "the store went back: restored from a backup, or a failover lost writes";

/// A server with one connection, and a backup made of it a moment before that connection is revoked.
async fn revoked_after_a_backup(place: &Place) -> (Serving, String) {
    let people = place.people();
    let http = http_client();
    let serving = place.serve();
    let base = serving.base();
    let code = Visitor::new(&http).connect(&base, &people.fixed, "f").await.expect("a code");
    let answer = people.fixed.redeem(&http, &base, Shape::Post, &code, "f").await.expect("an answer");
    let file = place.around().join("backup.db").to_str().expect("UTF-8").to_owned();
    assert_eq!(place.run(&["backup", &file]).code, Some(0));
    assert_eq!(revoke(&http, &base, &people, &tokens(&answer).0).await.expect("an answer").status, 200);
    (serving, file)
}

fn restored_and_said(place: &Place, file: &str) {
    let told = place.run(&["restore", file]);
    assert_eq!(told.code, Some(0), "{told:?}");
    let serving = place.serve();
    assert_eq!(serving.says(WENT_BACK)["level"], "ERROR");
    serving.stop();
    let serving = place.serve();
    assert!(!serving.said().contains(WENT_BACK), "it is said once");
    serving.stop();
}

#[tokio::test]
async fn op_02_a_revocation_a_moment_before_a_stop_is_missed_after_a_restore() {
    let place = Place::new();
    let (serving, file) = revoked_after_a_backup(&place).await;
    serving.stop();
    restored_and_said(&place, &file);
}

#[tokio::test]
async fn op_02_a_revocation_before_a_crash_is_missed_after_a_restore() {
    let place = Place::new();
    let mark = || std::fs::read_to_string(place.data().join("highest-tick")).expect("a mark");
    let (serving, file) = revoked_after_a_backup(&place).await;
    let rows = rusqlite::Connection::open(place.database()).expect("a database");
    let tick: i64 = rows.query_row("SELECT tick FROM store", [], |row| row.get(0)).expect("a row");
    drop(rows);
    let since = Instant::now();
    while mark().trim() != tick.to_string() {
        // A second by design; a loaded machine gets some more before this counts as a failure.
        assert!(since.elapsed() < Duration::from_secs(10), "{} of {tick}", mark());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    serving.kill();
    restored_and_said(&place, &file);
}

#[test]
fn op_02_a_disabling_while_no_server_runs_is_missed_after_a_restore() {
    let place = Place::new();
    let people = place.people();
    let file = place.around().join("backup.db").to_str().expect("UTF-8").to_owned();
    assert_eq!(place.run(&["backup", &file]).code, Some(0));
    place.json(&["user", "disable", &people.user.to_string()]);
    restored_and_said(&place, &file);
}

#[test]
fn km_01_a_backup_holds_no_master_key_and_is_for_its_owner_only() {
    use base64::Engine;
    let place = Place::new();
    let people = place.people();
    let serving = place.serve();
    let file = place.around().join("backup.db");
    let told = place.run(&["backup", file.to_str().expect("UTF-8")]);
    assert_eq!(told.code, Some(0), "{told:?}");
    serving.stop();
    assert_eq!(std::fs::metadata(&file).expect("a file").permissions().mode() & 0o777, 0o600);
    let bytes = std::fs::read(&file).expect("a file");
    let key = std::fs::read_to_string(place.master_key_file()).expect("a key");
    let raw = base64::engine::general_purpose::STANDARD.decode(key.trim()).expect("base64");
    let secrets = [key.trim().as_bytes(), &raw, people.fixed.client_secret.as_bytes(), people.system_key.as_bytes()];
    for secret in secrets.into_iter().chain([PASSWORD.as_bytes()]) {
        assert!(!bytes.windows(secret.len()).any(|window| window == secret), "a secret lies in the backup");
    }
    assert!(bytes.windows(12).any(|window| window == b"maple-street"), "and it is a backup");
}

#[test]
fn op_02_a_restore_refuses_what_is_not_this_authoritys_and_keeps_what_is_there() {
    let (place, other) = (Place::new(), Place::new());
    place.people();
    other.people();
    let path = |name: &str| place.around().join(name).to_str().expect("UTF-8").to_owned();
    let [foreign, own, garbage, missing] = ["foreign.db", "own.db", "garbage.db", "missing.db"].map(path);
    assert_eq!(other.run(&["backup", &foreign]).code, Some(0));
    assert_eq!(place.run(&["backup", &own]).code, Some(0));
    std::fs::write(&garbage, "not a database ".repeat(1000)).expect("written");

    for (file, code, word) in [(&foreign, 3, "master key"), (&garbage, 3, "garbage.db"), (&missing, 4, "missing.db")] {
        let told = place.run(&["restore", file]);
        assert_eq!(told.code, Some(code), "{told:?}");
        assert!(told.stderr.contains(word), "{told:?}");
    }
    let names = std::fs::read_dir(place.data()).expect("a directory");
    let names: Vec<_> = names.map(|entry| entry.expect("an entry").file_name()).collect();
    assert!(!names.iter().any(|name| name.to_string_lossy().contains("restor")), "nothing is left: {names:?}");
    place.serve().stop();

    let told = place.run(&["backup", &own]);
    assert_eq!(told.code, Some(5), "a backup does not overwrite: {told:?}");
    let nowhere = Place::new();
    let told = nowhere.run(&["backup", &path("nothing.db")]);
    assert_eq!(told.code, Some(4), "{told:?}");
    // Onto a machine that has the key but no data yet.
    std::fs::copy(place.master_key_file(), nowhere.master_key_file()).expect("copied");
    let told = nowhere.run(&["restore", &own]);
    assert_eq!(told.code, Some(0), "{told:?}");
    assert_eq!(nowhere.json(&["account", "list"])[0]["domain"], "maple-street");
}

/// The rest of it, file by file, is in `src/restore/tests.rs`.
#[test]
fn op_02_a_restore_that_a_crash_interrupted_is_finished_by_the_next_start_or_command() {
    for by_a_server in [true, false] {
        let place = Place::new();
        place.people();
        let backup = place.around().join("backup.db");
        assert_eq!(place.run(&["backup", backup.to_str().expect("UTF-8")]).code, Some(0));
        place.json(&["account", "add", "--name", "Late", "--domain", "late"]);
        // As after a crash between the two renames: the store was moved away, the checked copy is not in its place yet.
        let kept = place.data().join("keyfob.db.before-restore-1");
        std::fs::copy(&backup, place.data().join("keyfob.db.restore-1")).expect("copied");
        std::fs::rename(place.database(), &kept).expect("renamed");
        let said = if by_a_server {
            let serving = place.serve();
            let said = serving.said();
            serving.stop();
            said
        } else {
            place.run(&["account", "list"]).stderr
        };
        assert!(said.contains("a restore was interrupted") && said.contains("keyfob.db.before-restore-1"), "{said}");
        let accounts = place.json(&["account", "list"]);
        assert_eq!(accounts.as_array().expect("accounts").len(), 1, "the backup's: {accounts}");
        let rows = rusqlite::Connection::open(&kept).expect("a database");
        let late: i64 = rows.query_row("SELECT count(*) FROM accounts", [], |row| row.get(0)).expect("a row");
        assert_eq!(late, 2, "and the store that was there is kept whole");
        assert_eq!(place.run(&["account", "list"]).stderr, "", "it is said once");
    }
}
