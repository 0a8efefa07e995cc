//! `keyfob serve`: the authority for real use.

use crate::composition::authority::{Absent, Data, ours};
use crate::composition::{log, signals, tick_mark::FileMark};
use crate::config::{Config, StorePlace};
use crate::exit::Exit;
use crate::output;
use anyhow::Context;
use axum::Router;
use axum::routing::get;
use keyfob_authority::sign_in::SignInPlace;
use keyfob_authority::store::Store;
use keyfob_server::listen::{self, ListenOptions, tls::Tls};
use keyfob_server::{Doorway, Node, NodeParts, router};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;

/// How long a start waits for its database, not counting what the attempts take.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(500);

/// Runs until it is told to stop.
pub(crate) async fn run(config: &Config) -> anyhow::Result<()> {
    log::start(config.log, "info");
    let mut told_to_stop = Box::pin(signals::stop());
    let tls = match &config.tls {
        Some(files) => {
            let tls = Tls::load(&files.certificate, &files.key);
            Some((tls.map_err(|error| Exit::Refused.because(format!("tls: {error}")))?, files.clone()))
        }
        None => None,
    };
    let opened = tokio::select! {
        opened = data(config) => opened?,
        () = &mut told_to_stop => return Ok(()),
    };
    let Data { store, opener, clock, entropy, lock: _lock } = opened;
    let node = Node::open(NodeParts {
        store: store.clone(),
        opener,
        settings: config.settings(),
        options: config.doorway.clone(),
        clock: clock.clone(),
        clock_health: clock.clone(),
        entropy,
        tick_mark: Arc::new(FileMark::in_directory(&config.data)),
    });
    let node = ours(node.await)?;
    let doorway = node.doorway.clone();
    let followed = node.follow().await.context("the store cannot be read")?;
    let listener = TcpListener::bind(config.listen).await.with_context(|| format!("listen {}", config.listen))?;
    let metrics = metrics_listener(config, doorway.clone()).await?;
    greet(config, &*store, listener.local_addr()?.to_string().as_str()).await?;

    let clock_watch = tokio::spawn({
        let store = store.clone();
        async move { clock.watch(&*store).await }
    });
    let watch =
        tls.as_ref().map(|(tls, files)| tokio::spawn(tls.clone().follow(files.certificate.clone(), files.key.clone())));
    let options =
        ListenOptions { connections: config.connections, tls: tls.map(|(tls, _)| tls), ..ListenOptions::default() };
    let stopping = doorway.clone();
    let stop = async move {
        told_to_stop.await;
        stopping.readiness.set_stopping();
        tracing::info!("stopping; requests in flight are finished first");
    };
    listen::serve(listener, router::router(doorway), options, stop).await;
    for task in [watch, metrics, Some(clock_watch)].into_iter().flatten() {
        task.abort();
    }
    followed.stop().await;
    store.close().await;
    tracing::info!("stopped");
    Ok(())
}

/// The data, whose database may still be starting: after a power cut it often comes up after us, and a service manager that sees us give up
/// at once, again and again, soon gives us up in turn. A file on this machine is there or is not.
async fn data(config: &Config) -> anyhow::Result<Data> {
    let may_pass = |error: &anyhow::Error| {
        matches!(config.store, StorePlace::Postgres(_)) && Exit::of(error) == Some(Exit::Unavailable)
    };
    let mut waited = Duration::ZERO;
    loop {
        match Data::open(config, Absent::Make).await {
            Err(error) if may_pass(&error) && waited < LONGEST_WAIT => {
                if waited.is_zero() {
                    tracing::warn!(error = format!("{error:#}"), "waiting for the database, for a minute at most");
                }
                tokio::time::sleep(PAUSE).await;
                waited += PAUSE;
            }
            outcome => return outcome,
        }
    }
}

/// `/metrics` on a listener of its own.
async fn metrics_listener(
    config: &Config,
    doorway: Arc<Doorway>,
) -> anyhow::Result<Option<tokio::task::JoinHandle<()>>> {
    let Some(address) = config.metrics_listen else { return Ok(None) };
    let listener = TcpListener::bind(address).await.with_context(|| format!("metrics_listen {address}"))?;
    tracing::info!(address = %listener.local_addr()?, "metrics");
    let router = Router::new().route("/metrics", get(move || async move { doorway.metrics.render() }));
    Ok(Some(tokio::spawn(listen::serve(listener, router, ListenOptions::default(), std::future::pending()))))
}

/// Says where it listens and, while there is nobody to serve, how to begin.
async fn greet(config: &Config, store: &dyn Store, address: &str) -> anyhow::Result<()> {
    tracing::info!(issuer = config.issuer, address, data = %config.data.display(), store = %config.store, "ready");
    if config.key_lies_with_data() {
        tracing::warn!(
            path = %config.master_key_file.display(),
            "the master key lies in the data directory, so one copy holds both; move it and set master_key_file"
        );
    }
    if let Some(advice) = config.advice_on_proxy() {
        tracing::warn!("{advice}");
    }
    if let Some(steps) = first_steps(config, store).await? {
        output::say(&steps);
    }
    Ok(())
}

/// What to do where there is nobody to serve. People who sign in elsewhere are added when they first come, and have no password here.
async fn first_steps(config: &Config, store: &dyn Store) -> anyhow::Result<Option<String>> {
    let data = config.data.display();
    let same_store = match config.store {
        StorePlace::Data => "",
        StorePlace::Postgres(_) => " with the same KEYFOB_STORE or --config",
    };
    let app = format!(
        "keyfob system add  --data {data} --name 'Partner One'                                                  # prints its key\n  \
         keyfob app add     --data {data} --system 'Partner One' --name 'First App' --redirect-uri https://app.example.com/callback\n"
    );
    let elsewhere = match &config.settings().sign_in {
        SignInPlace::Here => None,
        SignInPlace::Platform(platform) => Some(platform.origin().to_owned()),
        SignInPlace::OpenId(openid) => Some(openid.issuer().to_owned()),
    };
    Ok(match elsewhere {
        Some(place) if store.apps(None).await?.is_empty() => Some(format!(
            "\nThere is no app yet. In another terminal{same_store}:\n\n  {app}\nPeople sign in at {place} and are added when they first come.\n"
        )),
        None if store.accounts().await?.is_empty() => Some(format!(
            "\nThere is no account yet. In another terminal{same_store}:\n\n  \
             keyfob account add --data {data} --name 'Maple Street Realty' --domain maple-street\n  \
             keyfob user add    --data {data} --account 1 --email you@example.com --name 'Your Name' --role owner   # asks for a password\n  \
             {app}"
        )),
        _ => None,
    })
}
