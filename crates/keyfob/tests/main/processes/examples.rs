//! The scripts in `examples/vault` against a vault and a sandbox, both as processes; the test is the browser and the receiver of webhooks.
//!
//! `examples/axum-connect` is a crate and has its tests there.

mod platform_login;
mod vault;

use super::connections::sandbox::{ROTATING, Sandbox};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use vault::{Vault, WEBHOOK_SECRET, Webhooks};

/// A language's way to run the two scripts.
struct Scripts {
    program: &'static str,
    connect: &'static str,
    signature: &'static str,
    /// Checks the signature's function against a known one.
    vector: &'static [&'static str],
}

const PYTHON: Scripts = Scripts {
    program: "python3",
    connect: "connect.py",
    signature: "signature.py",
    vector: &["-m", "doctest", "signature.py"],
};
const NODE: Scripts = Scripts {
    program: "node",
    connect: "connect.mjs",
    signature: "signature.mjs",
    vector: &["--test", "signature.test.mjs"],
};

impl Scripts {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.program);
        command.args(arguments).current_dir(directory()).stdin(Stdio::null());
        // Python writes no cache beside its scripts.
        command.env("PYTHONDONTWRITEBYTECODE", "1").stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// What the script says of a body with this signature.
    fn judges(&self, signature: &str, body: &Path) -> Output {
        let mut command = self.command(&[self.signature, signature]);
        command.env("KEYFOB_WEBHOOK_SECRET", WEBHOOK_SECRET).stdin(std::fs::File::open(body).expect("the body"));
        command.output().expect("it runs")
    }
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/vault")
}

fn succeeded(output: &Output) -> String {
    let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}\n{complained}");
    said.into_owned()
}

/// The script from its start to its end, while the user opens the link.
async fn runs(scripts: &Scripts) {
    succeeded(&scripts.command(scripts.vector).output().expect("it is installed: ./test names what is needed"));

    let (sandbox, mut webhooks) = (Sandbox::start(), Webhooks::listen().await);
    let vault = Vault::start(&sandbox, ROTATING, &webhooks);
    // An event of this user from before is no answer to a link of now.
    vault.connects(&sandbox, "user-7").await;
    vault.gives_back("user-7").await;

    let mut command = scripts.command(&[scripts.connect, "fub", "user-7"]);
    command.env("KEYFOB_VAULT_URL", vault.base()).env("KEYFOB_VAULT_KEY", &vault.key);
    let mut running = vault::Script::start(command);
    let link = running.line().await;
    vault.opens(&sandbox, link.strip_prefix("open ").unwrap_or_else(|| panic!("no link: {link}")), "approve").await;
    let said = running.ended().await;
    let people = said.lines().find_map(|line| line.strip_prefix("people ")).unwrap_or_else(|| panic!("{said}"));
    assert_eq!(people.split(", ").count(), 3, "{said}");
    assert!(said.ends_with("afterwards not_connected\n"), "{said}");

    let directory = tempfile::tempdir().expect("a directory");
    let body = directory.path().join("body");
    let (signature, event) = webhooks.next().await;
    let told: Value = serde_json::from_slice(&event).expect("JSON");
    assert_eq!((&told["id"], &told["to"]), (&"user-7".into(), &"connected".into()), "{told}");
    std::fs::write(&body, &event).expect("written");
    assert_eq!(succeeded(&scripts.judges(&signature, &body)).trim(), "genuine");
    std::fs::write(&body, String::from_utf8_lossy(&event).replace("user-7", "user-8")).expect("written");
    assert_eq!(scripts.judges(&signature, &body).status.code(), Some(1), "a changed body");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_python_example_connects_calls_verifies_and_revokes() {
    runs(&PYTHON).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_node_example_connects_calls_verifies_and_revokes() {
    runs(&NODE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_says_that_the_user_declined() {
    for scripts in [PYTHON, NODE] {
        let (sandbox, webhooks) = (Sandbox::start(), Webhooks::listen().await);
        let vault = Vault::start(&sandbox, ROTATING, &webhooks);
        let mut command = scripts.command(&[scripts.connect, "fub", "user-9"]);
        command.env("KEYFOB_VAULT_URL", vault.base()).env("KEYFOB_VAULT_KEY", &vault.key);
        let mut running = vault::Script::start(command);
        let link = running.line().await;
        vault.opens(&sandbox, link.strip_prefix("open ").expect("a link"), "deny").await;
        let (code, complained) = running.failed().await;
        assert_eq!(code, Some(1), "{complained}");
        assert!(complained.contains("not connected: denied"), "{complained}");
    }
}
