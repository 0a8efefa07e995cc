//! `keyfob record`: unattended against a sandbox, its diff, and what it says.

use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

/// A sandbox. Killed when dropped.
struct Sandbox(Child, String);

impl Sandbox {
    fn start(scenario: Option<&Path>) -> Sandbox {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keyfob"));
        command.args(["sandbox", "--json", "--listen", "127.0.0.1:0"]);
        if let Some(scenario) = scenario {
            command.arg("--scenario").arg(scenario);
        }
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the binary");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("the announcement");
        let announced: Value = serde_json::from_str(&line).expect("JSON");
        Sandbox(child, announced["issuer"].as_str().expect("an issuer").to_owned())
    }

    fn recorded(&self, more: &[&str]) -> Output {
        record(&[&["followupboss", "--sandbox", &self.1], more].concat(), "")
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to end.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn record(arguments: &[&str], input: &str) -> Output {
    record_with(&[], arguments, input)
}

fn record_with(environment: &[(&str, &str)], arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keyfob"));
    command.env_remove("KEYFOB_CLIENT_ID").envs(environment.iter().copied());
    command.arg("record").args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary");
    // A command that needs no input need not read it.
    let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
    child.wait_with_output().expect("its end")
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn talk(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn two_sandboxes_are_told_apart_and_the_same_one_is_not() {
    let directory = tempfile::tempdir().expect("a directory");
    let scenario = directory.path().join("scenario.json");
    std::fs::write(&scenario, r#"{"faults":[{"fault":"id-token"},{"fault":"second-authorization"}]}"#)
        .expect("written");
    let written = |name: &str, scenario: Option<&Path>| {
        let output = Sandbox::start(scenario).recorded(&["--all"]);
        assert_eq!(output.status.code(), Some(0), "{}", talk(&output));
        assert!(talk(&output).contains("expired-token: sends a call with an access token that is 61 minutes old"));
        let path = directory.path().join(name);
        std::fs::write(&path, &output.stdout).expect("written");
        path.to_str().expect("text").to_owned()
    };
    let (plain, again, switched) = (written("a", None), written("b", None), written("c", Some(&scenario)));
    let same = record(&["diff", &plain, &again], "");
    assert_eq!((same.status.code(), out(&same).as_str()), (Some(0), "Nothing differs.\n"));
    let differs = record(&["--json", "diff", &plain, &switched], "");
    assert_eq!(differs.status.code(), Some(1), "{}", talk(&differs));
    let json: Value = serde_json::from_str(&out(&differs)).expect("JSON");
    let questions: Vec<_> =
        json["differences"].as_array().expect("a list").iter().map(|d| d["question"].clone()).collect();
    assert_eq!(questions, ["id-token", "second-authorization"]);
    assert_eq!(record(&["diff", &plain, "/nowhere"], "").status.code(), Some(4));
    assert_eq!(record(&["diff", &plain, scenario.to_str().expect("text")], "").status.code(), Some(3));
}

#[test]
fn questions_are_listed_without_asking_anybody_and_what_waits_is_left_out_unless_asked_for() {
    let listed = record(&["--questions"], "");
    assert_eq!(listed.status.code(), Some(0), "{}", talk(&listed));
    assert!(
        out(&listed).contains("expired-token (1 consent; waits 3660 s; only with --all or --only)"),
        "{}",
        out(&listed)
    );
    assert_eq!(record(&[], "").status.code(), Some(3));
    assert_eq!(record(&["followupboss", "--only", "nonsense"], "").status.code(), Some(2));

    let sandbox = Sandbox::start(None);
    let json: Value = serde_json::from_str(&out(&sandbox.recorded(&[]))).expect("JSON");
    assert_eq!(json["unanswered"]["api-expired-bearer"], "not asked");
    assert_eq!(json["answers"]["refresh-rotates"], "the same");
    let json: Value = serde_json::from_str(&out(&sandbox.recorded(&["--only", "declined"]))).expect("JSON");
    assert_eq!(json["answers"], serde_json::json!({ "declined": { "response": "denied", "state": "present" } }));
}

#[test]
fn somebody_who_pastes_nothing_gets_what_needs_nobody_and_no_secret_is_said() {
    let sandbox = Sandbox::start(None);
    // As an authority that a person is needed for.
    let arguments = ["keyfob", &sandbox.1, "--client-id", "none", "--redirect-uri", "https://app.example.com/callback"];
    let output = record(&arguments, "a-client-secret-of-mine\nnonsense\n");
    assert_eq!(output.status.code(), Some(0), "{}", talk(&output));
    let json: Value = serde_json::from_str(&out(&output)).expect("JSON");
    assert_eq!(json["answers"]["token-errors-post"]["wrong secret"], "401 invalid_client");
    assert_eq!(json["unanswered"]["exchange-reply-post"], "nobody decided");
    assert!(talk(&output).contains("let the user APPROVE"), "{}", talk(&output));
    assert!(!out(&output).contains("a-client-secret-of-mine") && !talk(&output).contains("a-client-secret-of-mine"));
}

/// Whoever followed the README has the variable exported, for another app as a rule.
#[test]
fn a_sandbox_is_asked_with_its_own_app_though_the_environment_names_one() {
    let sandbox = Sandbox::start(None);
    let exported = [("KEYFOB_CLIENT_ID", "an-app-elsewhere")];
    let arguments = ["followupboss", "--sandbox", &sandbox.1, "--only", "declined"];
    let output = record_with(&exported, &arguments, "");
    assert_eq!(output.status.code(), Some(0), "{}", talk(&output));
    let json: Value = serde_json::from_str(&out(&output)).expect("JSON");
    assert_eq!(json["answers"]["declined"]["response"], "denied");
    // A flag is meant; so is a redirect URI, with the app of the environment.
    let flagged = record(&[&arguments[..], &["--client-id", "mine"]].concat(), "");
    assert_eq!(flagged.status.code(), Some(3), "{}", talk(&flagged));
    assert!(talk(&flagged).contains("--redirect-uri URI"), "{}", talk(&flagged));
    let addressed = [&arguments[..], &["--redirect-uri", "https://app.example.com/callback"]].concat();
    let addressed = record_with(&exported, &addressed, "a-client-secret-of-mine\n");
    assert!(talk(&addressed).contains("declined is open"), "{}", talk(&addressed));
}
