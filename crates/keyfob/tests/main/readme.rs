//! What the README tells a newcomer to type works, word for word.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

const README: &str = include_str!("../../../../README.md");

/// Ends its process when it is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to end.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The first block of shell below a heading.
pub(crate) fn block(heading: &str) -> &'static str {
    let section = README.split_once(heading).unwrap_or_else(|| panic!("the README has {heading:?}")).1;
    let block = section.split_once("```sh\n").expect("a block of shell").1;
    block.split_once("```").expect("an end of the block").0
}

#[test]
fn the_tour_of_the_readme_works() {
    let mut sandbox = Command::new(env!("CARGO_BIN_EXE_keyfob"));
    sandbox.args(["sandbox", "--json", "--listen", "127.0.0.1:0"]).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut sandbox = Running(sandbox.spawn().expect("the binary"));
    let mut line = String::new();
    BufReader::new(sandbox.0.stdout.take().expect("piped")).read_line(&mut line).expect("the announcement");
    let announced: serde_json::Value = serde_json::from_str(&line).expect("one line of JSON");
    let issuer = announced["issuer"].as_str().expect("an issuer");

    let script = format!("{}{}", block("## Five minutes with curl"), block("## The same in standard OAuth"));
    let script = script.replace("http://127.0.0.1:4180", issuer);
    let directory = tempfile::tempdir().expect("a directory");
    let mut tour = Command::new("bash");
    tour.args(["-euo", "pipefail", "-c", &script]).current_dir(directory.path());
    let output = tour.output().expect("bash, curl and openssl: apt-get install bash curl openssl");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));

    let steps = [
        "response=approved&code=",
        "\"success\":true",
        "\"user\":{\"id\":1,\"name\":\"Yusuf Shah\"",
        "\"offsetSeconds\":3660",
        "expired-access-token",
        "\"token_type\":\"Bearer\",\"expires_in\":3600",
        // The public app, too.
        "\"token_type\":\"Bearer\",\"expires_in\":3600",
    ];
    let mut rest = said.as_ref();
    for step in steps {
        rest = rest.split_once(step).unwrap_or_else(|| panic!("no {step} in order in:\n{said}")).1;
    }
}

#[test]
fn the_two_commands_of_the_readme_exist() {
    let commands = block("## Two commands");
    assert!(commands.contains("cargo run --release -- sandbox") && commands.contains("./test"), "{commands}");
    assert!(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../test").exists());
}
