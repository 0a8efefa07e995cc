//! One command that drives Keyfob and a bare server in one run and prints one table (`bench/README.md`).
//!
//! `run` does everything; the other commands are the processes and steps it consists of. Nothing here talks to anything but
//! 127.0.0.1, everything is bounded in time, and only processes started here are ended here.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a measurement needs a clock and a screen, and its server is a composition root"
)]

mod bare;
mod child;
mod compose;
mod drive;
mod meter;
mod plan;
mod postgres;
mod proxy;
mod reply;
mod sandbox;
mod seed;
mod serve;
mod table;
mod vault;
mod vault_service;
mod works;

use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::time::Duration;

#[derive(Parser)]
#[command(about = "Drives Keyfob and a bare server side by side and prints one table.")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Seeds (once), starts both servers, drives them, prints the table.
    Run(plan::RunArguments),
    /// The same work on PostgreSQL, with one node and with three, beside pgbench in the same run.
    Postgres(postgres::PostgresArguments),
    /// Many connections in one vault: time, memory, refreshes a second.
    Vault(vault::VaultArguments),
    /// What the vault's proxy adds to a call.
    Proxy(proxy::ProxyArguments),
    /// Refreshes a second of a vault at a real authority, the sandbox's.
    Sandbox(sandbox::SandboxArguments),
    /// Writes grants, and beside them the tokens and codes that present them.
    Seed {
        /// Where to.
        #[arg(long)]
        data: PathBuf,
        /// Active grants.
        #[arg(long, default_value_t = 1_000_000)]
        grants: u64,
        /// Approved grants, whose codes can be redeemed.
        #[arg(long, default_value_t = 500_000)]
        codes: u64,
    },
    /// A server that answers the same requests with fixed bytes.
    Bare {
        /// Length of the answer to POST.
        #[arg(long)]
        post_bytes: usize,
        /// Length of the answer to GET.
        #[arg(long)]
        get_bytes: usize,
    },
    /// The authority, put together as `keyfob serve` does, and one route behind the gate.
    ServeForBench {
        /// What `seed` wrote.
        #[arg(long)]
        data: PathBuf,
        /// A reader's page cache in KiB, to try another than the store's own choice.
        #[arg(long)]
        reader_cache: Option<u32>,
    },
    /// The vault as a service, with connections whose tokens are fresh.
    ServeVault {
        /// A directory for its file.
        #[arg(long)]
        data: PathBuf,
        /// The base of the API.
        #[arg(long)]
        api: String,
        /// How many.
        #[arg(long)]
        connections: usize,
    },
    /// A relay with nothing of the vault in it.
    Relay {
        /// The base of the API.
        #[arg(long)]
        api: String,
    },
    /// The sandbox, which keeps nothing.
    ServeSandbox,
    /// Posts one form again and again to another server on 127.0.0.1, for comparison (`bench/compare.sh`).
    Post {
        /// Its port.
        #[arg(long)]
        port: u16,
        /// Where to.
        #[arg(long)]
        path: String,
        /// `id:secret`, for Basic.
        #[arg(long)]
        client: String,
        /// The form.
        #[arg(long)]
        form: String,
        /// How long.
        #[arg(long, default_value_t = 10)]
        seconds: u64,
    },
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Run(arguments) => plan::run(&arguments),
        Command::Postgres(arguments) => postgres::run(&arguments),
        Command::Vault(arguments) => runtime()?.block_on(vault::run(&arguments)),
        Command::Proxy(arguments) => proxy::run(&arguments),
        Command::Sandbox(arguments) => runtime()?.block_on(sandbox::run(&arguments)),
        Command::ServeVault { data, api, connections } => {
            runtime()?.block_on(vault_service::serve(&data, &api, connections))
        }
        Command::Relay { api } => runtime()?.block_on(vault_service::relay(&api)),
        Command::ServeSandbox => runtime()?.block_on(sandbox::serve()),
        Command::Seed { data, grants, codes } => runtime()?.block_on(seed::seed(&data, grants, codes)),
        Command::Bare { post_bytes, get_bytes } => runtime()?.block_on(bare::serve(post_bytes, get_bytes)),
        Command::ServeForBench { data, reader_cache } => runtime()?.block_on(serve::serve(&data, reader_cache)),
        Command::Post { port, path, client, form, seconds } => {
            let mut work = works::post(&path, &client, &form);
            let load = drive::Load { ports: &[port], connections: 64, time: Duration::from_secs(seconds), rate: None };
            let outcome = drive::drive(load, &mut work)?;
            let per_second = outcome.per_second();
            let p99 = outcome.latency.value_at_quantile(0.99) as f64 / 1000.0;
            println!("{per_second:.0} requests/s, p99 {p99:.1} ms, {} refused", outcome.failed);
            Ok(())
        }
    }
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}
