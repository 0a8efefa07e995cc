//! `arrows`: compares the dependencies between our crates with the table in `docs/architecture.md`. Run it at the root
//! of the repository. Exit code 1 when they depart from the table, 2 when one of the two cannot be read.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line program")]

use std::process::{Command, ExitCode};
use std::{env, fs};

use keyfob_checks::arrows;

const TABLE: &str = "docs/architecture.md";

fn main() -> ExitCode {
    match departures() {
        Ok(found) if found.is_empty() => ExitCode::SUCCESS,
        Ok(found) => {
            for departure in &found {
                eprintln!("arrows: {departure}");
            }
            eprintln!("arrows: change the dependency, or the table in {TABLE} and say there why");
            ExitCode::FAILURE
        }
        Err(why) => {
            eprintln!("arrows: {why}");
            ExitCode::from(2)
        }
    }
}

fn departures() -> Result<Vec<String>, String> {
    let document = fs::read_to_string(TABLE).map_err(|e| format!("cannot read {TABLE}: {e}"))?;
    let declared = arrows::declared(&document).map_err(|why| format!("{TABLE}: {why}"))?;
    let actual = arrows::actual(&metadata()?)?;
    println!("{} crates, {} arrows", actual.len(), actual.values().map(|targets| targets.len()).sum::<usize>());
    Ok(arrows::departures(&declared, &actual))
}

fn metadata() -> Result<String, String> {
    // Cargo names itself to the programs it runs.
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .output()
        .map_err(|e| format!("cannot run cargo metadata: {e}"))?;
    if !output.status.success() {
        return Err(format!("cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr).trim()));
    }
    String::from_utf8(output.stdout).map_err(|e| format!("cargo metadata is not UTF-8: {e}"))
}
