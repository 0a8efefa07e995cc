//! Measures conditional writes on a real database: throughput and latency through the store's contract.
//!
//! `cargo run --release -p keyfob-store-postgres --example batches -- URL [rows] [seconds]`
//! Rows are seeded once and kept. `LANES` and `BATCH` vary the lanes and the largest batch, `WAITERS` how many wait at once (several, by
//! commas); `READ=1` reads the grant with its holder before each write, as a rotating refresh does; `END=1` ends grants instead, each with an
//! entry and a revocation, and wants fresh rows.

#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a measurement needs a clock and a screen")]

use std::collections::HashMap;
use std::env;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use keyfob_authority::conformance::build::{NOW, active, approved, revocation, update};
use keyfob_authority::model::{AppId, EndReason, Grant, GrantState, LedgerEntry, LedgerKind, UserId};
use keyfob_authority::store::{GrantChange, GrantFilter, GrantWrite, Store as _, Written};
use keyfob_protocol::token_name::GrantId;
use keyfob_store_postgres::{Address, Options, PostgresStore};
use tokio::task::JoinSet;

/// What a waiter does again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Load {
    Rotate,
    ReadAndRotate,
    End,
}

/// Instead of a generation.
const ENDED: u32 = u32::MAX;

/// A small generator (splitmix64); a measurement needs no better one.
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

/// Derived from the row's number, so that the ids need not be kept in memory.
fn id(number: u64) -> GrantId {
    let mut noise = [0; 11];
    noise[3..].copy_from_slice(&Random(number).next().to_be_bytes());
    GrantId::new(NOW.plus(number.cast_signed() / 30 - 40_000_000), noise)
}

async fn seed(store: &Arc<PostgresStore>, rows: u64) {
    let mut random = Random(7);
    let mut writes = JoinSet::new();
    for number in 0..rows {
        let app = AppId((random.next() % 40).cast_signed());
        let user = UserId((random.next() % (rows / 2 + 1)).cast_signed());
        let grant = Grant { id: id(number), app, user, state: active(1, 0), ..approved(0) };
        let write = GrantWrite { nonce: number, what: GrantChange::Insert(grant), ledger: vec![], revocations: vec![] };
        let store = Arc::clone(store);
        writes.spawn(async move { store.write_grant(write).await });
        if writes.len() >= 2048 {
            writes.join_next().await;
        }
    }
    for written in writes.join_all().await {
        assert_eq!(written.expect("written"), Written::Won);
    }
}

/// The generation of every row.
async fn generations(url: &str, rows: u64) -> Vec<AtomicU32> {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.expect("a connection");
    tokio::spawn(connection);
    let stored = client.query("SELECT id, generation FROM grants", &[]).await.expect("the rows");
    let stored: HashMap<Vec<u8>, i64> = stored.iter().map(|row| (row.get(0), row.get(1))).collect();
    (0..rows).map(|number| AtomicU32::new(u32::try_from(stored[id(number).0.as_slice()]).expect("small"))).collect()
}

/// One waiter: rotates random grants of its own share, whose generations only it changes.
async fn waiter(
    store: Arc<PostgresStore>,
    share: (usize, usize),
    generations: Arc<Vec<AtomicU32>>,
    load: Load,
    stop: Arc<AtomicBool>,
) -> Histogram<u64> {
    let (own, of) = share;
    let mut latencies = Histogram::new_with_max(60_000_000, 3).expect("valid");
    let mut random = Random(own as u64 ^ 0x5eed);
    while !stop.load(Ordering::Relaxed) {
        let number = random.next() as usize % (generations.len() / of) * of + own;
        let id = id(number as u64);
        let began = Instant::now();
        let mut generation = generations[number].load(Ordering::Relaxed);
        if load == Load::ReadAndRotate {
            let held = store.held_grant(id).await.expect("read").expect("seeded");
            generation = held.grant.state.version().generation;
        }
        if load == Load::End && generation == ENDED {
            continue;
        }
        let mut write = update(random.next(), id, &active(generation, 0), active(generation + 1, 0));
        if load == Load::End {
            let ended = GrantState::Ended { reason: EndReason::RevokedByAdmin, at: NOW };
            write = update(random.next(), id, &active(generation, 0), ended);
            write.ledger.push(LedgerEntry { grant: Some(id), ..LedgerEntry::new(NOW, LedgerKind::GrantEnded) });
            write.revocations.push(revocation(id));
        }
        assert_eq!(store.write_grant(write).await.expect("written"), Written::Won);
        let next = if load == Load::End { ENDED } else { generation + 1 };
        generations[number].store(next, Ordering::Relaxed);
        latencies.saturating_record(u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX));
    }
    latencies
}

fn set<T: FromStr>(name: &str, default: T) -> T {
    env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[tokio::main]
async fn main() {
    let mut arguments = env::args().skip(1);
    let url = arguments.next().expect("the URL of a database");
    let rows: u64 = arguments.next().map_or(1_000_000, |text| text.parse().expect("a number of rows"));
    let seconds: u64 = arguments.next().map_or(10, |text| text.parse().expect("a number of seconds"));
    let mut options = Options::default();
    options.lanes = set("LANES", options.lanes);
    options.largest_batch = set("BATCH", options.largest_batch);
    let load = match (set("READ", 0), set("END", 0)) {
        (1, _) => Load::ReadAndRotate,
        (_, 1) => Load::End,
        _ => Load::Rotate,
    };
    let address = Address::parse(&url).expect("a URL of a database");
    let store = Arc::new(PostgresStore::open(address, &options).await.expect("the database opens"));
    if store.grants(GrantFilter::default(), 1).await.expect("read").is_empty() {
        let began = Instant::now();
        seed(&store, rows).await;
        println!("seeded {rows} rows, {:.0}/s", rows as f64 / began.elapsed().as_secs_f64());
    }
    let generations = Arc::new(generations(&url, rows).await);
    for waiters in set("WAITERS", "64,256".to_owned()).split(',').map(|text| text.parse().expect("a number of waiters"))
    {
        let stop = Arc::new(AtomicBool::new(false));
        let mut tasks = JoinSet::new();
        for own in 0..waiters {
            tasks.spawn(waiter(Arc::clone(&store), (own, waiters), Arc::clone(&generations), load, Arc::clone(&stop)));
        }
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        stop.store(true, Ordering::Relaxed);
        let mut all = Histogram::<u64>::new_with_max(60_000_000, 3).expect("valid");
        for latencies in tasks.join_all().await {
            all.add(latencies).expect("of one kind");
        }
        let at = |quantile: f64| all.value_at_quantile(quantile) as f64 / 1000.0;
        println!(
            "{load:?}, {waiters} waiters, {} lanes, batches of at most {}: {:.0}/s, p50 {:.1} ms, p99 {:.1}, p99.9 {:.1}, longest {:.1}",
            options.lanes,
            options.largest_batch,
            all.len() as f64 / seconds as f64,
            at(0.5),
            at(0.99),
            at(0.999),
            all.max() as f64 / 1000.0
        );
    }
    store.close().await;
}
