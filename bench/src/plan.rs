//! A run: what is driven, in which order, against what.
//!
//! Other work on the machine moves every number, so the bare server is driven just before each line and the line is compared
//! with that. The ratio of processor time moves less than the ratio of requests.

use crate::child::Server;
use crate::compose::{DATABASE, MASTER_KEY};
use crate::drive::{Load, Outcome, Work, drive};
use crate::meter;
use crate::seed::{self, Seeded};
use crate::serve::GATE_ANSWER;
use crate::table::{Row, heading};
use crate::works::{self, InTurn, Redemptions, Refreshes, Same};
use anyhow::Context;
use keyfob_protocol::time::HOUR;
use keyfob_protocol::{Clock, Timestamp};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What is seeded.
#[derive(clap::Args)]
pub(crate) struct SeedArguments {
    /// Active grants in the store.
    #[arg(long, default_value_t = 1_000_000)]
    pub(crate) grants: u64,
    /// Grants with a code to redeem.
    #[arg(long, default_value_t = 500_000)]
    pub(crate) codes: u64,
    /// Where seeded data is kept between runs.
    #[arg(long, default_value = "target/bench-data")]
    pub(crate) data: PathBuf,
}

/// Of `run`.
#[derive(clap::Args)]
pub(crate) struct RunArguments {
    #[command(flatten)]
    seed: SeedArguments,
    /// Seconds that each line of the table takes.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Seconds that each fixed rate takes.
    #[arg(long, default_value_t = 60)]
    rate_seconds: u64,
    /// Only the lines whose work contains this.
    #[arg(long)]
    only: Option<String>,
    /// The release binary to measure. Without it, the same parts put together here.
    #[arg(long)]
    keyfob: Option<PathBuf>,
    /// A reader's page cache in KiB, to try another than the store's own choice; not with `--keyfob`.
    #[arg(long)]
    reader_cache: Option<u32>,
    /// Closed loops with so many connections.
    #[arg(long, value_delimiter = ',', default_value = "64,256")]
    connections: Vec<usize>,
}

/// Access tokens that the gate sees again and again.
const REPEATED_TOKENS: usize = 1000;

/// Does it.
pub(crate) fn run(arguments: &RunArguments) -> anyhow::Result<()> {
    let seeded = seeded(&arguments.seed)?;
    let data = arguments.seed.data.join("run");
    lay_out(&arguments.seed.data.join("seed"), &data)?;
    let data_text = data.to_str().context("the path is UTF-8")?;
    // The route behind the gate is only in the server that is put together here.
    let mut gate = None;
    let keyfob = match &arguments.keyfob {
        Some(program) => {
            let keyfob = Server::keyfob(program, &data)?;
            gate = Some(Server::start(&["serve-for-bench", "--data", data_text])?);
            keyfob
        }
        None => {
            let started = Instant::now();
            let cache = arguments.reader_cache.map(|cache| cache.to_string());
            let mut words = vec!["serve-for-bench", "--data", data_text];
            words.extend(cache.iter().flat_map(|cache| ["--reader-cache", cache.as_str()]));
            let mut keyfob = Server::start(&words)?;
            keyfob.wait_until_ready(started)?;
            keyfob
        }
    };
    std::thread::sleep(Duration::from_secs(1));
    let idle = meter::resident(keyfob.pid());
    eprintln!("keyfob: process {}, ready after {:?}, {idle:.1} MiB idle", keyfob.pid(), keyfob.ready_after);

    let binary = match &arguments.keyfob {
        Some(program) => program.clone(),
        None => std::env::current_exe()?,
    };
    let mut bench = Bench::prepare(arguments, &data, &keyfob, gate.as_ref().unwrap_or(&keyfob))?;
    println!("{}", heading());
    bench.closed_loops()?;
    bench.fixed_rates()?;
    println!();
    let peak = meter::peak(keyfob.pid());
    let under_load = meter::resident(keyfob.pid());
    println!(
        "resident memory      {idle:.1} MiB idle (target 20), {under_load:.1} MiB after load, {peak:.1} MiB at most (target 100)"
    );
    println!("ready after start    {:.0} ms (target 50)", keyfob.ready_after.as_secs_f64() * 1000.0);
    println!("database a grant     {:.0} bytes at {} grants (target 300)", seeded.bytes_a_grant, seeded.grants);
    println!("binary               {:.1} MB, load generator included (target 20)", meter::megabytes(&binary));
    println!("load average         {}", meter::load_average());
    Ok(())
}

pub(crate) fn seeded(arguments: &SeedArguments) -> anyhow::Result<Seeded> {
    let data = arguments.data.join("seed");
    if let Some(seeded) = Seeded::find(&data)
        && seeded.grants == arguments.grants
    {
        return Ok(seeded);
    }
    eprintln!("seeding {} grants and {} codes", arguments.grants, arguments.codes);
    if data.exists() {
        std::fs::remove_dir_all(&data)?;
    }
    crate::runtime()?.block_on(seed::seed(&data, arguments.grants, arguments.codes))?;
    Seeded::find(&data).context("seeding left its note")
}

/// A copy of the seeded data for this run, since a run spends codes and rotates tokens. Its grants were last used as their app's
/// name says.
pub(crate) fn lay_out(seed: &Path, data: &Path) -> anyhow::Result<()> {
    if data.exists() {
        std::fs::remove_dir_all(data)?;
    }
    std::fs::create_dir_all(data)?;
    for entry in std::fs::read_dir(seed)? {
        let entry = entry?;
        let copy = data.join(entry.file_name());
        std::fs::copy(entry.path(), &copy)?;
        // Or the kernel would write it out in the middle of a measurement.
        std::fs::File::open(&copy)?.sync_all()?;
    }
    for needed in [DATABASE, MASTER_KEY] {
        anyhow::ensure!(data.join(needed).exists(), "{needed} is missing from the seeded data");
    }
    crate::runtime()?.block_on(async {
        let parts = crate::compose::Parts::open(data)?;
        let Timestamp(now) = crate::compose::SystemClock.now();
        let sql = "UPDATE grants SET last_used_at = ?1 - (SELECT name = 'touched' FROM apps WHERE id = app) * ?2 WHERE stage = 1";
        parts.sqlite.engine().write(move |connection| connection.execute(sql, [now, 2 * HOUR])).await?;
        parts.sqlite.close().await;
        Ok(())
    })
}

/// A run under way.
struct Bench<'r> {
    arguments: &'r RunArguments,
    data: &'r Path,
    keyfob: &'r Server,
    gate: &'r Server,
    bare: Server,
    bare_post: Same,
    bare_get: Same,
    fixed: Refreshes,
    rotating: Refreshes,
    touched: Refreshes,
    codes: Vec<String>,
}

impl<'r> Bench<'r> {
    fn prepare(
        arguments: &'r RunArguments,
        data: &'r Path,
        keyfob: &'r Server,
        gate: &'r Server,
    ) -> anyhow::Result<Bench<'r>> {
        let basic = |app| Seeded::basic(data, app);
        let refreshes = |app, keep| anyhow::Ok(Refreshes::new(&basic(app)?, &Seeded::tokens(data, app)?, keep));
        let mut fixed = refreshes("fixed", REPEATED_TOKENS)?;
        let load = Load { ports: &[keyfob.port], connections: 1, time: Duration::from_millis(500), rate: None };
        let tried = drive(load, &mut fixed)?;
        anyhow::ensure!(tried.failed == 0, "{:?}", tried.first_failure);
        let access_token = fixed.access_tokens.first().context("a refresh gives an access token")?.clone();
        let refresh_token = Seeded::tokens(data, "fixed")?.swap_remove(0);
        // As long as a reply of Keyfob's, to the letter.
        let post_bytes = format!(r#"{{"access_token":"{access_token}","token_type":"Bearer","expires_in":3600,"refresh_token":"{refresh_token}"}}"#).len();
        let (post_bytes, get_bytes) = (post_bytes.to_string(), GATE_ANSWER.len().to_string());
        let bare = Server::start(&["bare", "--post-bytes", &post_bytes, "--get-bytes", &get_bytes])?;
        Ok(Bench {
            arguments,
            data,
            keyfob,
            gate,
            bare,
            bare_post: works::bare_post(&basic("fixed")?, &refresh_token),
            bare_get: Same(works::get("/bench/gate", &format!("authorization: Bearer {access_token}\r\n"))),
            rotating: refreshes("rotating", 0)?,
            touched: refreshes("touched", 0)?,
            codes: Seeded::tokens(data, "codes")?,
            fixed,
        })
    }

    fn closed_loops(&mut self) -> anyhow::Result<()> {
        for connections in self.arguments.connections.clone() {
            let time = Duration::from_secs(self.arguments.seconds);
            let keyfob = [self.keyfob.port];
            let load = Load { ports: &keyfob, connections, time, rate: None };
            if let Some(row) = self.wanted("refresh, fixed") {
                self.line(row, load, Method::Post, 0.50, |bench| &mut bench.fixed)?;
            }
            if let Some(row) = self.wanted("refresh, rotating, durable") {
                self.line(row, load, Method::Post, 0.35, |bench| &mut bench.rotating)?;
            }
            if let Some(row) = self.wanted("code redemption, durable") {
                let half = self.codes.len() / 2;
                let mut work = Redemptions::new(&Seeded::basic(self.data, "codes")?, self.codes.split_off(half));
                self.line(row, load, Method::Post, 0.25, |_| &mut work)?;
            }
            if let Some(row) = self.wanted("gate call, repeated tokens") {
                let mut work = InTurn::calls("/bench/gate", &self.fixed.access_tokens);
                let gate = [self.gate.port];
                let load = Load { ports: &gate, ..load };
                self.line(row, load, Method::Get, 0.80, |_| &mut work)?;
            }
            if let Some(row) = self.wanted("introspection, repeated tokens") {
                let basic = Seeded::basic(self.data, seed::RESOURCE_SERVER)?;
                let mut work = InTurn::introspections(&basic, &self.fixed.access_tokens);
                self.line(row, load, Method::Post, f64::NAN, |_| &mut work)?;
            }
            if let Some(row) = self.wanted("refresh, fixed, first in an hour") {
                self.line(row, load, Method::Post, f64::NAN, |bench| &mut bench.touched)?;
            }
            if let Some(row) = self.wanted("identity, three reads") {
                let mut work = InTurn::calls("/v1/identity", &self.fixed.access_tokens);
                self.line(row, load, Method::Get, f64::NAN, |_| &mut work)?;
            }
        }
        Ok(())
    }

    fn fixed_rates(&mut self) -> anyhow::Result<()> {
        for (rate, p99) in [(1_000, 2), (10_000, 5)] {
            let Some(name) = self.wanted(&format!("rotating at {rate}/s, p99 <= {p99} ms")) else { continue };
            let time = Duration::from_secs(self.arguments.rate_seconds);
            let load = Load { ports: &[self.keyfob.port], connections: 256, time, rate: Some(rate) };
            let (outcome, processor) = measured(self.keyfob, load, &mut self.rotating)?;
            let silence = outcome.longest_silence;
            let row = Row { work: name, connections: 256, outcome, processor, bare: None, at_least: None };
            println!("{}  longest silence {:.1} ms", row.line(), silence.as_secs_f64() * 1000.0);
        }
        Ok(())
    }

    fn wanted(&self, work: &str) -> Option<String> {
        let wanted = self.arguments.only.as_ref().is_none_or(|only| work.contains(only));
        wanted.then(|| work.to_owned())
    }

    /// The bare server for half the time, then Keyfob.
    fn line<'w, W: Work + 'w>(
        &'w mut self,
        work: String,
        load: Load<'_>,
        method: Method,
        at_least: f64,
        pick: impl FnOnce(&'w mut Self) -> &'w mut W,
    ) -> anyhow::Result<()> {
        let at_least = Some(at_least).filter(|ratio| !ratio.is_nan());
        let (name, yardstick) = match method {
            Method::Post => ("bare POST", &mut self.bare_post),
            Method::Get => ("bare GET", &mut self.bare_get),
        };
        let bare_load = Load { ports: &[self.bare.port], time: load.time / 2, ..load };
        let (outcome, processor) = measured(&self.bare, bare_load, yardstick)?;
        let bare = (outcome.per_second(), processor);
        let connections = load.connections;
        let row = Row { work: name.to_owned(), connections, outcome, processor, bare: None, at_least: None };
        println!("{}", row.line());
        let keyfob = if load.ports == [self.gate.port] { self.gate } else { self.keyfob };
        let (outcome, processor) = measured(keyfob, load, pick(self))?;
        println!("{}", Row { work, connections, outcome, processor, bare: Some(bare), at_least }.line());
        Ok(())
    }
}

/// Which yardstick.
#[derive(Clone, Copy)]
enum Method {
    Get,
    Post,
}

/// Drives, and adds the server's processor time a request in microseconds.
pub(crate) fn measured(server: &Server, load: Load<'_>, work: &mut dyn Work) -> anyhow::Result<(Outcome, f64)> {
    let before = meter::processor_time(server.pid());
    let outcome = drive(load, work)?;
    let used = meter::processor_time(server.pid()).saturating_sub(before);
    // The warm-up used the processor too, as much a second as the rest.
    let counted = outcome.elapsed.as_secs_f64();
    let share = counted / (counted + crate::drive::WARM_UP.as_secs_f64());
    let processor = used.as_secs_f64() * share * 1e6 / outcome.answered.max(1) as f64;
    Ok((outcome, processor))
}
