//! What docs/vault.md tells a newcomer to type works, word for word but for the ports.

use crate::readme::{Running, blocks};
use std::process::Command;

const GUIDE: &str = include_str!("../../../../docs/vault.md");

#[test]
fn the_first_walk_of_the_vault_s_guide_works() {
    let [starts, walk] = blocks(GUIDE, "## Try it").collect::<Vec<_>>()[..] else { panic!("two blocks of shell") };
    let started: Vec<Vec<&str>> = starts.lines().map(|line| line.split_whitespace().skip(1).collect()).collect();
    let [sandbox, vault] = &started[..] else { panic!("two commands: {starts}") };

    let free_port = ["--listen", "127.0.0.1:0"];
    let (_sandbox, sandbox) = Running::announced(&[&sandbox[..], &free_port].concat());
    let issuer = sandbox["issuer"].as_str().expect("an issuer");
    let vault: Vec<&str> = vault.iter().map(|word| if word.contains("://") { issuer } else { word }).collect();
    let (_vault, vault) = Running::announced(&[&vault[..], &free_port].concat());
    let text = |name: &str| vault[name].as_str().unwrap_or_else(|| panic!("no {name}: {vault}"));

    let script = walk.replace("http://127.0.0.1:4180", issuer).replace("http://127.0.0.1:4400", text("url"));
    let script = script.replace("keyfobvk_…", text("callerKey"));
    let directory = tempfile::tempdir().expect("a directory");
    let mut walk = Command::new("bash");
    walk.args(["-euo", "pipefail", "-c", &script]).current_dir(directory.path());
    let output = walk.output().expect("bash and curl: apt-get install bash curl");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));

    let steps = [
        "/connect/",
        "/end/connected",
        "\"app\":\"sandbox\",\"id\":\"user-1\",\"from\":null,\"to\":\"connected\"",
        "\"people\":[",
        "\"offsetSeconds\":3660",
        "Yusuf Shah",
        "\"state\":\"connected\"",
        "\"removed\":true,\"ended_at_authority\":true",
    ];
    let mut rest = said.as_ref();
    for step in steps {
        rest = rest.split_once(step).unwrap_or_else(|| panic!("no {step} in order in:\n{said}")).1;
    }
}

#[test]
fn the_commands_for_real_use_of_the_vault_s_guide_exist() {
    let commands = blocks(GUIDE, "## For real").next().expect("a block of shell");
    let directory = tempfile::tempdir().expect("a directory");
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keyfob"));
        let output = command.args(arguments).current_dir(directory.path()).output().expect("the binary");
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned(), output.stderr)
    };
    for expected in ["keyfob vault sample > vault.toml", "keyfob vault key ", "keyfob vault check ", "keyfob vault\n"] {
        assert!(commands.contains(expected), "{expected}: {commands}");
    }
    let (sampled, sample, _) = run(&["vault", "sample"]);
    std::fs::write(directory.path().join("vault.toml"), sample).expect("written");
    let (made, key, _) = run(&["vault", "key"]);
    assert!(sampled && made && key.contains("key_sha256 = "), "{key}");
    let (fits, _, complaint) = run(&["vault", "check"]);
    // The newcomer is told what is still to be done.
    assert!(!fits && String::from_utf8_lossy(&complaint).contains("apps.fub.client_secret_file"));
}

#[test]
fn a_vault_on_trial_listens_on_this_machine_only() {
    for (arguments, code, words) in [
        (&["--sandbox", "http://127.0.0.1:9", "--listen", "0.0.0.0:0"][..], 3, "on loopback only"),
        (&["--sandbox", "http://127.0.0.1:9", "--listen", "127.0.0.1:0"], 6, "start one: keyfob sandbox"),
        (&["--listen", "127.0.0.1:0"], 3, "has listen in its configuration"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keyfob"));
        let output = command.arg("vault").args(arguments).output().expect("the binary");
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {complaint}");
        assert!(complaint.contains(words), "{arguments:?}: {complaint}");
    }
}
