//! BR-10 with a real nginx, configured by the example.

use super::authority::Authority;
use super::guarding::{Api, call, command, saw, start, until};
use rustix::process::getuid;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(20);
const CONFIG: &str = include_str!("../../../../../../examples/gate-behind-nginx/nginx.conf");
const CHECK: &str = include_str!("../../../../../../examples/gate-behind-nginx/keyfob-check.conf");
const IDENTITY: &str = include_str!("../../../../../../examples/gate-behind-nginx/keyfob-identity.conf");

/// A running nginx. Killed when dropped.
struct Nginx {
    child: Child,
    base: String,
    _directory: TempDir,
}

impl Nginx {
    /// The example between this gate and this API, on a free port.
    fn start(gate: SocketAddr, api: SocketAddr) -> Nginx {
        // Another process may take the port between our look and nginx's.
        (0..5).find_map(|_| Nginx::try_start(gate, api)).expect("nginx starts")
    }

    fn try_start(gate: SocketAddr, api: SocketAddr) -> Option<Nginx> {
        let directory = tempfile::tempdir().expect("a directory");
        let address = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port");
        let mut config = CONFIG.to_owned();
        for (example, ours) in [("127.0.0.1:8090", gate), ("127.0.0.1:8000", api), ("127.0.0.1:8080", address)] {
            assert_eq!(config.matches(example).count(), 1, "{example}");
            config = config.replace(example, &ours.to_string());
        }
        // One process, whose files all lie here.
        let user = if getuid().is_root() { "user root;" } else { "" };
        config = config.replace("worker_processes auto;", &format!("daemon off; master_process off; {user}"));
        let places = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(|of| format!("{of}_temp_path {of};"));
        config = config.replace("http {", &format!("http {{ {}", places.join(" ")));
        for (name, text) in
            [("nginx.conf", config.as_str()), ("keyfob-check.conf", CHECK), ("keyfob-identity.conf", IDENTITY)]
        {
            std::fs::write(directory.path().join(name), text).expect("written");
        }
        let program = ["/usr/sbin/nginx", "/usr/local/sbin/nginx"].into_iter().find(|path| Path::new(path).exists());
        let mut command = Command::new(program.unwrap_or("nginx"));
        command.args(["-e", "stderr", "-c", "nginx.conf", "-p"]).arg(directory.path());
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit()).spawn();
        let child = child.expect("nginx is installed: apt-get install nginx-light");
        let mut nginx = Nginx { child, base: format!("http://{address}"), _directory: directory };
        let since = Instant::now();
        while since.elapsed() < PATIENCE {
            if nginx.child.try_wait().expect("a child of ours").is_some() {
                return None;
            }
            if TcpStream::connect(address).is_ok() {
                return Some(nginx);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        None
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn br_10_behind_nginx_the_api_hears_who_calls_and_nothing_forged() {
    let (authority, api, directory) =
        (Authority::start().await, Api::start().await, tempfile::tempdir().expect("a directory"));
    let gate = start(command(&directory, &authority, &[]));
    let nginx = Nginx::start(gate.address, api.address);
    let (base, token) = (nginx.base.as_str(), authority.token(42, Some("people")));
    until(base, "/v1/people", &token, 200, PATIENCE).await;

    let forged = [("X-Auth-User", "1"), ("X-Auth-Scope", "admin"), ("X_Auth_User", "1"), ("Connection", "x-auth-user")];
    let answer = call(base, "/v1/people?limit=1", Some(&token), &forged).await;
    assert_eq!(answer.status, 200);
    for (name, value) in [("user", "42"), ("account", "5"), ("app", "3"), ("client-id", "app-one"), ("scope", "people")]
    {
        assert_eq!(saw(&answer, &format!("x-auth-{name}")), [value], "{name}");
    }
    assert!(saw(&answer, "x_auth_user").is_empty() && saw(&answer, "authorization").is_empty(), "{answer:?}");
    // A whole role has no scope, and then the client's is not left standing.
    let whole_role = call(base, "/v1/people", Some(&authority.token(43, None)), &forged).await;
    assert!(saw(&whole_role, "x-auth-scope").is_empty(), "{whole_role:?}");

    for (token, challenge) in
        [(None, "Bearer realm=\"api\""), (Some("nonsense"), "Bearer realm=\"api\", error=\"invalid_token\"")]
    {
        let answer = call(base, "/v1/people", token, &forged).await;
        assert_eq!((answer.status, answer.header("www-authenticate")), (401, challenge));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn br_10_behind_nginx_a_location_may_need_a_scope() {
    let (authority, api, directory) =
        (Authority::start().await, Api::start().await, tempfile::tempdir().expect("a directory"));
    let gate = start(command(&directory, &authority, &[]));
    let nginx = Nginx::start(gate.address, api.address);
    let (base, people, notes) =
        (nginx.base.as_str(), authority.token(42, Some("people")), authority.token(43, Some("notes")));
    until(base, "/v1/notes", &notes, 200, PATIENCE).await;
    let refused = call(base, "/v1/notes/7?scope=people", Some(&people), &[]).await;
    assert_eq!(refused.status, 403);
    assert_eq!(
        refused.header("www-authenticate"),
        "Bearer realm=\"api\", error=\"insufficient_scope\", scope=\"notes\""
    );
    assert!(refused.body.contains("resource-restricted"), "{refused:?}");
    assert_eq!(call(base, "/v1/people", Some(&people), &[]).await.status, 200);
    for inside in ["/keyfob-check", "/keyfob-check/notes"] {
        assert_eq!(call(base, inside, Some(&people), &[]).await.status, 404, "{inside}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn jw_04_behind_nginx_a_revoked_token_stops_within_a_second() {
    let (authority, api, directory) =
        (Authority::start().await, Api::start().await, tempfile::tempdir().expect("a directory"));
    let gate = start(command(&directory, &authority, &[]));
    let nginx = Nginx::start(gate.address, api.address);
    let (base, token, other) = (nginx.base.as_str(), authority.token(42, None), authority.token(43, None));
    until(base, "/", &token, 200, PATIENCE).await;
    authority.revoke(42);
    until(base, "/", &token, 401, Duration::from_secs(1)).await;
    assert_eq!(call(base, "/", Some(&other), &[]).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn br_11_behind_nginx_what_cannot_be_decided_is_503_with_retry_after() {
    let (mut authority, api, directory) =
        (Authority::start().await, Api::start().await, tempfile::tempdir().expect("a directory"));
    authority.cut().await;
    let gate = start(command(&directory, &authority, &[]));
    let nginx = Nginx::start(gate.address, api.address);
    let (base, token) = (nginx.base.as_str(), authority.token(42, None));
    let undecided = call(base, "/", Some(&token), &[]).await;
    assert_eq!((undecided.status, undecided.header("retry-after")), (503, "1"));
    authority.back().await;
    until(base, "/", &token, 200, PATIENCE).await;
    gate.kill();
    let gone = call(base, "/", Some(&token), &[]).await;
    assert_eq!((gone.status, gone.header("retry-after")), (503, "1"));
    assert!(gone.body.contains("cannot be checked"), "{gone:?}");
}
