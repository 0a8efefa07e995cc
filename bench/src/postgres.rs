//! Refreshes and redemptions on PostgreSQL, with one node and with three, beside pgbench running the bare UPDATE in the same run; and how fast many
//! revocations spread to nodes and gates.
//!
//! The database is a throwaway cluster with fsync on. It, the nodes and the load generator share the machine, so only ratios mean something.

use crate::child::{Server, keyfob_command};
use crate::compose::MASTER_KEY;
use crate::drive::{Load, Work, drive};
use crate::meter;
use crate::plan::{SeedArguments, lay_out, seeded};
use crate::seed::Seeded;
use crate::works::{self, Redemptions, Refreshes};
use anyhow::Context;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

/// Of `postgres`.
#[derive(clap::Args)]
pub(crate) struct PostgresArguments {
    #[command(flatten)]
    seed: SeedArguments,
    /// The release binary.
    #[arg(long, default_value = "target/release/keyfob")]
    keyfob: PathBuf,
    /// Seconds that each line takes.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Connections, and clients of pgbench.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Revocations to spread; 0: none.
    #[arg(long, default_value_t = 100_000)]
    revocations: u32,
}

/// How a cluster is kept; shared with the tests.
const KEEPER: &str = include_str!("../../crates/testkit/postgres.sh");

/// One UPDATE of a row like a grant's, by its key, as a client without batches sends it.
const BARE_UPDATE: &str = "\\set n random(1, :rows)\nUPDATE bare SET generation = generation + 1, parent_branch = branch, rotated_at = 1, \
                           last_used_at = 1, nonce = :n WHERE n = :n AND stage = 1;\n";

/// Does it.
pub(crate) fn run(arguments: &PostgresArguments) -> anyhow::Result<()> {
    let seeded = seeded(&arguments.seed)?;
    let data = arguments.seed.data.join("run");
    lay_out(&arguments.seed.data.join("seed"), &data)?;
    let cluster = Cluster::start()?;
    let store = cluster.url("bench");
    cluster.sql("postgres", "CREATE DATABASE bench")?;
    let moved = Instant::now();
    let from = format!("sqlite:{}", data.display());
    let status = keyfob_command(&arguments.keyfob, &data, &data.join(MASTER_KEY))
        .args(["migrate", "--from", &from, "--to", &store])
        .stdout(Stdio::null())
        .status()?;
    anyhow::ensure!(status.success(), "the grants could not be moved");
    eprintln!("{} grants moved in {:.0?}", seeded.grants, moved.elapsed());
    // As a database in use is: statistics made, nothing left to write out.
    cluster.sql(
        "bench",
        "CREATE TABLE bare WITH (fillfactor = 80) AS SELECT row_number() OVER () AS n, g.* FROM grants g",
    )?;
    cluster.sql("bench", "ALTER TABLE bare ADD PRIMARY KEY (n)")?;
    cluster.sql("bench", "VACUUM ANALYZE")?;
    cluster.sql("bench", "CHECKPOINT")?;

    println!(
        "{:<44} {:>9} {:>8} {:>8} {:>8} {:>8} {:>9}",
        "work", "ops/s", "/pgbench", "p50 ms", "p99 ms", "p99.9 ms", "max ms"
    );
    let mut bench =
        Bench { arguments, data: &data, cluster: &cluster, store: &store, rows: seeded.grants, pgbench: 0.0 };
    let mut rotating = bench.refreshes("rotating")?;
    for count in [1, 3] {
        let nodes = bench.nodes(count)?;
        bench.pgbench()?;
        let at_most = bench.line(&format!("refresh, rotating, {count} node(s)"), &nodes, None, &mut rotating)?;
        bench.line(
            &format!("refresh, rotating, {count} node(s), half of that"),
            &nodes,
            Some((at_most / 2.0) as u32),
            &mut rotating,
        )?;
        let mut fixed = bench.refreshes("fixed")?;
        bench.line(&format!("refresh, fixed, {count} node(s)"), &nodes, None, &mut fixed)?;
        let codes = Seeded::tokens(&data, "codes")?;
        let half = codes.len() / 2;
        let part = if count == 1 { codes[..half].to_vec() } else { codes[half..].to_vec() };
        let mut redemptions = Redemptions::new(&Seeded::basic(&data, "codes")?, part);
        bench.line(&format!("code redemption, {count} node(s)"), &nodes, None, &mut redemptions)?;
        if count == 3 && arguments.revocations > 0 {
            bench.spread(&nodes)?;
        }
    }
    println!("load average         {}", meter::load_average());
    Ok(())
}

struct Bench<'r> {
    arguments: &'r PostgresArguments,
    data: &'r Path,
    cluster: &'r Cluster,
    store: &'r str,
    rows: u64,
    /// Updates a second, last measured.
    pgbench: f64,
}

impl Bench<'_> {
    /// Each with a directory of its own, for the tick that it has seen.
    fn nodes(&self, count: usize) -> anyhow::Result<Vec<Server>> {
        let node = |number| {
            let own = self.data.join(format!("node-{number}"));
            Server::node(&self.arguments.keyfob, &own, &self.data.join(MASTER_KEY), Some(self.store))
        };
        (0..count).map(node).collect()
    }

    fn refreshes(&self, app: &str) -> anyhow::Result<Refreshes> {
        Ok(Refreshes::new(&Seeded::basic(self.data, app)?, &Seeded::tokens(self.data, app)?, 0))
    }

    /// One UPDATE a transaction, prepared, not pipelined.
    fn pgbench(&mut self) -> anyhow::Result<()> {
        let script = self.data.join("bare.sql");
        std::fs::write(&script, BARE_UPDATE)?;
        let output = Command::new(self.cluster.program("pgbench"))
            .args(["-n", "-M", "prepared", "-j", "1", "-c", &self.arguments.connections.to_string()])
            .args(["-T", &self.arguments.seconds.to_string(), "-D", &format!("rows={}", self.rows), "-f"])
            .arg(&script)
            .arg(self.store)
            .output()?;
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        let tps = told.lines().find_map(|line| line.strip_prefix("tps = ")?.split_whitespace().next()?.parse().ok());
        self.pgbench = tps.with_context(|| format!("pgbench: {told}{}", String::from_utf8_lossy(&output.stderr)))?;
        println!("{:<44} {:>9.0}", "pgbench -M prepared, bare UPDATE", self.pgbench);
        Ok(())
    }

    /// Drives all nodes together, and gives the requests a second.
    fn line(&self, name: &str, nodes: &[Server], rate: Option<u32>, work: &mut dyn Work) -> anyhow::Result<f64> {
        let ports: Vec<u16> = nodes.iter().map(|node| node.port).collect();
        let (connections, time) = (self.arguments.connections, Duration::from_secs(self.arguments.seconds));
        let outcome = drive(Load { ports: &ports, connections, time, rate }, work)?;
        let quantile = |quantile| outcome.latency.value_at_quantile(quantile) as f64 / 1000.0;
        let refused = match &outcome.first_failure {
            Some(first) => format!("  {} FAILED, first: {first}", outcome.failed),
            None => String::new(),
        };
        println!(
            "{name:<44} {:>9.0} {:>8.2} {:>8.2} {:>8.2} {:>8.2} {:>9.2}{refused}",
            outcome.per_second(),
            outcome.per_second() / self.pgbench,
            quantile(0.5),
            quantile(0.99),
            quantile(0.999),
            outcome.latency.max() as f64 / 1000.0,
        );
        Ok(outcome.per_second())
    }

    /// Revokes many grants in one transaction, and waits until a reader of the feed at each node has them all.
    fn spread(&self, nodes: &[Server]) -> anyhow::Result<()> {
        let many = self.arguments.revocations;
        let credentials = self.resource_server()?;
        let readers: Vec<Reader> = nodes.iter().map(|node| Reader::new(node.port, &credentials)).collect();
        let sql = format!(
            "BEGIN; UPDATE store SET tick = tick + {many}; INSERT INTO revocations (kind, id, not_before, until_time) \
             SELECT 'token', 'bench-' || n, 0, extract(epoch FROM now())::bigint + 3600 FROM generate_series(1, {many}) n; COMMIT; NOTIFY keyfob"
        );
        let written = Instant::now();
        self.cluster.sql("bench", &sql)?;
        let committed = Instant::now();
        std::thread::scope(|scope| {
            let threads: Vec<_> = readers.into_iter().map(|reader| scope.spawn(|| reader.until(many))).collect();
            for thread in threads {
                thread.join().map_err(|_| anyhow::anyhow!("a reader failed"))??;
            }
            anyhow::Ok(())
        })?;
        let spread = committed.elapsed();
        println!(
            "{:<44} {:>9.0}   written in {:.0?}, at every node's readers {:.0?} after the commit",
            format!("{many} revocations to {} gates", nodes.len()),
            f64::from(many) / spread.as_secs_f64(),
            committed - written,
            spread
        );
        Ok(())
    }

    fn resource_server(&self) -> anyhow::Result<String> {
        let output = keyfob_command(&self.arguments.keyfob, &self.data.join("node-0"), &self.data.join(MASTER_KEY))
            .args(["resource-server", "add", "--name", "bench", "--json"])
            .env("KEYFOB_STORE", self.store)
            .output()?;
        let told: serde_json::Value = serde_json::from_slice(&output.stdout)
            .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
        Ok(works::basic("bench", told["secret"].as_str().context("a secret")?))
    }
}

/// Follows the feed of one node as a gate does, keeping count alone.
struct Reader {
    port: u16,
    basic: String,
}

impl Reader {
    fn new(port: u16, basic: &str) -> Reader {
        Reader { port, basic: basic.to_owned() }
    }

    fn until(self, many: u32) -> anyhow::Result<()> {
        let started = Instant::now();
        let (mut cursor, mut seen) = (String::new(), 0);
        while seen < many as usize {
            anyhow::ensure!(started.elapsed() < Duration::from_secs(60), "{seen} revocations after a minute");
            let path = format!("/oauth/revocations?after={cursor}&wait=1");
            let headers = format!("authorization: Basic {}\r\nconnection: close\r\n", self.basic);
            let answer = crate::child::ask(self.port, &works::get(&path, &headers))?;
            let body = answer.split_once("\r\n\r\n").context("an answer")?.1;
            let news: serde_json::Value = serde_json::from_str(body).with_context(|| answer.clone())?;
            seen += news["revocations"].as_array().map_or(0, Vec::len);
            cursor = news["cursor"].as_str().unwrap_or_default().to_owned();
        }
        Ok(())
    }
}

/// A throwaway cluster. It ends with this value, or with this process.
struct Cluster {
    keeper: Child,
    orders: Option<ChildStdin>,
    place: String,
    bin: PathBuf,
}

impl Cluster {
    fn start() -> anyhow::Result<Cluster> {
        let mut installed: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
            .context("PostgreSQL is not installed")?
            .filter_map(|version| Some(version.ok()?.path().join("bin")))
            .filter(|bin| bin.join("initdb").exists())
            .collect();
        installed.sort();
        let bin = installed.pop().context("PostgreSQL is not installed")?;
        // The server refuses to run as root.
        let root = std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
        let mut command = Command::new(if root { "runuser" } else { "sh" });
        if root {
            command.args(["-u", "postgres", "--", "sh"]);
        }
        let words = ["-c", KEEPER, "postgres.sh", bin.to_str().context("UTF-8")?, "5432", "", "durable"];
        let mut keeper = command
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .current_dir("/")
            .spawn()?;
        let orders = keeper.stdin.take();
        let mut place = String::new();
        BufReader::new(keeper.stdout.take().context("its output is piped")?).read_line(&mut place)?;
        let place = place.trim().to_owned();
        anyhow::ensure!(Path::new(&place).is_absolute(), "PostgreSQL does not start: {place}");
        Ok(Cluster { keeper, orders, place, bin })
    }

    fn program(&self, name: &str) -> PathBuf {
        self.bin.join(name)
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://postgres@{}:5432/{database}", self.place.replace('/', "%2F"))
    }

    fn sql(&self, database: &str, sql: &str) -> anyhow::Result<()> {
        let mut psql = Command::new(self.program("psql"))
            .args(["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--dbname", &self.url(database)])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()?;
        psql.stdin.take().context("its input is piped")?.write_all(sql.as_bytes())?;
        anyhow::ensure!(psql.wait()?.success(), "{sql}");
        Ok(())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.orders.take());
        let _ = self.keeper.wait();
    }
}
