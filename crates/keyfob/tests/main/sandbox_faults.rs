//! What docs/sandbox-faults.md tells people to type prints what it says, and it leaves no fault out.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

const PAGE: &str = include_str!("../../../../docs/sandbox-faults.md");
/// The last line of a block.
const PRINTS: &str = "# prints: ";

/// A sandbox with what it announced. Killed when dropped.
struct Sandbox(Child, serde_json::Value);

impl Sandbox {
    fn start(more: &[&str]) -> Sandbox {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keyfob"));
        command.args(["sandbox", "--json", "--listen", "127.0.0.1:0"]).args(more);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the binary");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("piped");
        BufReader::new(stdout).read_line(&mut line).expect("the announcement");
        Sandbox(child, serde_json::from_str(&line).expect("one line of JSON"))
    }

    fn issuer(&self) -> &str {
        self.1["issuer"].as_str().expect("an issuer")
    }

    fn faults(&self) -> String {
        let output = Command::new("curl").args(["-s", &format!("{}/sandbox/faults", self.issuer())]).output();
        String::from_utf8(output.expect("curl: apt-get install curl").stdout).expect("text")
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to end.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The blocks of shell, each with what it should print.
fn blocks() -> Vec<(&'static str, Vec<&'static str>)> {
    let block = |block: &'static str| {
        let block = block.split_once("```").expect("an end of the block").0;
        let (script, prints) = block.trim_end().rsplit_once(PRINTS).unwrap_or_else(|| panic!("no {PRINTS}: {block}"));
        (script, prints.split(" … ").collect())
    };
    PAGE.split("```sh\n").skip(1).map(block).collect()
}

#[test]
fn every_line_of_the_page_on_faults_prints_what_it_says() {
    let sandbox = Sandbox::start(&[]);
    let blocks = blocks();
    let mark = "=== the next block ===";
    let script: Vec<&str> = blocks.iter().map(|(script, _)| *script).collect();
    let script = script.join(&format!("echo; echo '{mark}'\n")).replace("http://127.0.0.1:4180", sandbox.issuer());
    let output = Command::new("bash").args(["-uo", "pipefail", "-c", &script]).output();
    let output = output.expect("bash and curl: apt-get install bash curl");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    let said: Vec<&str> = said.split(mark).collect();
    assert_eq!(said.len(), blocks.len());
    for ((script, prints), said) in blocks.iter().zip(said) {
        // What the POST that sets the fault says is not meant.
        let mut rest = said.split_once("]}").map_or(said, |(_, rest)| rest);
        for piece in prints {
            rest = rest.split_once(piece).unwrap_or_else(|| panic!("no {piece:?} in order after\n{script}\n{said}")).1;
        }
    }
    assert!(!sandbox.faults().contains("\"fired\":0"), "every fault fired: {}", sandbox.faults());
}

#[test]
fn the_page_on_faults_leaves_none_out() {
    let sandbox = Sandbox::start(&[]);
    let (url, body) = (format!("{}/sandbox/faults", sandbox.issuer()), r#"{"faults":[{"fault":"?"}]}"#);
    let arguments = ["-s", &url, "-H", "Content-Type: application/json", "-d", body];
    let output = Command::new("curl").args(arguments).output().expect("curl: apt-get install curl");
    let refusal = String::from_utf8(output.stdout).expect("text");
    let names: Vec<&str> =
        refusal.split_once("expected one of").expect("the names").1.split('`').skip(1).step_by(2).collect();
    assert_eq!(names.len(), 16, "{refusal}");
    for name in names {
        assert!(PAGE.contains(&format!("| `{name}` |")) && PAGE.contains(&format!("### {name}\n")), "{name}");
    }
}

#[test]
fn a_scenario_is_set_from_the_start_and_a_wrong_one_is_refused_with_the_key() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("scenario.json");
    let path = file.to_str().expect("text");
    std::fs::write(&file, r#"{"faults":[{"fault":"server-error","times":2},{"fault":"deny"}]}"#).expect("written");
    let listed = Sandbox::start(&["--scenario", path]).faults();
    assert!(listed.contains("server-error") && listed.contains("deny"), "{listed}");
    // What a sandbox says of its faults, saved, starts another.
    std::fs::write(&file, &listed).expect("written");
    assert_eq!(Sandbox::start(&["--scenario", path]).faults(), listed);

    for (scenario, named) in [
        (r#"[{"fault":"deny"}]"#, "it is an object: {\"faults\": ["),
        (r#"{"faults":[{"fault":"server-error","tims":2}]}"#, "tims"),
        (r#"{"faults":[{"fault":"deny","app":"nobody"}]}"#, "nobody"),
        (r#"{"fault":"deny"}"#, "`fault`"),
        ("", "EOF"),
    ] {
        std::fs::write(&file, scenario).expect("written");
        let mut command = Command::new(env!("CARGO_BIN_EXE_keyfob"));
        command.args(["sandbox", "--listen", "127.0.0.1:0", "--scenario", path]);
        let output = command.output().expect("the binary");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && output.stdout.is_empty(), "{said}");
        assert!(said.contains(path) && said.contains(named), "{scenario}: {said}");
    }
}
