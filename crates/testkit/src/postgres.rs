//! A real PostgreSQL for tests: a throwaway cluster and databases in it, removed at the end whatever happens.
//!
//! `./test` starts one cluster for all tests and names it in `KEYFOB_TEST_POSTGRES`; without that a test process starts its own. A test that
//! stops its server has one to itself. A machine without PostgreSQL fails the tests: a test that is skipped proves nothing.

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use tempfile::TempDir;

/// Names the cluster of `./test`: the URL of its database `postgres`.
const VARIABLE: &str = "KEYFOB_TEST_POSTGRES";

/// Of the server's socket, which lies in a directory of its own.
const PORT: u16 = 5432;

const KEEPER: &str = include_str!("../postgres.sh");

/// A running PostgreSQL.
pub struct PostgresCluster {
    /// Everything of a URL before the name of the database, of each server. The first takes writes.
    servers: Mutex<Vec<String>>,
    keeper: Option<Mutex<Keeper>>,
    tcp: Option<(u16, String)>,
}

/// The script that holds the server. It stops when its standard input closes, so when this process is gone.
struct Keeper {
    process: Child,
    orders: Option<ChildStdin>,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.orders.take());
        // It ends because nobody orders any more, and has tidied up then.
        let _ = self.process.wait();
    }
}

/// A receiver of a cluster's log; it ends with this value.
pub struct PostgresReplica {
    process: Child,
    _place: TempDir,
}

impl Drop for PostgresReplica {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// An empty database; dropped with this value.
pub struct PostgresDatabase {
    cluster: Arc<PostgresCluster>,
    name: String,
}

impl PostgresCluster {
    /// The cluster that tests share.
    ///
    /// # Panics
    /// There is no PostgreSQL on this machine, or it does not start.
    pub fn shared() -> Arc<PostgresCluster> {
        static SHARED: OnceLock<Arc<PostgresCluster>> = OnceLock::new();
        let start = || match std::env::var(VARIABLE) {
            Ok(url) => {
                let (base, _) =
                    url.rsplit_once('/').unwrap_or_else(|| panic!("{VARIABLE} is not the URL of a database"));
                Arc::new(PostgresCluster { servers: Mutex::new(vec![base.to_owned()]), keeper: None, tcp: None })
            }
            Err(_) => Arc::new(PostgresCluster::start(None)),
        };
        Arc::clone(SHARED.get_or_init(start))
    }

    /// A cluster of this test alone, which it may stop.
    ///
    /// # Panics
    /// There is no PostgreSQL on this machine, or it does not start.
    pub fn own() -> Arc<PostgresCluster> {
        Arc::new(PostgresCluster::start(None))
    }

    /// A cluster of this test alone that is also reached over TCP on 127.0.0.1, where it asks for a password.
    ///
    /// # Panics
    /// There is no PostgreSQL on this machine, or it does not start.
    pub fn own_on_tcp() -> Arc<PostgresCluster> {
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("an address").port();
        Arc::new(PostgresCluster::start(Some(free)))
    }

    fn start(tcp: Option<u16>) -> PostgresCluster {
        let bin = programs();
        let (port, addresses) = (tcp.unwrap_or(PORT).to_string(), if tcp.is_some() { "127.0.0.1" } else { "" });
        let arguments = ["-c", KEEPER, "postgres.sh", bin.to_str().expect("UTF-8"), &port, addresses];
        let mut command = if is_root() {
            // The server refuses to run as root.
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--", "sh"]);
            command
        } else {
            Command::new("sh")
        };
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        // In a group of its own: whoever ends this process by force must not end the keeper before it has tidied up.
        let mut process = command.process_group(0).current_dir("/").spawn().expect("a shell");
        let orders = process.stdin.take();
        let answers = BufReader::new(process.stdout.take().expect("a pipe")).lines();
        let mut keeper = Keeper { process, orders, answers };
        let place = keeper.answers.next().and_then(Result::ok).unwrap_or_default();
        assert!(Path::new(&place).is_absolute(), "PostgreSQL does not start: {place}");
        let password = Path::new(&place).file_name().expect("a name").to_str().expect("UTF-8").to_owned();
        PostgresCluster {
            servers: Mutex::new(vec![format!("postgres://postgres@{}:{port}", place.replace('/', "%2F"))]),
            keeper: Some(Mutex::new(keeper)),
            tcp: tcp.map(|port| (port, password)),
        }
    }

    /// Its host and port, as a URL spells them; of several servers those of each, separated by commas.
    pub fn host(&self) -> String {
        let servers = self.servers.lock().expect("no panic");
        servers.iter().map(|base| host_in(base)).collect::<Vec<_>>().join(",")
    }

    /// Everything of a URL before the name of the database, of the server that takes writes.
    fn base(&self) -> String {
        self.servers.lock().expect("no panic")[0].clone()
    }

    /// The socket of each server.
    pub(crate) fn sockets(&self) -> Vec<PathBuf> {
        let servers = self.servers.lock().expect("no panic");
        let socket = |base: &String| {
            let (directory, port) = host_in(base).rsplit_once(':').expect("a host and a port");
            PathBuf::from(format!("{}/.s.PGSQL.{port}", directory.replace("%2F", "/")))
        };
        servers.iter().map(socket).collect()
    }

    /// A new database in it.
    pub fn database(self: &Arc<Self>) -> PostgresDatabase {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("DROP DATABASE IF EXISTS {name}"));
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
        PostgresDatabase { cluster: Arc::clone(self), name }
    }

    /// Runs SQL by `psql` and gives what it prints: rows by line, columns by bars.
    pub fn sql(&self, database: &str, sql: &str) -> String {
        let (told, output) = self.try_sql(database, sql);
        assert!(told, "{sql}: {output}");
        output
    }

    fn try_sql(&self, database: &str, sql: &str) -> (bool, String) {
        let url = format!("{}/{database}", self.base());
        let output = Command::new(programs().join("psql"))
            .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1", "--dbname", &url])
            .args(["--command", sql])
            .stdin(Stdio::null())
            .output()
            .expect("psql");
        let text = if output.status.success() { output.stdout } else { output.stderr };
        (output.status.success(), String::from_utf8_lossy(&text).trim().to_owned())
    }

    /// Starts something that copies its log, as a replica does.
    pub fn replica(&self) -> PostgresReplica {
        let place = tempfile::tempdir().expect("a directory");
        let mut command = Command::new(programs().join("pg_receivewal"));
        command.arg("--directory").arg(place.path()).args(["--dbname", &format!("{}/postgres", self.base())]);
        let process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        PostgresReplica { process: process.expect("pg_receivewal"), _place: place }
    }

    /// Stops the server in order, as its operator does.
    pub fn stop(&self) {
        self.order("stop");
    }

    /// Ends the server at once, as a power cut does.
    pub fn crash(&self) {
        self.order("crash");
    }

    /// Starts the server again.
    pub fn start_again(&self) {
        self.order("start");
    }

    /// Makes a standby that streams from the server, and that every commit waits for from here on.
    pub fn make_standby(&self) {
        let mut servers = self.servers.lock().expect("no panic");
        assert!(servers[0].ends_with(&format!(":{PORT}")) || servers.len() > 1, "a cluster on a socket");
        self.order("standby");
        if servers.len() == 1 {
            let other = servers[0].replace(&format!(":{PORT}"), &format!(":{}", PORT + 1));
            servers.push(other);
        }
    }

    /// Crashes the server and puts the standby in its place; it has none of its own until the next is made.
    pub fn promote_standby(&self) {
        let mut servers = self.servers.lock().expect("no panic");
        assert_eq!(servers.len(), 2, "a standby was made");
        self.order("promote");
        servers.swap(0, 1);
    }

    fn order(&self, order: &str) {
        let keeper = self.keeper.as_ref().expect("a cluster of one's own");
        let mut keeper = keeper.lock().expect("no panic");
        writeln!(keeper.orders.as_mut().expect("taken only at its end"), "{order}").expect("the keeper listens");
        let answer = keeper.answers.next().and_then(Result::ok);
        assert_eq!(answer.as_deref(), Some("done"), "{order}");
    }
}

impl PostgresDatabase {
    /// How to reach it: over a socket, where no password is asked for.
    pub fn url(&self) -> String {
        format!("{}/{}", self.cluster.base(), self.name)
    }

    /// How to reach it over TCP: user and password, and host and port.
    pub fn over_tcp(&self) -> (String, String) {
        let (port, password) = self.cluster.tcp.as_ref().expect("a cluster on TCP");
        (format!("postgres:{password}"), format!("127.0.0.1:{port}"))
    }

    /// How to reach it over the sockets of all servers, of which the one that takes writes is to be used.
    pub fn url_of_all(&self) -> String {
        format!("postgres://postgres@{}/{}", self.cluster.host(), self.name)
    }

    /// The socket of each server that it may be on.
    pub(crate) fn sockets(&self) -> Vec<PathBuf> {
        self.cluster.sockets()
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs SQL in it.
    pub fn sql(&self, sql: &str) -> String {
        self.cluster.sql(&self.name, sql)
    }

    /// Runs SQL beside it, as an operator who changes it does.
    pub fn sql_beside(&self, sql: &str) -> String {
        self.cluster.sql("postgres", sql)
    }

    /// Ends all its connections, as an operator or a failover does.
    pub fn end_connections(&self) {
        let name = &self.name;
        self.sql_beside(&format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"));
    }
}

impl Drop for PostgresDatabase {
    fn drop(&mut self) {
        // A server that was stopped takes its databases with it.
        let _ = self.cluster.try_sql("postgres", &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
    }
}

/// Host and port of a URL without a database.
fn host_in(base: &str) -> &str {
    base.rsplit_once('@').map_or("", |(_, host)| host)
}

/// The directory with the newest PostgreSQL's programs.
fn programs() -> &'static Path {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND.get_or_init(|| {
        let installed = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        let mut installed: Vec<(u32, PathBuf)> = installed
            .map(|version| version.path())
            .filter_map(|path| Some((path.file_name()?.to_str()?.parse().ok()?, path.join("bin"))))
            .collect();
        installed.sort();
        let on_path = std::env::var_os("PATH").unwrap_or_default();
        let on_path: Vec<PathBuf> = std::env::split_paths(&on_path).collect();
        let mut places = installed.into_iter().rev().map(|(_, bin)| bin).chain(on_path);
        places
            .find(|bin| bin.join("initdb").exists() && bin.join("postgres").exists())
            .expect("PostgreSQL is not installed: apt-get install postgresql")
    })
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
}
