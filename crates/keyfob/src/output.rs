//! Printing: data on standard output, as JSON or as text that a person reads; talk on standard error.

use crate::args::Args;
use clap::CommandFactory;
use clap_complete::Shell;
use serde::Serialize;
use std::io::{self, Write};
use std::path::Path;

/// Prints data: one JSON document, or the text.
pub(crate) fn data(json: bool, value: &impl Serialize, text: impl FnOnce() -> String) -> anyhow::Result<()> {
    let text = if json { serde_json::to_string(value)? } else { text().trim_end().to_owned() };
    print(format!("{text}\n").as_bytes())
}

/// Prints an answer's body as it came, with a line end behind it.
pub(crate) fn body(bytes: &[u8]) -> anyhow::Result<()> {
    match bytes.last() {
        None => Ok(()),
        Some(b'\n') => print(bytes),
        Some(_) => print(&[bytes, b"\n"].concat()),
    }
}

/// Whoever reads may have seen enough (`| head -1`); that is no failure.
fn print(bytes: &[u8]) -> anyhow::Result<()> {
    match io::stdout().write_all(bytes).and_then(|()| io::stdout().flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Says something to the person at the terminal.
#[expect(clippy::print_stderr, reason = "talk goes to standard error")]
pub(crate) fn say(text: &str) {
    eprintln!("{text}");
}

/// Lines of columns, aligned, below a heading.
pub(crate) fn table(heading: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let heading: Vec<String> = heading.iter().map(|name| (*name).to_owned()).collect();
    let columns = heading.len();
    let rows: Vec<Vec<String>> = std::iter::once(heading).chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// A completion script on standard output.
pub(crate) fn completions(shell: Shell) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "keyfob", &mut script);
    print(&script)
}

/// A man page for each command.
pub(crate) fn man_pages(directory: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(directory)?;
    clap_mangen::generate_to(Args::command(), directory)?;
    say(&format!("man pages are in {}", directory.display()));
    Ok(())
}
