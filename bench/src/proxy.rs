//! What the vault's proxy adds to a call: the same API is driven directly, through a relay that does nothing, and through the vault, all by the same
//! driver over as many kept connections.

use crate::child::Server;
use crate::drive::{Load, Outcome};
use crate::meter;
use crate::plan;
use crate::vault_service::{CALLER_KEY, proxied};
use crate::works::{self, InTurn};
use anyhow::Context;
use std::path::PathBuf;
use std::time::Duration;

/// Of `proxy`.
#[derive(clap::Args)]
pub(crate) struct ProxyArguments {
    /// Seconds that each line takes.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Requests a second of the lines at a fixed rate: far from what saturates the machine, where a median is a queue's length.
    #[arg(long, default_value_t = 1_000)]
    rate: u32,
    /// How often all of it is done; the machine's other work moves single rounds.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Length of the API's answer: a page of ten people has about so many bytes.
    #[arg(long, default_value_t = 8_000)]
    bytes: usize,
    /// A directory for the vault's file, which must not exist yet.
    #[arg(long, default_value = "target/bench-proxy")]
    data: PathBuf,
}

/// Connections in the vault that are called in turn.
const USERS: usize = 64;
/// A path of the bare server's.
const PATH: &str = "/bench/gate";
/// What the proxy may add at the median, in microseconds.
const TARGET: i64 = 150;

/// Measures and prints.
pub(crate) fn run(arguments: &ProxyArguments) -> anyhow::Result<()> {
    std::fs::create_dir(&arguments.data).with_context(|| format!("{} must not exist yet", arguments.data.display()))?;
    let api = Server::start(&["bare", "--post-bytes", "1", "--get-bytes", &arguments.bytes.to_string()])?;
    let base = format!("http://127.0.0.1:{}/", api.port);
    let data = arguments.data.to_str().context("the path is UTF-8")?;
    let relay = Server::start(&["relay", "--api", &base])?;
    let users = USERS.to_string();
    let vault = Server::start(&["serve-vault", "--data", data, "--api", &base, "--connections", &users])?;

    println!(
        "{:<8} {:>5} {:>9} {:>8} {:>8} {:>9} {:>8}",
        "by", "conns", "req/s", "p50 µs", "p99 µs", "adds µs", "CPU µs"
    );
    for (connections, rate) in [(1, None), (64, None), (64, Some(arguments.rate))] {
        for _ in 0..arguments.rounds {
            let mut direct = None;
            for (name, server) in [("direct", &api), ("relay", &relay), ("vault", &vault)] {
                let (outcome, processor) = measured(name, server, (connections, rate), arguments.seconds)?;
                let median = outcome.latency.value_at_quantile(0.5) as i64;
                let adds = median - *direct.get_or_insert(median);
                println!(
                    "{name:<8} {connections:>5} {:>9.0} {median:>8} {:>8} {adds:>9} {processor:>8.1}",
                    outcome.per_second(),
                    outcome.latency.value_at_quantile(0.99),
                );
            }
        }
    }
    println!("target: the vault adds at most {TARGET} µs at the median; load average {}", meter::load_average());
    Ok(())
}

/// Drives one of them. Also the processor time a request, in microseconds, of this server alone.
fn measured(
    name: &str,
    server: &Server,
    (connections, rate): (usize, Option<u32>),
    seconds: u64,
) -> anyhow::Result<(Outcome, f64)> {
    let requests = match name {
        "vault" => {
            let key = format!("authorization: Bearer {CALLER_KEY}\r\n");
            (0..USERS).map(|user| works::get(&proxied(user, PATH), &key)).collect()
        }
        _ => vec![works::get(PATH, "")],
    };
    let ports = [server.port];
    let load = Load { ports: &ports, connections, time: Duration::from_secs(seconds), rate };
    let (outcome, processor) = plan::measured(server, load, &mut InTurn::of(requests))?;
    if let Some(failure) = &outcome.first_failure {
        anyhow::bail!("{name}: {failure}");
    }
    Ok((outcome, processor))
}
