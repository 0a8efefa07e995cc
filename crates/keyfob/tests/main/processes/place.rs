//! A data directory, the commands that are run on it, and what they put there.

use super::partner::Partner;
use super::serving::Serving;
use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// Of every test server: the port is a free one, so the issuer cannot be made from it.
pub(super) const ISSUER: &str = "http://127.0.0.1";
pub(super) const REDIRECT_URI: &str = "https://app.example.com/callback";
pub(super) const EMAIL: &str = "owner@example.com";
pub(super) const PASSWORD: &str = "correct horse battery staple";

/// A data directory with its master key beside it; removed at the end.
pub(super) struct Place {
    directory: TempDir,
    /// The URL of its database; `None`: SQLite in the data directory.
    store: Option<String>,
    issuer: String,
}

/// What a command said and how it ended.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) code: Option<i32>,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

/// An account with its owner, a system, and two apps of it.
pub(super) struct People {
    pub(super) account: i64,
    pub(super) user: i64,
    pub(super) system: String,
    pub(super) system_key: String,
    /// Refresh tokens stay the same.
    pub(super) fixed: Partner,
    /// Refresh tokens rotate.
    pub(super) rotating: Partner,
}

impl Place {
    pub(super) fn new() -> Place {
        Place::of(ISSUER)
    }

    /// Of this issuer.
    pub(super) fn of(issuer: &str) -> Place {
        Place { directory: tempfile::tempdir().expect("a directory"), store: None, issuer: issuer.to_owned() }
    }

    /// A node whose rows lie in the database at this URL.
    pub(super) fn on(url: &str) -> Place {
        Place { store: Some(url.to_owned()), ..Place::new() }
    }

    /// What is around the data directory: room for other files of a test.
    pub(super) fn around(&self) -> &Path {
        self.directory.path()
    }

    pub(super) fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    pub(super) fn master_key_file(&self) -> PathBuf {
        self.directory.path().join("data.master-key")
    }

    pub(super) fn database(&self) -> PathBuf {
        self.data().join("keyfob.db")
    }

    /// The binary with these arguments on this data, and nothing from the environment of the test.
    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = bare_command(arguments);
        command.current_dir(self.directory.path());
        command.env("KEYFOB_ISSUER", &self.issuer).env("KEYFOB_LISTEN", "127.0.0.1:0").env("KEYFOB_LOG", "json");
        command.env("KEYFOB_DATA", self.data());
        command.envs(self.store.iter().map(|url| ("KEYFOB_STORE", url)));
        command
    }

    /// Runs a command to its end.
    pub(super) fn run(&self, arguments: &[&str]) -> Told {
        told(self.command(arguments), "")
    }

    /// Runs a command that must succeed, and reads its JSON.
    pub(super) fn json(&self, arguments: &[&str]) -> Value {
        self.json_with(arguments, "")
    }

    /// The same with something on its standard input.
    pub(super) fn json_with(&self, arguments: &[&str], input: &str) -> Value {
        self.json_where(&[], arguments, input)
    }

    /// The same where these stand in the environment instead.
    pub(super) fn json_where(&self, environment: &[(&str, &str)], arguments: &[&str], input: &str) -> Value {
        let arguments = [arguments, &["--json"]].concat();
        let mut command = self.command(&arguments);
        command.envs(environment.iter().copied());
        let told = told(command, input);
        assert_eq!(told.code, Some(0), "{arguments:?}: {told:?}");
        serde_json::from_str(&told.stdout).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {told:?}"))
    }

    /// Starts a server on it and waits until it is ready.
    pub(super) fn serve(&self) -> Serving {
        Serving::start(self.command(&["serve"]))
    }

    /// The same, listening where the issuer's URL leads.
    pub(super) fn serve_at_issuer(&self) -> Serving {
        let mut command = self.command(&["serve"]);
        command.env("KEYFOB_LISTEN", self.issuer.strip_prefix("http://").expect("plain http"));
        Serving::start(command)
    }

    /// Adds people by the command line.
    pub(super) fn people(&self) -> People {
        let account = self.json(&["account", "add", "--name", "Maple Street Realty", "--domain", "maple-street"]);
        let account = account["id"].as_i64().expect("an account");
        let number = account.to_string();
        let user = ["user", "add", "--account", &number, "--email", EMAIL, "--name", "Olive Owner", "--role", "owner"];
        let user = self.json_with(&user, PASSWORD)["id"].as_i64().expect("a user");
        let system = self.json(&["system", "add", "--name", "Partner One"]);
        let app = |name: &str, more: &[&str]| {
            let add = ["app", "add", "--system", "Partner One", "--name", name, "--redirect-uri", REDIRECT_URI];
            Partner::of(&self.json(&[&add, more].concat()))
        };
        People {
            account,
            user,
            system: "Partner One".to_owned(),
            system_key: system["key"].as_str().expect("a key").to_owned(),
            fixed: app("Fixed", &[]),
            rotating: app("Rotating", &["--rotating"]),
        }
    }
}

/// The binary without any of our variables.
pub(super) fn bare_command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keyfob"));
    command.args(arguments);
    clear_environment(&mut command);
    command
}

/// What `./test` sets, or the person who runs it, must not reach a server under test.
pub(super) fn clear_environment(command: &mut Command) {
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("KEYFOB_") || name == "RUST_LOG") {
        command.env_remove(name);
    }
}

/// Runs a command to its end.
pub(super) fn told(mut command: Command, input: &str) -> Told {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary starts");
    // A command that does not read its input closes it; that is no failure of the test.
    let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
    let output = child.wait_with_output().expect("the binary ends");
    Told {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}
