//! Apache with Debian's `libapache2-mod-oauth2` in front of an API.

use rustix::process::getuid;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(20);
const MODULES: &str = "/usr/lib/apache2/modules";

/// A running Apache. Killed when dropped.
pub(super) struct Apache {
    child: Child,
    pub(super) base: String,
    directory: TempDir,
}

impl Apache {
    /// With these lines of configuration for the module, on a free port.
    pub(super) fn start(config: &str) -> Apache {
        // Another process may take the port between our look and Apache's.
        (0..5).find_map(|_| Apache::try_start(config)).expect("Apache starts")
    }

    fn try_start(config: &str) -> Option<Apache> {
        let directory = tempfile::tempdir().expect("a directory");
        let address: SocketAddr =
            TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port");
        let here = directory.path().display();
        // Root has to name who serves.
        let user = if getuid().is_root() { "User www-data\nGroup www-data" } else { "" };
        let modules = ["mpm_event", "authn_core", "authz_core", "authz_user", "proxy", "proxy_http", "oauth2"];
        let modules = modules.map(|name| format!("LoadModule {name}_module {MODULES}/mod_{name}.so"));
        let whole = format!(
            "ServerRoot {here}\nServerName localhost\nListen {address}\nPidFile {here}/pid\nErrorLog {here}/log\n{user}\n{}\n{config}",
            modules.join("\n")
        );
        std::fs::write(directory.path().join("apache.conf"), whole).expect("written");
        // Debian keeps it where only root's PATH leads.
        let sbin = "/usr/sbin/apache2";
        let mut command = Command::new(if Path::new(sbin).exists() { sbin } else { "apache2" });
        command.args(["-X", "-f"]).arg(directory.path().join("apache.conf"));
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit()).spawn();
        let child = child.expect("Apache is installed: apt-get install apache2-bin libapache2-mod-oauth2");
        let mut apache = Apache { child, base: format!("http://{address}"), directory };
        let since = Instant::now();
        while since.elapsed() < PATIENCE {
            if apache.child.try_wait().expect("a child of ours").is_some() {
                return None;
            }
            if TcpStream::connect(address).is_ok() {
                return Some(apache);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        None
    }

    /// What it wrote to its log.
    pub(super) fn said(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Apache {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
