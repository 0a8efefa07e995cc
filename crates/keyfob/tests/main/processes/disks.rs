//! Disk full, and writes that the operating system refuses: a clear 503, nothing issued, nothing burned, recovery without a restart.
//!
//! The full disk is a small file system in a mount namespace of the server's own (root, or a user namespace), so nothing is left behind
//! whatever happens. Where neither is allowed the test says so loudly and limits the size of the server's files instead.

use super::partner::{Shape, tokens};
use super::place::{People, Place, clear_environment};
use super::serving::Serving;
use super::visitor::{Answer, Visitor, code_in, hidden, http_client, send};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The store is probed every 5 s; more than two probes on a busy machine.
const NOTICED: Duration = Duration::from_secs(20);

/// What a server meets when it can write no more.
struct Met {
    fixed: String,
    rotating: String,
    code: String,
    /// A rotating one that nobody needs.
    spare: String,
}

/// Grants and a code while all is well.
async fn all_well(serving: &Serving, people: &People, http: &reqwest::Client, visitor: &mut Visitor) -> Met {
    let base = serving.base();
    let mut granted = Vec::new();
    for partner in [&people.fixed, &people.rotating, &people.rotating] {
        let code = visitor.connect(&base, partner, "s").await.expect("a code");
        granted.push(tokens(&partner.redeem(http, &base, Shape::Post, &code, "s").await.expect("an answer")).1);
    }
    let code = visitor.connect(&base, &people.fixed, "s").await.expect("a code");
    let [fixed, rotating, spare] = granted.try_into().expect("three");
    Met { fixed, rotating, code, spare }
}

#[track_caller]
fn unavailable(answer: &Answer) {
    assert_eq!(answer.status, 503, "{}", answer.body);
    assert!(answer.header("retry-after").parse::<u32>().is_ok(), "{:?}", answer.headers);
    for never in ["access_token", "refresh_token", "keyfobat_", "keyfobrt_", "keyfobac_"] {
        assert!(!answer.body.contains(never), "{}", answer.body);
    }
}

async fn readiness(serving: &Serving, http: &reqwest::Client, wanted: &str) {
    let since = Instant::now();
    loop {
        let answer = send(http.get(format!("{}/readyz", serving.base()))).await.expect("an answer");
        if answer.body == wanted {
            break;
        }
        assert!(since.elapsed() < NOTICED, "{} instead of {wanted}: {}", answer.body, serving.said());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Everything that must write answers 503; what need not, goes on.
async fn refuses_to_write(
    serving: &Serving,
    people: &People,
    http: &reqwest::Client,
    visitor: &mut Visitor,
    met: &Met,
) {
    let base = serving.base();
    for shape in [Shape::Get, Shape::Post] {
        unavailable(&people.fixed.redeem(http, &base, shape, &met.code, "s").await.expect("an answer"));
        unavailable(&people.rotating.refresh(http, &base, shape, &met.rotating).await.expect("an answer"));
    }
    let consent = visitor.consent_page(&base, &people.fixed, "s").await.expect("an answer");
    assert_eq!(consent.status, 200, "reading goes on");
    assert!(!hidden(&consent.body, "/oauth/authorize/decision").is_empty());
    let decided = visitor.approve(&base, &consent).await.expect("an answer");
    // The app is told (matrix AZ-16), and gets no code.
    assert!(decided.header("location").contains("error=temporarily_unavailable"), "{:?}", decided.headers);
    assert_eq!(code_in(&decided), None);
    // A fixed token that was used within the hour needs no write.
    tokens(&people.fixed.refresh(http, &base, Shape::Post, &met.fixed).await.expect("an answer"));
    readiness(serving, http, r#"{"ready":false,"reasons":["store"]}"#).await;
    let said = serving.says("the store cannot be written to; this node is not ready");
    assert_eq!(said["level"], "ERROR");
}

/// What was refused was not used up.
async fn works_again(serving: &Serving, people: &People, http: &reqwest::Client, met: &Met) {
    readiness(serving, http, r#"{"ready":true,"reasons":[]}"#).await;
    let base = serving.base();
    tokens(&people.fixed.redeem(http, &base, Shape::Post, &met.code, "s").await.expect("an answer"));
    let twice = people.fixed.redeem(http, &base, Shape::Post, &met.code, "s").await.expect("an answer");
    assert_eq!(twice.status, 400, "{}", twice.body);
    let (_, next) = tokens(&people.rotating.refresh(http, &base, Shape::Post, &met.rotating).await.expect("an answer"));
    tokens(&people.rotating.refresh(http, &base, Shape::Post, &next).await.expect("an answer"));
    assert!(!serving.said().contains("panicked"), "{}", serving.said());
}

/// `unshare` with what this user needs for a mount namespace; `None` where there is none to be had.
fn namespace() -> Option<Vec<&'static str>> {
    let candidates = [vec!["--mount"], vec!["--map-root-user", "--mount"]];
    candidates.into_iter().find(|arguments| {
        let mut probe = Command::new("unshare");
        probe.args(arguments).args(["sh", "-c", "mount -t tmpfs tmpfs /mnt"]);
        probe.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    })
}

/// A server whose copy of the data lies on a file system of this size.
fn serve_on_small_disk(place: &Place, arguments: &[&str], then: &str) -> (Command, PathBuf) {
    let small = place.around().join("small");
    std::fs::create_dir(&small).expect("a directory");
    let script =
        format!("mount -t tmpfs -o size=8m,mode=700 tmpfs \"$1\" && cp -a \"$2/.\" \"$1\" {then} && exec \"$3\" serve");
    let mut command = Command::new("unshare");
    command.args(arguments).args(["sh", "-c", &script, "sh"]).arg(&small).arg(place.data());
    command.arg(env!("CARGO_BIN_EXE_keyfob"));
    clear_environment(&mut command);
    let serve = place.command(&["serve"]);
    command.envs(serve.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env("KEYFOB_DATA", &small).env("KEYFOB_MASTER_KEY_FILE", place.master_key_file());
    (command, small)
}

fn fill(path: &Path) {
    let mut filler = File::create(path).expect("a file");
    while filler.write_all(&[0; 4096]).is_ok() {}
    while filler.write_all(&[0]).is_ok() {}
}

/// Where [`a_reader_of_the_small_disk`] finds its database.
const DATABASE: &str = "KEYFOB_TEST_DATABASE_ON_A_SMALL_DISK";

/// The other process of the test below: this test binary, in the server's namespace. Holds a snapshot until its standard input ends.
#[test]
fn a_reader_of_the_small_disk() {
    let Ok(database) = std::env::var(DATABASE) else { return };
    let reader = rusqlite::Connection::open(database).expect("the database");
    reader.execute_batch("BEGIN; SELECT count(*) FROM grants").expect("a snapshot");
    println!("it reads");
    std::io::stdin().read_to_end(&mut Vec::new()).expect("an end");
}

/// A process that reads the server's database. Ended when dropped.
struct Reader(Child);

impl Reader {
    fn beside(serving: &Serving, namespace: &[&str], database: &Path) -> Reader {
        let mut enter = Command::new("nsenter");
        enter.args(["--target", &serving.id().to_string(), "--mount"]);
        if namespace.len() > 1 {
            enter.args(["--user", "--preserve-credentials"]);
        }
        enter.arg(std::env::current_exe().expect("this test"));
        enter.args(["--exact", "processes::disks::a_reader_of_the_small_disk", "--nocapture"]);
        enter.env(DATABASE, database).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut reader = Reader(enter.spawn().expect("nsenter of util-linux"));
        let lines = BufReader::new(reader.0.stdout.take().expect("piped")).lines();
        assert!(lines.map_while(Result::ok).any(|line| line.contains("it reads")), "it does not read");
        reader
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to end.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn t_21_a_full_disk_is_a_503_and_recovers_without_a_restart() {
    let Some(namespace) = namespace() else {
        eprintln!("NOT RUN AS MEANT: no mount namespace here; the full disk is played by a limit on file sizes alone");
        return writes_are_refused().await;
    };
    let place = Place::new();
    let people = place.people();
    let (command, small) = serve_on_small_disk(&place, &namespace, "");
    let serving = Serving::start(command);
    let http = http_client();
    let mut visitor = Visitor::new(&http);
    let met = all_well(&serving, &people, &http, &mut visitor).await;

    let inside = PathBuf::from(format!("/proc/{}/root{}", serving.id(), small.display()));
    // Otherwise the log is copied, starts over, and makes room for small writes however full the disk is. A backup holds it up like this.
    let reader = Reader::beside(&serving, &namespace, &small.join("keyfob.db"));
    fill(&inside.join("filler"));
    // The log has some room of its own; the smallest writes there are use it up.
    let mut spare = met.spare.clone();
    loop {
        let answer = people.rotating.refresh(&http, &serving.base(), Shape::Post, &spare).await.expect("an answer");
        if answer.status == 503 {
            break;
        }
        spare = tokens(&answer).1;
    }
    refuses_to_write(&serving, &people, &http, &mut visitor, &met).await;
    drop(reader);
    std::fs::remove_file(inside.join("filler")).expect("removed");
    works_again(&serving, &people, &http, &met).await;
    // What was answered while the disk filled up holds.
    tokens(&people.rotating.refresh(&http, &serving.base(), Shape::Post, &spare).await.expect("an answer"));
    serving.stop();
}

#[tokio::test]
async fn t_21_refused_writes_are_a_503_and_recover_without_a_restart() {
    writes_are_refused().await;
}

/// The system refuses every write to a file, as a read-only remount after an error does: EFBIG stands in for EROFS, since a file
/// system with files open for writing cannot be remounted, not even by root.
async fn writes_are_refused() {
    let place = Place::new();
    let people = place.people();
    let serve = place.command(&["serve"]);
    let mut command = Command::new("sh");
    // Ignored signals stay ignored across exec: the limit is then an error, as a quota is, and not the end.
    command.args(["-c", "trap '' XFSZ; exec \"$0\" serve", env!("CARGO_BIN_EXE_keyfob")]);
    clear_environment(&mut command);
    command.current_dir(place.around());
    command.envs(serve.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let serving = Serving::start(command);
    let http = http_client();
    let mut visitor = Visitor::new(&http);
    let met = all_well(&serving, &people, &http, &mut visitor).await;
    let limit = |bytes: &str| {
        let (pid, limit) = (format!("--pid={}", serving.id()), format!("--fsize={bytes}:unlimited"));
        let status = Command::new("prlimit").args([pid, limit]).status().expect("prlimit of util-linux");
        assert!(status.success(), "{status}");
    };
    limit("1");
    refuses_to_write(&serving, &people, &http, &mut visitor, &met).await;
    limit("unlimited");
    works_again(&serving, &people, &http, &met).await;
    serving.stop();
}

#[test]
fn t_21_a_read_only_disk_at_the_start_is_named() {
    let Some(namespace) = namespace() else {
        eprintln!("NOT RUN: no mount namespace here, so there is no read-only file system to start on");
        return;
    };
    let place = Place::new();
    place.people();
    let (command, small) = serve_on_small_disk(&place, &namespace, "&& mount -o remount,ro \"$1\"");
    let (code, said) = Serving::refused(command);
    assert_eq!(code, Some(6), "unavailable, try again: {said}");
    assert!(said.contains(small.to_str().expect("UTF-8")) && said.to_lowercase().contains("read-only"), "{said}");
    assert!(!said.contains("panicked"), "{said}");
}
