//! Names what may not come into our binaries, or may but should not.

use keyfob_checks::dependencies::problems;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, ExitCode};

/// The platforms we build for, as deny.toml names them.
const TARGETS: [&str; 3] = ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu", "aarch64-apple-darwin"];

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("invariant: the crate lies in the workspace");
    match found(root) {
        Ok(found) if found.is_empty() => ExitCode::SUCCESS,
        Ok(found) => {
            complain(&found.join("\n"));
            ExitCode::FAILURE
        }
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

fn found(root: &Path) -> Result<Vec<String>, String> {
    let metadata = cargo(root, &["metadata", "--format-version", "1", "--locked", "--all-features"])?;
    let metadata = serde_json::from_slice(&metadata).map_err(|error| error.to_string())?;
    let tree = ["tree", "--workspace", "--all-features", "--locked", "--prefix", "none", "--format", "{p}", "--target"];
    let mut built = BTreeSet::new();
    for target in TARGETS {
        let listed = cargo(root, &[&tree[..], &[target]].concat())?;
        let listed = String::from_utf8_lossy(&listed).into_owned();
        built.extend(listed.lines().map(|line| line.split_whitespace().take(2).collect::<Vec<_>>().join(" ")));
    }
    problems(root, &metadata, &built)
}

fn cargo(root: &Path, arguments: &[&str]) -> Result<Vec<u8>, String> {
    let output = Command::new("cargo").args(arguments).current_dir(root).output().map_err(|error| error.to_string())?;
    match output.status.success() {
        true => Ok(output.stdout),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

#[expect(clippy::print_stderr, reason = "a check tells what it found")]
fn complain(text: &str) {
    eprintln!("{text}");
}
