//! Measures the engine under steady load: throughput, latency, pauses and the length of the log.
//!
//! `cargo run --release -p keyfob-store-sqlite --example checkpoint_pauses -- [rows] [seconds] [directory]`
//! Rows are seeded once and kept. One operation is what a rotating refresh asks of the store: a read of the grant with its holder
//! and a conditional write. `ONLY=64|256|rate` runs one of the three loads; `STEP` (KiB), `START` and `REST` (MiB) vary the checkpoint policy.

#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a measurement needs a clock and a screen")]

use std::env;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use keyfob_authority::model::{ActiveGrant, AppId, Grant, GrantState, UserId};
use keyfob_authority::store::{GrantChange, GrantWrite, Store as _, Written};
use keyfob_protocol::resource::Resources;
use keyfob_protocol::scope::Scope;
use keyfob_protocol::token_name::GrantId;
use keyfob_protocol::{Dialect, Timestamp};
use keyfob_store_sqlite::{Options, SqliteStore};
use tokio::task::JoinSet;

/// A small generator (splitmix64); a measurement needs no better one.
#[derive(Clone)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

const NOW: Timestamp = Timestamp(1_790_000_000);

/// Derived from the row's number, so that the ids need not be kept in memory.
fn id(number: u64) -> GrantId {
    let mut noise = [0; 11];
    noise[..8].copy_from_slice(&Random(number).next().to_be_bytes());
    GrantId::new(NOW.plus(number.cast_signed() / 30 - 40_000_000), noise)
}

fn rotated(generation: u32, at: Timestamp) -> GrantState {
    let (branch, parent_branch) = (0, 0);
    GrantState::Active(ActiveGrant { generation, branch, parent_branch, rotated_at: at, last_used_at: at, code: None })
}

async fn seed(store: &Arc<SqliteStore>, rows: u64) {
    let mut random = Random(7);
    let mut writes = JoinSet::new();
    for number in 0..rows {
        let salt = u128::from(random.next()) << 64 | u128::from(random.next());
        let grant = Grant {
            id: id(number),
            app: AppId((random.next() % 40).cast_signed()),
            user: UserId((random.next() % (rows / 2 + 1)).cast_signed()),
            root_key: 1,
            salt: salt.to_be_bytes(),
            dialect: Dialect::FollowUpBoss,
            scope: Scope::empty(),
            resources: Resources::none(),
            created_at: NOW,
            state: rotated(1, NOW),
        };
        let store = Arc::clone(store);
        writes.spawn(async move {
            let write =
                GrantWrite { nonce: number, what: GrantChange::Insert(grant), ledger: vec![], revocations: vec![] };
            store.write_grant(write).await
        });
        if writes.len() >= 4096 {
            writes.join_next().await;
        }
    }
    for written in writes.join_all().await {
        assert_eq!(written.expect("it goes in"), Written::Won);
    }
}

struct Run {
    store: Arc<SqliteStore>,
    rows: u64,
    stop: AtomicBool,
    done: AtomicU64,
    lost: AtomicU64,
    refused: AtomicU64,
}

impl Run {
    async fn operation(&self, random: &mut Random) {
        let id = id(random.next() % self.rows);
        let held = self.store.held_grant(id).await.expect("it can be read").expect("it is there");
        let expected = held.grant.state.version();
        let next = rotated(expected.generation + 1, NOW.plus(1));
        let what = GrantChange::Update { id, expected, next };
        let write = GrantWrite { nonce: random.next(), what, ledger: vec![], revocations: vec![] };
        match self.store.write_grant(write).await {
            Ok(Written::Won) => self.done.fetch_add(1, Ordering::Relaxed),
            Ok(Written::Lost) => self.lost.fetch_add(1, Ordering::Relaxed),
            Err(_) => self.refused.fetch_add(1, Ordering::Relaxed),
        };
    }
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_max(60_000_000, 3).expect("the bounds are valid")
}

fn log_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// CPU time of the threads whose name starts so, in microseconds; of all with an empty prefix.
fn cpu_micros(prefix: &str) -> u64 {
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else { return 0 };
    tasks
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("stat")).ok())
        .filter_map(|stat| {
            let (head, tail) = stat.rsplit_once(") ")?;
            let name = head.split_once('(')?.1;
            let ticks = |place: usize| tail.split(' ').nth(place)?.parse::<u64>().ok();
            name.starts_with(prefix).then(|| Some((ticks(11)? + ticks(12)?) * 10_000))?
        })
        .sum()
}

/// How long the disk takes to write and sync 64 KiB when nothing else of ours runs: what every latency below contains.
fn measure_disk(directory: &Path) {
    let path = directory.join("disk");
    let mut file = std::fs::File::create(&path).expect("the file can be made");
    let block = [1; 64 << 10];
    for _ in 0..256 {
        file.write_all(&block).expect("there is space");
    }
    file.sync_all().expect("it syncs");
    let mut seen = histogram();
    let start = Instant::now();
    let mut count = 0;
    while start.elapsed() < Duration::from_secs(4) {
        let before = Instant::now();
        file.write_all_at(&block, count % 256 * 65_536).expect("it can be written");
        file.sync_data().expect("it syncs");
        seen.saturating_record(u64::try_from(before.elapsed().as_micros()).unwrap_or(u64::MAX));
        count += 1;
    }
    let micros = |quantile: f64| seen.value_at_quantile(quantile);
    println!(
        "{:>14} {:>8}/s  p50 {:>5} p99 {:>6} p99.9 {:>6} max {:>6} us",
        "the disk alone",
        count / 4,
        micros(0.5),
        micros(0.99),
        micros(0.999),
        seen.max()
    );
    let _ = std::fs::remove_file(path);
}

#[derive(Clone, Copy)]
enum Load {
    Waiters(usize),
    PerSecond(u64),
}

async fn measure(path: &Path, rows: u64, seconds: u64, load: Load) {
    let mut options = Options::default();
    let number = |name: &str| env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    options.checkpoint_start = number("START").map_or(options.checkpoint_start, |mib| mib << 20);
    options.checkpoint_step = number("STEP").map_or(options.checkpoint_step, |kib| kib << 10);
    options.checkpoint_rest = number("REST").map_or(options.checkpoint_rest, |mib| mib << 20);
    options.page_size = number("PAGE").and_then(|bytes| bytes.try_into().ok()).unwrap_or(options.page_size);
    options.writer_cache = number("CACHE").and_then(|kib| kib.try_into().ok()).unwrap_or(options.writer_cache);
    let store = Arc::new(SqliteStore::open(path, &options).expect("the database opens"));
    let count = store
        .engine()
        .read(|connection| connection.query_row("SELECT count(*) FROM grants", [], |row| row.get::<_, i64>(0)));
    if count.expect("it can be read") < rows.cast_signed() {
        let before = Instant::now();
        seed(&store, rows).await;
        println!("seeded in {:.1} s", before.elapsed().as_secs_f64());
    }
    let pages =
        store.engine().read(|connection| connection.query_row("PRAGMA page_count", [], |row| row.get::<_, i64>(0)));
    let bytes = pages.expect("it can be read") * i64::from(options.page_size);
    let (stop, done, lost, refused) = Default::default();
    let run = Arc::new(Run { store, rows, stop, done, lost, refused });
    let (all_before, commits_before) = (cpu_micros(""), run.store.engine().commits());
    let start = Instant::now();
    let watcher = {
        let (run, log) = (Arc::clone(&run), log_path(path));
        std::thread::spawn(move || {
            let mut longest = 0;
            let mut memory = 0;
            while !run.stop.load(Ordering::Relaxed) {
                longest = longest.max(std::fs::metadata(&log).map_or(0, |metadata| metadata.len()));
                memory = memory.max(resident_kib());
                std::thread::sleep(Duration::from_millis(20));
            }
            (longest, memory)
        })
    };
    let mut all = histogram();
    match load {
        Load::Waiters(count) => {
            let tasks: Vec<_> = (0..count)
                .map(|task| {
                    let run = Arc::clone(&run);
                    tokio::spawn(async move {
                        let mut random = Random(task as u64 * 1_000_003 + seconds);
                        let mut seen = histogram();
                        while start.elapsed().as_secs() < seconds {
                            let before = Instant::now();
                            run.operation(&mut random).await;
                            seen.saturating_record(u64::try_from(before.elapsed().as_micros()).unwrap_or(u64::MAX));
                        }
                        seen
                    })
                })
                .collect();
            for task in tasks {
                all.add(task.await.expect("a task ends well")).expect("the bounds are equal");
            }
        }
        Load::PerSecond(rate) => {
            // Late operations count from the time they were due.
            let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
            let mut random = Random(99);
            let mut due = 0_u64;
            while start.elapsed().as_secs() < seconds {
                let wanted = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX) * rate / 1_000_000;
                while due < wanted {
                    let scheduled = start + Duration::from_micros(due * 1_000_000 / rate);
                    let (run, sender) = (Arc::clone(&run), sender.clone());
                    let mut own = Random(random.next());
                    tokio::spawn(async move {
                        run.operation(&mut own).await;
                        let _ = sender.send(u64::try_from(scheduled.elapsed().as_micros()).unwrap_or(u64::MAX));
                    });
                    due += 1;
                }
                tokio::task::yield_now().await;
                std::thread::sleep(Duration::from_micros(200));
            }
            drop(sender);
            while let Some(micros) = receiver.recv().await {
                all.saturating_record(micros);
            }
        }
    }
    let elapsed = start.elapsed().as_secs_f64();
    let done = run.done.load(Ordering::Relaxed).max(1);
    let commits = run.store.engine().commits() - commits_before;
    let cpu = [cpu_micros("keyfob-writer"), cpu_micros("keyfob-log"), cpu_micros("") - all_before];
    run.stop.store(true, Ordering::Relaxed);
    let (longest, memory) = watcher.join().expect("the watcher ends well");
    let name = match load {
        Load::Waiters(count) => format!("{count} waiters"),
        Load::PerSecond(rate) => format!("{rate}/s fixed"),
    };
    let micros = |quantile: f64| all.value_at_quantile(quantile);
    #[expect(clippy::cast_precision_loss, reason = "a rate for the eye")]
    let (rate, [writer, copier, total]) = (done as f64 / elapsed, cpu.map(|micros| micros as f64 / done as f64));
    println!(
        "{name:>14} {rate:>8.0}/s  p50 {:>5} p99 {:>6} p99.9 {:>6} max {:>6} us  log <= {:>3} MiB  rss <= {:>3} MiB",
        micros(0.5),
        micros(0.99),
        micros(0.999),
        all.max(),
        longest >> 20,
        memory >> 10,
    );
    println!(
        "{:>14} lost {} refused {}; {} in a commit; cpu us each: writer {writer:.1} log {copier:.1} all {total:.1}; \
         {} bytes a row",
        "",
        run.lost.load(Ordering::Relaxed),
        run.refused.load(Ordering::Relaxed),
        done / commits.max(1),
        bytes / rows.cast_signed(),
    );
}

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let number =
        |place: usize, default: u64| arguments.get(place).and_then(|text| text.parse().ok()).unwrap_or(default);
    let (rows, seconds) = (number(0, 1_000_000), number(1, 60));
    let directory = arguments.get(2).map_or_else(|| env::temp_dir().join("keyfob-checkpoint-pauses"), PathBuf::from);
    std::fs::create_dir_all(&directory).expect("the directory can be made");
    let page = env::var("PAGE").unwrap_or_default();
    let path = directory.join(format!("{rows}{page}.db"));
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("it starts");
    let only = env::var("ONLY").unwrap_or_default();
    for (name, load) in [("64", Load::Waiters(64)), ("256", Load::Waiters(256)), ("rate", Load::PerSecond(10_000))] {
        if only.is_empty() || only == name {
            measure_disk(&directory);
            runtime.block_on(measure(&path, rows, seconds, load));
        }
    }
}
