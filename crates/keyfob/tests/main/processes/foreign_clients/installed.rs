//! Where the foreign clients are installed; installs them if nobody has.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The directory of this workspace.
pub(super) fn workspace() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// What `clients/install` installed.
#[derive(Debug, Clone)]
pub(in super::super) struct Installed {
    /// Has Node's `node_modules`.
    node: PathBuf,
    /// Python's virtual environment.
    python: PathBuf,
    /// The one that schemathesis has for itself.
    schemathesis: PathBuf,
}

impl Installed {
    /// # Panics
    /// With what the installer said, if it fails: tests of foreign clients are never skipped.
    pub(in super::super) fn find() -> Installed {
        let output = Command::new(workspace().join("clients/install")).output().expect("clients/install starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "clients/install, which needs node, npm and python3 with venv: {said}");
        let told = String::from_utf8(output.stdout).expect("UTF-8");
        let mut lines = told.lines().map(PathBuf::from);
        let mut next = || lines.next().expect("a directory");
        Installed { node: next(), python: next(), schemathesis: next() }
    }

    /// The command line of schemathesis.
    pub(super) fn schemathesis(&self) -> Command {
        Command::new(self.schemathesis.join("bin/schemathesis"))
    }

    /// Python with the packages of `clients/python`.
    pub(in super::super) fn python(&self) -> PathBuf {
        self.python.join("bin/python")
    }

    /// The program that runs a script of `clients/`, by its ending, in `room`: a directory of its own.
    pub(super) fn command(&self, script: &str, room: &Path) -> Command {
        let clients = workspace().join("clients");
        if script.ends_with(".py") {
            let mut command = Command::new(self.python());
            command.arg("-B").arg(clients.join("python").join(script)).current_dir(room);
            return command;
        }
        // Node looks for packages beside a script, and nothing is put into the source tree.
        for file in std::fs::read_dir(clients.join("node")).expect("the scripts") {
            let file = file.expect("a file").path();
            if file.extension().is_some_and(|ending| ending == "mjs") {
                std::fs::copy(&file, room.join(file.file_name().expect("a name"))).expect("copied");
            }
        }
        std::os::unix::fs::symlink(self.node.join("node_modules"), room.join("node_modules")).expect("linked");
        let mut command = Command::new("node");
        command.arg(script).current_dir(room);
        command
    }
}
