//! `keyfob sandbox`: everything on this machine, offline, nothing to configure.

use crate::args::SandboxArgs;
use crate::composition::authority::private_directory;
use crate::composition::clock::SystemClock;
use crate::composition::entropy::SystemEntropy;
use crate::composition::log::{self, LogFormat};
use crate::composition::stores::open_sqlite;
use crate::composition::{master_key, signals, tick_mark};
use crate::exit::Exit;
use crate::output;
use anyhow::Context;
use keyfob_authority::keys::MasterKey;
use keyfob_sandbox::{Parts, SandboxError, SandboxOptions};
use keyfob_server::follow::{MemoryMark, TickMark};
use keyfob_store_sqlite::SqliteStore;
use std::sync::Arc;

/// Runs until it is told to stop.
pub(crate) async fn run(args: SandboxArgs, json: bool) -> anyhow::Result<()> {
    // Every refusal, with its reason: whoever develops against a sandbox looks at its terminal.
    log::start(LogFormat::Text, "warn,keyfob_server=info");
    if !args.listen.ip().is_loopback() {
        return Err(Exit::Refused.because("the sandbox's passwords are public, so it listens on loopback only"));
    }
    let clock = Arc::new(SystemClock::start());
    let entropy = Arc::new(SystemEntropy::new());
    let (store, tick_mark): (_, Arc<dyn TickMark>) = match &args.data {
        Some(directory) => {
            private_directory(directory).with_context(|| format!("data directory {}", directory.display()))?;
            (open_sqlite(&directory.join("keyfob.db"))?, Arc::new(tick_mark::FileMark::in_directory(directory)))
        }
        None => (Arc::new(SqliteStore::ephemeral().context("an ephemeral store")?), Arc::new(MemoryMark::default())),
    };
    let master = match &args.data {
        // A sandbox's key lies with its data: both are for play.
        Some(directory) => master_key::kept(&directory.join("master-key"), &*entropy)?,
        None => MasterKey::generate(&*entropy).map_err(keyfob_authority::Fault::from)?,
    };
    let options = SandboxOptions {
        seed: args.seed,
        listen: args.listen,
        separate_hosts: args.separate_hosts,
        fub_status: args.fub_status,
        redirect_uris: args.redirect_uris,
        data: args.data,
        scenario: args.scenario,
    };
    let parts = Parts { clock: clock.clone(), entropy, store: store.clone(), master, tick_mark, clock_health: clock };
    let running = keyfob_sandbox::start(options, parts).await.map_err(|error| match &error {
        SandboxError::Listen { .. } => Exit::Unavailable.because(error.to_string()),
        _ => Exit::Refused.because(error.to_string()),
    })?;
    let stop = signals::stop();
    output::data(json, running.announcement(), || running.welcome().to_owned())?;
    running.run_until(stop).await;
    store.close().await;
    Ok(())
}
