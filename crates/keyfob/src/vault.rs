//! `keyfob vault`: the connections of a partner's users, kept alive behind an HTTP API (docs/vault.md).

mod alone;
mod begun;
mod check;
mod import;
mod key;
mod notes;
mod opened;
mod settings;
mod trial;

use crate::composition::{entropy::SystemEntropy, log, signals};
use crate::exit::Exit;
use crate::output;
use axum::Router;
use axum::routing::get;
use clap::{Args, Subcommand};
use import::ImportArgs;
use keyfob_protocol::{Secret, entropy};
use keyfob_server::listen::{self, ListenOptions, tls::Tls};
use keyfob_vault::service::{Service, ServiceSettings, router};
use keyfob_vault::{delivery, tend, write_unwritten};
use opened::{Made, Opened};
use settings::VaultSettings;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  keyfob vault --sandbox http://127.0.0.1:4180   try it against a running `keyfob sandbox`; nothing is kept
  keyfob vault sample > vault.toml               every setting, its default and the reason for it
  keyfob vault key                               a new key for a caller, and its digest for the file
  keyfob vault check --config vault.toml
  keyfob vault --config vault.toml
  keyfob vault import users.csv --app fub --config vault.toml")]
pub(crate) struct VaultArgs {
    /// The configuration file. Default: ./vault.toml
    #[arg(long, global = true, value_name = "FILE", env = "KEYFOB_VAULT_CONFIG")]
    config: Option<PathBuf>,
    /// Try it: an app of its own at this running sandbox, a caller with every right, and a store that is gone at the end.
    #[arg(long, value_name = "URL", conflicts_with = "config")]
    sandbox: Option<String>,
    /// With --sandbox: where it listens, on this machine. Port 0 takes a free one. Default: 127.0.0.1:4400
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Begin a new, empty store although there was one. Leave it out again afterwards.
    #[arg(long, global = true)]
    new_store: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print a configuration file with every setting, its default and the reason for it.
    Sample,
    /// Read everything as the service would, look at the store, ask the authorities whether they are there, and say all that is wrong. Makes nothing.
    Check,
    /// Make a key for a caller. It is shown once; its digest goes into the file.
    Key,
    /// Bring in connections from another system's export.
    Import(ImportArgs),
    /// Seal the store under another data key, or another master key, while the service runs.
    #[command(subcommand)]
    Reseal(key::Reseal),
}

/// Requests in flight get this long when the service stops: a call of the API through it may take half a minute.
const GRACE: Duration = Duration::from_secs(40);
/// The store gets this long to take tokens that it has not taken yet.
const WRITING: Duration = Duration::from_secs(60);
/// Refreshes in flight whose caller has gone get this long after that: the longest wait for an authority, and the write.
const SETTLING: Duration = Duration::from_secs(60);

/// Runs a command, or the service until it is told to stop.
pub(crate) async fn run(args: VaultArgs, json: bool) -> anyhow::Result<()> {
    if args.listen.is_some() && args.sandbox.is_none() {
        return Err(
            Exit::Refused.because("--listen goes with --sandbox; a vault of your own has listen in its configuration")
        );
    }
    let settings = async || {
        let read = VaultSettings::read(args.config.as_deref()).await?;
        anyhow::Ok(VaultSettings { new_store: args.new_store, ..read })
    };
    match args.command {
        Some(Command::Sample) => output::data(false, &(), || settings::SAMPLE.to_owned()),
        Some(Command::Key) => key::fresh(json),
        Some(Command::Check) => check::check(&settings().await?, json).await,
        Some(Command::Import(import)) => {
            let opened = Opened::open(&settings().await?).await?;
            opened.tell_if_made();
            let importer = opened.vault.importer(&import.app).map_err(|_| {
                let known: Vec<&str> = opened.vault.app_names().collect();
                Exit::NotFound.because(format!("there is no app {}; there are: {}", import.app, known.join(", ")))
            })?;
            let done = import::run(import, &importer, json).await;
            end(&opened).await.and(done)
        }
        Some(Command::Reseal(reseal)) => key::reseal(reseal, settings().await?, json).await,
        None => match &args.sandbox {
            Some(sandbox) => {
                let (trial, listener) =
                    trial::Trial::at(sandbox, args.listen.unwrap_or_else(settings::default_listen)).await?;
                let served = serve(trial.settings.clone(), Some((&trial, listener)), json).await;
                trial.clear();
                served
            }
            None => serve(settings().await?, None, json).await,
        },
    }
}

/// `setting` names the address in what is said if it is taken.
async fn bind(setting: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| Exit::Unavailable.because(format!("{setting} {address}: {error}")))
}

/// Ends what was begun, then closes: a refresh that is cut off may cost its connection.
///
/// # Errors
/// New tokens could not be written in time, and are lost.
async fn end(opened: &Opened) -> anyhow::Result<()> {
    if tokio::time::timeout(SETTLING, opened.vault.settled()).await.is_err() {
        tracing::warn!("some refreshes did not finish in time; the next start settles them");
    }
    let mut left = opened.vault.write_unwritten().await;
    for tried in 0..WRITING.as_secs() {
        if left == 0 {
            break;
        }
        if tried.is_multiple_of(10) {
            let seconds = WRITING.as_secs() - tried;
            tracing::error!(
                connections = left,
                seconds,
                "not stopping yet: new tokens are in this process's memory alone; make room now"
            );
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        left = opened.vault.write_unwritten().await;
    }
    opened.close().await;
    match left {
        0 => Ok(()),
        left => Err(Exit::Unavailable.because(format!(
            "the new tokens of {left} connections could not be written and are lost; where the authority takes a refresh token once, their users have to connect again"
        ))),
    }
}

/// A vault on trial brings its listener.
async fn serve(settings: VaultSettings, trial: Option<(&trial::Trial, TcpListener)>, json: bool) -> anyhow::Result<()> {
    log::start(settings.log, "info");
    let told_to_stop = signals::stop();
    let tls = match &settings.tls {
        Some(files) => {
            let loaded = Tls::load(&files.certificate, &files.key);
            let loaded = loaded.map_err(|error| Exit::Refused.because(format!("tls: {error}")))?;
            Some((loaded, files.clone()))
        }
        None => None,
    };
    let _alone = alone::serving(&settings.store)?;
    let opened = Opened::open(&settings).await?;
    match &opened.made {
        Some(Made { told, is_odd: true }) => tracing::warn!("{told}"),
        Some(Made { told, is_odd: false }) => tracing::info!("{told}"),
        None => {}
    }
    for note in notes::of_settings(&settings).into_iter().chain(notes::of_store(&opened.vault).await) {
        tracing::warn!("{note}");
    }
    let (trial, listener) = match trial {
        Some((trial, listener)) => (Some(trial), listener),
        None => (None, bind("listen", settings.listen).await?),
    };
    let service = Arc::new(Service::new(
        opened.vault.clone(),
        ServiceSettings {
            public_url: settings.public_url.clone(),
            brand: settings.brand.clone(),
            callers: settings.callers.clone(),
            session_key: Secret::new(entropy::random(&SystemEntropy::new())?),
        },
    ));
    let mut tasks = vec![tokio::spawn(tend(service.clone())), tokio::spawn(write_unwritten(service.clone()))];
    tasks.extend(
        settings.webhooks.iter().map(|webhook| tokio::spawn(delivery::deliver(service.clone(), webhook.clone()))),
    );
    if let Some(address) = settings.metrics_listen {
        let listener = bind("metrics_listen", address).await?;
        tracing::info!(address = %listener.local_addr()?, "metrics");
        let counted = service.clone();
        let router = Router::new().route("/metrics", get(move || async move { counted.metrics() }));
        tasks.push(tokio::spawn(listen::serve(listener, router, ListenOptions::default(), std::future::pending())));
    }
    if let Some((tls, files)) = &tls {
        tasks.push(tokio::spawn(tls.clone().follow(files.certificate.clone(), files.key.clone())));
    }
    let address = listener.local_addr()?;
    tracing::info!(%address, public_url = %settings.public_url, store = %settings.store, "ready");
    if let Some(trial) = trial {
        trial.announce(json)?;
    }
    let options = ListenOptions { tls: tls.map(|(tls, _)| tls), grace: GRACE, ..ListenOptions::default() };
    let stopping = service.clone();
    let stop = async move {
        told_to_stop.await;
        stopping.set_stopping();
        tracing::info!("stopping; requests in flight are finished first");
    };
    listen::serve(listener, router(service), options, stop).await;
    for task in tasks {
        task.abort();
    }
    end(&opened).await?;
    tracing::info!("stopped");
    Ok(())
}
