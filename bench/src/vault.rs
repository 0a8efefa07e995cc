//! Many connections in one vault: how long it takes to write and to open them, what memory they need, how many refreshes a second it makes.
//!
//! The authority is a function in this process that answers at once, so that only the client and the store are measured. Every refresh takes
//! its lease, its journal entry and its closing write, durably.

use crate::compose::{SystemClock, SystemEntropy};
use crate::meter;
use anyhow::{Context, ensure};
use async_trait::async_trait;
use aws_lc_rs::rand::SystemRandom;
use hdrhistogram::Histogram;
use keyfob_client::{
    App, Connection, Connections, HttpRequest, HttpResponse, Provider, Secret, SendFailure, StoredConnection,
    Surroundings, TokenSet, TokenStore, TokioPause, Transport,
};
use keyfob_protocol::{Clock, Entropy};
use keyfob_vault::store::{MasterKey, PostgresTokenStore, SqliteTokenStore};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Rows that are read at once when a vault looks through all of them.
const PAGE: usize = 500;
/// How many write at once when connections are put in.
const WRITERS: usize = 256;

/// Of `vault`.
#[derive(clap::Args)]
pub(crate) struct VaultArguments {
    /// Connections in the vault.
    #[arg(long, default_value_t = 100_000)]
    connections: u64,
    /// Refreshes to make.
    #[arg(long, default_value_t = 50_000)]
    refreshes: u64,
    /// How many are being made at once.
    #[arg(long, default_value_t = 256)]
    at_once: u64,
    /// A directory for the vault's file, which must not exist yet.
    #[arg(long, default_value = "target/bench-vault", conflicts_with = "postgres")]
    data: PathBuf,
    /// An empty database, in place of a file.
    #[arg(long)]
    postgres: Option<String>,
}

/// Answers every refresh at once.
#[derive(Default)]
struct StandIn(AtomicU64);

#[async_trait]
impl Transport for StandIn {
    async fn send(&self, _: &HttpRequest) -> Result<HttpResponse, SendFailure> {
        let number = self.0.fetch_add(1, Ordering::Relaxed);
        // As long as Follow Up Boss's are, about.
        let body = format!(
            r#"{{"access_token":"kf_at_{number:0>200}","refresh_token":"kf_rt_{number:0>80}","token_type":"Bearer","expires_in":3600}}"#
        );
        Ok(HttpResponse { status: 200, headers: Vec::new(), body: Secret::new(body.into_bytes()) })
    }
}

/// Measures and prints.
pub(crate) async fn run(arguments: &VaultArguments) -> anyhow::Result<()> {
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy(SystemRandom::new()));
    let master = MasterKey::generate(&*entropy)?;
    if arguments.postgres.is_none() {
        std::fs::create_dir(&arguments.data)
            .with_context(|| format!("{} must not exist yet", arguments.data.display()))?;
    }
    println!(
        "load average {}, {} connections, {} refreshes, {} at once",
        meter::load_average(),
        arguments.connections,
        arguments.refreshes,
        arguments.at_once
    );
    let (store, _) = open(arguments, &master, &entropy).await?;
    let begun = Instant::now();
    put_in(&store, arguments.connections).await?;
    told("put in", arguments.connections, begun.elapsed());
    drop(store);

    let before = meter::resident(std::process::id());
    let (store, took) = open(arguments, &master, &entropy).await?;
    println!("opened in {:.1} ms", took.as_secs_f64() * 1000.0);
    let begun = Instant::now();
    let seen = look_through(&store).await?;
    ensure!(seen == arguments.connections, "{seen} connections are in it");
    told("looked through", seen, begun.elapsed());

    let connections = connections(store, entropy)?;
    let begun = Instant::now();
    let mut held = Vec::new();
    for number in 0..arguments.connections {
        let connection = connections.open(&name(number));
        connection.fresh_tokens().await?;
        held.push(connection);
    }
    told("opened and read", arguments.connections, begun.elapsed());
    let grown = meter::resident(std::process::id()) - before;
    let each = grown * 1024.0 * 1024.0 / arguments.connections as f64;
    println!("resident {grown:.0} MiB more with all of them in use, {each:.0} bytes each");

    let (took, latency) = refresh(Arc::new(held), arguments).await?;
    told("refreshed", arguments.refreshes, took);
    let milliseconds = |quantile| latency.value_at_quantile(quantile) as f64 / 1000.0;
    println!("a refresh takes {:.2} ms at the median, {:.2} ms at p99", milliseconds(0.5), milliseconds(0.99));
    println!("peak {:.0} MiB, load average {}", meter::peak(std::process::id()), meter::load_average());
    Ok(())
}

fn told(what: &str, count: u64, took: Duration) {
    let seconds = took.as_secs_f64();
    println!("{what}: {count} in {seconds:.2} s, {:.0} a second", count as f64 / seconds);
}

fn name(number: u64) -> String {
    format!("user-{number:08}")
}

async fn open(
    arguments: &VaultArguments,
    master: &MasterKey,
    entropy: &Arc<dyn Entropy>,
) -> anyhow::Result<(Arc<dyn TokenStore>, Duration)> {
    let (clock, begun): (Arc<dyn Clock>, _) = (Arc::new(SystemClock), Instant::now());
    let store: Arc<dyn TokenStore> = match &arguments.postgres {
        Some(url) => {
            let address = keyfob_postgres::Address::parse(url)?;
            let options = keyfob_postgres::Options::default();
            Arc::new(PostgresTokenStore::open(address, &options, master.clone(), clock, entropy.clone()).await?)
        }
        None => {
            let file = arguments.data.join("vault.db");
            Arc::new(SqliteTokenStore::open(&file, master.clone(), clock, entropy.clone())?)
        }
    };
    Ok((store, begun.elapsed()))
}

async fn put_in(store: &Arc<dyn TokenStore>, count: u64) -> anyhow::Result<()> {
    let next = Arc::new(AtomicU64::new(0));
    let mut writers = JoinSet::new();
    for _ in 0..WRITERS {
        let (store, next) = (store.clone(), next.clone());
        writers.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return anyhow::Ok(());
                }
                let now = SystemClock.now();
                let tokens = TokenSet {
                    access_token: Secret::new(format!("kf_at_{number:0>200}")),
                    refresh_token: Some(Secret::new(format!("kf_rt_{number:0>80}"))),
                    expires_at: Some(now.plus(3600)),
                    obtained_at: now,
                    scope: None,
                };
                store.save(&name(number), None, &StoredConnection::live(1, tokens, now, None)).await?;
            }
        });
    }
    writers.join_all().await.into_iter().collect()
}

/// What a vault does when it looks for connections to keep alive.
async fn look_through(store: &Arc<dyn TokenStore>) -> anyhow::Result<u64> {
    let (mut seen, mut last) = (0, None);
    loop {
        let page = store.page(last.as_deref(), PAGE).await?;
        let Some(end) = page.last() else { return Ok(seen) };
        last = Some(end.id.clone());
        for listed in page {
            listed.row?;
            seen += 1;
        }
    }
}

fn connections(store: Arc<dyn TokenStore>, entropy: Arc<dyn Entropy>) -> anyhow::Result<Connections> {
    let app = App {
        client_id: "bench".to_owned(),
        client_secret: Some(Secret::from("bench")),
        redirect_uri: "https://bench.example.com/callback".to_owned(),
    };
    let outside = Surroundings {
        transport: Arc::new(StandIn::default()),
        clock: Arc::new(SystemClock),
        entropy,
        pause: Arc::new(TokioPause),
    };
    Ok(Connections::new(Provider::follow_up_boss(), app, store, outside))
}

async fn refresh(held: Arc<Vec<Connection>>, arguments: &VaultArguments) -> anyhow::Result<(Duration, Histogram<u64>)> {
    let (next, count, begun) = (Arc::new(AtomicU64::new(0)), arguments.refreshes, Instant::now());
    let mut working = JoinSet::new();
    for _ in 0..arguments.at_once {
        let (held, next) = (held.clone(), next.clone());
        working.spawn(async move {
            let mut latency = Histogram::<u64>::new(3)?;
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return anyhow::Ok(latency);
                }
                // Scattered: no two that follow each other lie on one page.
                let place = number.wrapping_mul(7919) % held.len() as u64;
                let begun = Instant::now();
                held[place as usize].refresh_now().await?;
                latency.record(begun.elapsed().as_micros().try_into().unwrap_or(u64::MAX))?;
            }
        });
    }
    let mut latency = Histogram::new(3)?;
    for of_one in working.join_all().await {
        latency.add(of_one?)?;
    }
    Ok((begun.elapsed(), latency))
}
