//! Secrets and pasted lines: from files, the environment and standard input, never from an argument, which other users can read.

use crate::exit::Exit;
use crate::output;
use keyfob_client::Secret;
use std::io::{BufRead, IsTerminal, Read};
use std::path::Path;
use tokio::sync::mpsc::{self, UnboundedReceiver};

/// Longest line that is taken, in bytes: longer than any callback.
const MAX_LINE: u64 = 64 * 1024;

/// The lines of standard input, read as soon as the first one is wanted.
#[derive(Default)]
pub(crate) struct Lines {
    lines: Option<UnboundedReceiver<String>>,
}

impl Lines {
    /// The next line without its end, `None` behind the last.
    pub(crate) async fn next(&mut self) -> Option<String> {
        self.lines.get_or_insert_with(start).recv().await
    }
}

/// A thread, since nothing can take back a read that waits for a terminal: it ends with the process.
fn start() -> UnboundedReceiver<String> {
    let (sender, receiver) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        let mut stdin = std::io::stdin().lock();
        loop {
            let mut line = String::new();
            match (&mut stdin).take(MAX_LINE).read_line(&mut line) {
                Ok(read) if read > 0 => {}
                _ => return,
            }
            if sender.send(line.trim_end_matches(['\n', '\r']).to_owned()).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Whether a person sits there.
pub(crate) fn is_terminal() -> bool {
    std::io::stdin().is_terminal()
}

/// A secret: from the file if one is named, else from the environment.
pub(crate) fn secret(file: Option<&Path>, variable: &str) -> anyhow::Result<Option<Secret<String>>> {
    let text = match file {
        Some(path) => std::fs::read_to_string(path)
            .map_err(|error| Exit::Refused.because(format!("{}: {error}", path.display())))?,
        None => match std::env::var(variable) {
            Ok(text) => text,
            Err(_) => return Ok(None),
        },
    };
    let secret = Secret::from(text.trim());
    match secret.expose().is_empty() {
        false => Ok(Some(secret)),
        true => {
            let named = file.map_or(variable.to_owned(), |path| path.display().to_string());
            Err(Exit::Refused.because(format!("{named} is empty")))
        }
    }
}

/// A secret from the next line of standard input.
pub(crate) async fn asked(lines: &mut Lines, what: &str) -> anyhow::Result<Secret<String>> {
    if is_terminal() {
        output::say(&format!("keyfob: type or paste the {what}, then Enter (it is not hidden)"));
    }
    match lines.next().await.map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()) {
        Some(line) => Ok(Secret::new(line)),
        None => Err(Exit::Refused.because(format!("there is no {what} on standard input"))),
    }
}
