//! What the README tells a newcomer to type works, word for word.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

const README: &str = include_str!("../../../../README.md");

/// Ends its process when it is dropped.
pub(crate) struct Running(Child);

impl Running {
    /// Starts a command of the binary that announces itself by one line of JSON, and reads that.
    pub(crate) fn announced(arguments: &[&str]) -> (Running, serde_json::Value) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keyfob"));
        command.arg("--json").args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut running = Running(command.spawn().expect("the binary"));
        let mut line = String::new();
        BufReader::new(running.0.stdout.take().expect("piped")).read_line(&mut line).expect("the announcement");
        let announced = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {line}"));
        (running, announced)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to end.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The first block of shell below a heading of the README.
pub(crate) fn block(heading: &str) -> &'static str {
    blocks(README, heading).next().expect("a block of shell")
}

/// The blocks of shell of a section, which ends where the next begins.
pub(crate) fn blocks<'d>(document: &'d str, heading: &str) -> impl Iterator<Item = &'d str> {
    let section = document.split_once(heading).unwrap_or_else(|| panic!("there is {heading:?}")).1;
    let section = section.split_once("\n## ").map_or(section, |(section, _)| section);
    let ends = section.split("```sh\n").skip(1);
    ends.map(|block| block.split_once("```").expect("an end of the block").0)
}

#[test]
fn the_tour_of_the_readme_works() {
    let (_sandbox, announced) = Running::announced(&["sandbox", "--listen", "127.0.0.1:0"]);
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
