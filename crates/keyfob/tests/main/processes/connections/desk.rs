//! A partner's developer with a directory of connections, who types commands and pastes addresses.

use super::super::place::{Told, bare_command, told};
use super::sandbox::{REDIRECT_URI, Sandbox};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::Duration;
use tempfile::TempDir;

/// More than any command takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// The directory and what is in the environment.
pub(in crate::processes) struct Desk {
    directory: TempDir,
    environment: Vec<(&'static str, String)>,
}

/// A `keyfob connect` that waits for its answer.
pub(in crate::processes) struct Connecting {
    child: Child,
    stdin: Option<ChildStdin>,
    stderr: Option<JoinHandle<String>>,
    /// What the user has to open.
    pub(in crate::processes) url: String,
}

impl Desk {
    /// With the secrets of this app.
    pub(super) fn of(sandbox: &Sandbox, app: usize) -> Desk {
        let mut environment = vec![
            ("KEYFOB_CLIENT_ID", sandbox.app(app, "clientId").to_owned()),
            ("KEYFOB_SYSTEM_KEY", sandbox.system("key").to_owned()),
        ];
        if let Some(secret) = sandbox.announced["apps"][app]["clientSecret"].as_str() {
            environment.push(("KEYFOB_CLIENT_SECRET", secret.to_owned()));
        }
        Desk::with(environment)
    }

    /// With these in the environment.
    pub(in crate::processes) fn with(environment: Vec<(&'static str, String)>) -> Desk {
        Desk { directory: tempfile::tempdir().expect("a directory"), environment }
    }

    /// With nothing in the environment.
    pub(super) fn bare() -> Desk {
        Desk::with(Vec::new())
    }

    /// Without this in its environment.
    pub(super) fn without(mut self, name: &str) -> Desk {
        self.environment.retain(|(named, _)| *named != name);
        self
    }

    pub(super) fn connections(&self) -> PathBuf {
        self.directory.path().join("connections")
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.connections().join(format!("{name}.json"))
    }

    /// What stands in a connection's file.
    pub(in crate::processes) fn kept(&self, name: &str) -> Value {
        let text = std::fs::read_to_string(self.file(name)).expect("the connection's file");
        serde_json::from_str(&text).expect("JSON")
    }

    /// The access token, as the file has it.
    pub(super) fn access_token(&self, name: &str) -> String {
        self.kept(name)["standing"]["accessToken"].as_str().expect("a token").to_owned()
    }

    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = bare_command(arguments);
        command.current_dir(self.directory.path()).env("KEYFOB_CONNECTIONS", self.connections());
        // Nobody wants a browser on the screen of whoever runs the tests.
        command.env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    pub(super) fn run(&self, arguments: &[&str]) -> Told {
        told(self.command(arguments), "")
    }

    /// Runs a command that must succeed.
    pub(in crate::processes) fn does(&self, arguments: &[&str]) -> Told {
        let told = self.run(arguments);
        assert_eq!(told.code, Some(0), "{arguments:?}: {told:?}");
        told
    }

    /// The same, its JSON.
    pub(super) fn json(&self, arguments: &[&str]) -> Value {
        let told = self.does(&[arguments, &["--json"]].concat());
        serde_json::from_str(&told.stdout).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {told:?}"))
    }

    /// Begins `keyfob connect` with these arguments and waits for the address to open.
    pub(in crate::processes) fn begin(&self, arguments: &[&str]) -> Connecting {
        self.begin_with(arguments, "")
    }

    /// The same, with something typed before it asks.
    pub(super) fn begin_with(&self, arguments: &[&str], typed: &str) -> Connecting {
        Connecting::start(self.command(&[&["connect"], arguments].concat()), typed)
    }

    /// Begins to connect the sandbox in Follow Up Boss's place.
    pub(super) fn begin_at(&self, sandbox: &str, system: &str, more: &[&str]) -> Connecting {
        let arguments = ["followupboss", "--sandbox", sandbox, "--redirect-uri", REDIRECT_URI, "--system", system];
        self.begin(&[&arguments, more].concat())
    }

    /// Connects the owner of the first account, under this name.
    pub(super) async fn connected(&self, sandbox: &Sandbox, name: &str) -> Told {
        let connecting = self.begin_at(sandbox.issuer(), sandbox.system("name"), &["--as", name]);
        let callback = sandbox.approved(&connecting.url).await;
        let told = connecting.pastes(&[&callback]);
        assert_eq!(told.code, Some(0), "{told:?}");
        told
    }
}

fn wait_for(url: &Receiver<String>, child: &mut Child) -> String {
    url.recv_timeout(PATIENCE).unwrap_or_else(|_| {
        let _ = child.kill();
        panic!("it printed no address")
    })
}

impl Connecting {
    /// Starts something that connects and waits for the address to open.
    pub(super) fn start(mut command: Command, typed: &str) -> Connecting {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary starts");
        let mut stdin = child.stdin.take().expect("a pipe");
        stdin.write_all(typed.as_bytes()).expect("it reads");
        let stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        let (found, url) = channel();
        let stderr = std::thread::spawn(move || {
            let mut said = String::new();
            for line in stderr.lines().map_while(Result::ok) {
                if line.starts_with("http") {
                    // Only the first is waited for.
                    let _ = found.send(line.clone());
                }
                said += &line;
                said.push('\n');
            }
            said
        });
        let url = wait_for(&url, &mut child);
        Connecting { child, stdin: Some(stdin), stderr: Some(stderr), url }
    }

    /// Pastes these lines, ends the input, and waits for the end.
    pub(in crate::processes) fn pastes(mut self, lines: &[&str]) -> Told {
        let mut stdin = self.stdin.take().expect("a pipe");
        for line in lines {
            // It may have ended by itself.
            let _ = writeln!(stdin, "{line}");
        }
        drop(stdin);
        self.ended()
    }

    /// Waits for the end.
    pub(super) fn ended(mut self) -> Told {
        let mut stdout = String::new();
        self.child.stdout.take().expect("a pipe").read_to_string(&mut stdout).expect("UTF-8");
        let status = self.child.wait().expect("it ends");
        drop(self.stdin.take());
        let stderr = self.stderr.take().map(|reader| reader.join().expect("no panic")).unwrap_or_default();
        Told { code: status.code(), stdout, stderr }
    }
}

/// A test that fails leaves nobody waiting for a callback.
impl Drop for Connecting {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
