//! `keyfob gate`: the gate on its own, in front of an API in any language (docs/gate.md).

mod options;
mod settings;

pub(crate) use options::GateArgs;

use crate::composition::clock::SystemClock;
use crate::composition::{log, signals};
use crate::exit::Exit;
use anyhow::Context;
use axum::Router;
use keyfob_gate::Gate;
use keyfob_gate::follow::{FollowStatus, Follower};
use keyfob_gate::front::{Checkpoint, ForwardAuth, GateMetrics, Proxy, admin};
use keyfob_server::listen::{self, ListenOptions, tls::Tls};
use settings::{GateSettings, Mode};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Runs until it is told to stop.
pub(crate) async fn run(args: GateArgs) -> anyhow::Result<()> {
    let settings = GateSettings::read(args)?;
    log::start(settings.log, "info");
    let told_to_stop = signals::stop();
    let clock = Arc::new(SystemClock::start());
    let gate = Arc::new(Gate::new(settings.gate.clone(), clock.clone()));
    let follower = Follower::new(gate.clone(), &settings.follow, clock)
        .map_err(|error| Exit::Refused.because(format!("authority {}: {error}", settings.follow.authority)))?;
    let tls = match &settings.tls {
        Some(files) => Some((files.clone(), Tls::load(&files.certificate, &files.key).map_err(refused("tls"))?)),
        None => None,
    };
    let metrics = Arc::new(GateMetrics::default());
    let status = follower.status();
    let listener = TcpListener::bind(settings.listen).await.with_context(|| format!("listen {}", settings.listen))?;
    let admin = admin_listener(settings.metrics_listen, gate.clone(), metrics.clone(), status).await?;
    greet(&settings, listener.local_addr()?);

    let router = router(settings.mode, Arc::new(Checkpoint::new(gate, metrics)));
    let followed = tokio::spawn(follower.run());
    let watch = tls.clone().map(|(files, tls)| tokio::spawn(tls.follow(files.certificate, files.key)));
    let options =
        ListenOptions { connections: settings.connections, tls: tls.map(|(_, tls)| tls), ..ListenOptions::default() };
    let stop = async {
        told_to_stop.await;
        tracing::info!("stopping; requests in flight are finished first");
    };
    listen::serve(listener, router, options, stop).await;
    followed.abort();
    for task in [watch, admin].into_iter().flatten() {
        task.abort();
    }
    tracing::info!("stopped");
    Ok(())
}

fn router(mode: Mode, checkpoint: Arc<Checkpoint>) -> Router {
    match mode {
        Mode::ForwardAuth { passed } => ForwardAuth::new(checkpoint, passed).router(),
        Mode::Proxy(config) => Proxy::new(checkpoint, *config).router(),
    }
}

/// `/healthz`, `/readyz` and `/metrics`, apart from what is guarded.
async fn admin_listener(
    address: Option<SocketAddr>,
    gate: Arc<Gate>,
    metrics: Arc<GateMetrics>,
    status: Arc<FollowStatus>,
) -> anyhow::Result<Option<JoinHandle<()>>> {
    let Some(address) = address else { return Ok(None) };
    let listener = TcpListener::bind(address).await.with_context(|| format!("metrics_listen {address}"))?;
    tracing::info!(address = %listener.local_addr()?, "metrics");
    let router = admin::router(gate, metrics, status);
    Ok(Some(tokio::spawn(listen::serve(listener, router, ListenOptions::default(), std::future::pending()))))
}

fn greet(settings: &GateSettings, address: SocketAddr) {
    let mode = match &settings.mode {
        Mode::ForwardAuth { .. } => "forward-auth at /check".to_owned(),
        Mode::Proxy(config) => format!("proxy to {}", config.upstream),
    };
    tracing::info!(
        %address,
        mode,
        authority = settings.follow.authority,
        name = settings.follow.name,
        issuer = settings.gate.issuer,
        audience = settings.gate.audience,
        without_news = ?settings.gate.without_news,
        "listening"
    );
}

fn refused<E: std::fmt::Display>(what: &'static str) -> impl Fn(E) -> anyhow::Error {
    move |error| Exit::Refused.because(format!("{what}: {error}"))
}
