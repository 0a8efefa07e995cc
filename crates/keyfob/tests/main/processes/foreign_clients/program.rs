//! A script of `clients/`: run to its end, with a person beside it.

use super::super::place::{REDIRECT_URI, clear_environment};
use super::authority::App;
use super::installed::Installed;
use super::person::Person;
use serde_json::Value;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::Command;

/// More than any script takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A script to run.
pub(super) struct Script<'s> {
    /// "name.mjs" or "name.py", and its arguments.
    pub(super) line: &'s str,
    /// Whose client it is.
    pub(super) app: &'s App,
    /// For one that is an API: what its caller presents.
    pub(super) access_token: Option<&'s str>,
}

/// What a script said at its end.
pub(super) struct Finished {
    /// Of its library.
    pub(super) version: String,
    /// What the wire does not show.
    pub(super) proved: Vec<String>,
}

/// Runs a script, or says what went wrong.
pub(super) async fn run(installed: &Installed, script: Script<'_>, person: &mut Person) -> Result<Finished, String> {
    let app = script.app;
    let room = tempfile::tempdir().expect("a directory");
    let mut words = script.line.split(' ');
    let mut command = installed.command(words.next().expect("a name"), room.path());
    clear_environment(&mut command);
    command.args(words).env("AUTHORITY", &app.issuer).env("CLIENT_ID", &app.client_id);
    command.env("CLIENT_SECRET", app.client_secret.as_deref().unwrap_or_default()).env("REDIRECT_URI", REDIRECT_URI);
    command.envs(script.access_token.map(|token| ("ACCESS_TOKEN", token)));
    let mut command = Command::from(command);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let child = command.spawn().map_err(|error| error.to_string())?;
    let life = tokio::time::timeout(PATIENCE, converse(child, person)).await;
    life.map_err(|_| format!("no end within {PATIENCE:?}"))?
}

async fn converse(mut child: tokio::process::Child, person: &mut Person) -> Result<Finished, String> {
    let mut stdin = child.stdin.take().expect("a pipe");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut finished = None;
    while let Some(line) = lines.next_line().await.map_err(|error| error.to_string())? {
        let told: Value = serde_json::from_str(&line).map_err(|_| format!("it printed {line:?}"))?;
        if let Some(url) = told["open"].as_str() {
            let callback = person.callback_of(url, told["decision"].as_str().unwrap_or_default()).await;
            stdin.write_all(format!("{callback}\n").as_bytes()).await.map_err(|error| error.to_string())?;
        } else {
            finished = Some(told);
        }
    }
    let output = child.wait_with_output().await.map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&output.stderr);
    match finished {
        Some(told) if output.status.success() => Ok(Finished {
            version: told["version"].as_str().unwrap_or_default().to_owned(),
            proved: told["proved"].as_array().into_iter().flatten().map(text).collect(),
        }),
        _ => Err(format!("{}: {said}", output.status)),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
