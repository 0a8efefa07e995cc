//! Refreshes a second at a real authority: a sandbox in a process of its own, and a vault's connections in this one. Every refresh takes its lease, its journal
//! entry and its closing write durably, goes over HTTP, and rotates the refresh token there.

use crate::child::Server;
use crate::compose::{SystemClock, SystemEntropy};
use crate::meter;
use anyhow::{Context, anyhow};
use aws_lc_rs::rand::SystemRandom;
use hdrhistogram::Histogram;
use keyfob_authority::keys::MasterKey as AuthorityKey;
use keyfob_client::{
    App, Attempt, BrowserSession, Connection, Connections, Dialect, Driver, Header, HttpRequest, Method, Provider,
    Secret, Surroundings, TokioPause, Transport,
};
use keyfob_protocol::{Clock, Entropy};
use keyfob_sandbox::{Parts, SandboxOptions, start};
use keyfob_server::clock_health::Believed;
use keyfob_server::follow::MemoryMark;
use keyfob_store_sqlite::SqliteStore;
use keyfob_vault::store::{MasterKey, SqliteTokenStore};
use serde_json::{Value, json};
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Of `sandbox`.
#[derive(clap::Args)]
pub(crate) struct SandboxArguments {
    /// Connections, each refreshed again and again by a task of its own.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// How long.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// A directory for the vault's file, which must not exist yet.
    #[arg(long, default_value = "target/bench-sandbox")]
    data: PathBuf,
}

/// The app whose refresh tokens rotate, by its place in the sandbox's announcement.
const ROTATING: usize = 1;

/// A sandbox on a free port, which it prints; until standard input ends.
pub(crate) async fn serve() -> anyhow::Result<()> {
    let entropy = Arc::new(SystemEntropy(SystemRandom::new()));
    let options = SandboxOptions {
        seed: 1,
        listen: "127.0.0.1:0".parse()?,
        separate_hosts: false,
        fub_status: false,
        redirect_uris: Vec::new(),
        data: None,
        scenario: None,
    };
    let parts = Parts {
        clock: Arc::new(SystemClock),
        master: AuthorityKey::generate(&*entropy)?,
        entropy,
        store: Arc::new(SqliteStore::ephemeral()?),
        tick_mark: Arc::new(MemoryMark::default()),
        clock_health: Arc::new(Believed),
    };
    let sandbox = start(options, parts).await?;
    println!("{}", sandbox.announcement().issuer.rsplit(':').next().unwrap_or_default());
    let end = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    sandbox.run_until(async { drop(end.await) }).await;
    Ok(())
}

/// Measures and prints.
pub(crate) async fn run(arguments: &SandboxArguments) -> anyhow::Result<()> {
    std::fs::create_dir(&arguments.data).with_context(|| format!("{} must not exist yet", arguments.data.display()))?;
    let sandbox = Server::start(&["serve-sandbox"])?;
    let base = format!("http://127.0.0.1:{}", sandbox.port);
    let (clock, entropy): (Arc<dyn Clock>, Arc<dyn Entropy>) =
        (Arc::new(SystemClock), Arc::new(SystemEntropy(SystemRandom::new())));
    let master = MasterKey::generate(&*entropy)?;
    let store = SqliteTokenStore::open(&arguments.data.join("vault.db"), master, clock.clone(), entropy.clone())?;
    let driver = Arc::new(Driver::loopback_only()?);
    let outside = Surroundings { transport: driver.clone(), clock, entropy, pause: Arc::new(TokioPause) };
    let announced = ask(&*driver, Method::Get, format!("{base}/sandbox/credentials"), None).await?;
    let app = &announced["apps"][ROTATING];
    let text = |value: &Value| value.as_str().map(str::to_owned).context("the sandbox announces its apps");
    let app = App {
        client_id: text(&app["clientId"])?,
        client_secret: Some(Secret::new(text(&app["clientSecret"])?)),
        redirect_uri: text(&app["redirectUris"][0])?,
    };
    let provider = Provider::keyfob(&base)?.speaking(Dialect::FollowUpBoss);
    let connections = Connections::new(provider, app, Arc::new(store), outside.clone());
    let begun = Instant::now();
    let mut held = Vec::new();
    for number in 0..arguments.connections {
        let user = text(&announced["users"][0]["email"])?;
        held.push(connect(&connections, &outside, &base, number, &user).await?);
    }
    println!("{} users connected in {:.1} s", held.len(), begun.elapsed().as_secs_f64());

    let (there, here) = (meter::processor_time(sandbox.pid()), meter::processor_time(std::process::id()));
    let (latency, took) = refresh(held, Duration::from_secs(arguments.seconds)).await?;
    let (count, seconds) = (latency.len(), took.as_secs_f64());
    let milliseconds = |quantile| latency.value_at_quantile(quantile) as f64 / 1000.0;
    println!("{count} refreshes in {seconds:.1} s, {:.0} a second", count as f64 / seconds);
    println!("a refresh takes {:.2} ms at the median, {:.2} ms at p99", milliseconds(0.5), milliseconds(0.99));
    let each = |before: Duration, pid| (meter::processor_time(pid) - before).as_secs_f64() * 1e6 / count.max(1) as f64;
    println!(
        "processor time a refresh: {:.0} µs in the vault, {:.0} µs in the sandbox; load average {}",
        each(here, std::process::id()),
        each(there, sandbox.pid()),
        meter::load_average()
    );
    Ok(())
}

/// A user consents, in the way of the sandbox that needs no browser.
async fn connect(
    connections: &Connections,
    outside: &Surroundings,
    base: &str,
    number: usize,
    user: &str,
) -> anyhow::Result<Connection> {
    let (session, now) = (BrowserSession::from_value("bench"), outside.clock.now());
    let (provider, app) = (connections.provider(), connections.app());
    let Attempt { url, pending } = Attempt::begin(provider, app, session, now, &*outside.entropy)?;
    let wanted = json!({ "url": url.expose(), "user": user, "decision": "approve" });
    let answer = ask(&*outside.transport, Method::Post, format!("{base}/sandbox/authorize"), Some(wanted)).await?;
    let back = answer["redirect"].as_str().and_then(|back| back.split_once('?')).context("a redirect")?;
    let ready = pending.accept(back.1, session, now).map_err(|outcome| anyhow!("{outcome}"))?;
    Ok(connections.connect(&format!("user-{number}"), ready).await?)
}

async fn ask(http: &dyn Transport, method: Method, url: String, body: Option<Value>) -> anyhow::Result<Value> {
    let headers = vec![Header::plain("Content-Type", "application/json")];
    let body = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
    let request = HttpRequest { method, url: Secret::new(url), headers, body: Secret::new(body) };
    let answer = http.send(&request).await?;
    anyhow::ensure!(answer.is_success(), "the sandbox answers {}", answer.status);
    Ok(answer.json()?)
}

/// Each connection by a task of its own, one refresh after the other. Latencies in microseconds.
async fn refresh(held: Vec<Connection>, time: Duration) -> anyhow::Result<(Histogram<u64>, Duration)> {
    let begun = Instant::now();
    let mut working = JoinSet::new();
    for connection in held {
        working.spawn(async move {
            let mut latency = Histogram::<u64>::new(3)?;
            while begun.elapsed() < time {
                let sent = Instant::now();
                connection.refresh_now().await?;
                latency.record(sent.elapsed().as_micros().try_into().unwrap_or(u64::MAX))?;
            }
            anyhow::Ok(latency)
        });
    }
    let mut latency = Histogram::new(3)?;
    for of_one in working.join_all().await {
        latency.add(of_one?)?;
    }
    Ok((latency, begun.elapsed()))
}
