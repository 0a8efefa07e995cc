//! The authority as a process of its own, and how both servers of a run listen.

use crate::compose::{ISSUER, Parts};
use axum::Router;
use axum::routing::get;
use keyfob_authority::passwords::Passwords;
use keyfob_authority::sign_in::LocalPasswords;
use keyfob_authority::{Authority, Settings};
use keyfob_gate::{Gate, GateConfig, GateLayer, WithoutNews};
use keyfob_server::clock_health::Believed;
use keyfob_server::doorway::{GateSink, Readiness};
use keyfob_server::follow::{Follower, TickMark};
use keyfob_server::listen::ListenOptions;
use keyfob_server::metrics::Metrics;
use keyfob_server::{Doorway, Options};
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use tokio::net::TcpListener;

/// What the route behind the gate answers.
pub(crate) const GATE_ANSWER: &str = r#"{"ok":true}"#;

/// Serves until standard input ends.
pub(crate) async fn serve(data: &Path, reader_cache: Option<u32>) -> anyhow::Result<()> {
    let mut store = keyfob_store_sqlite::Options::default();
    store.reader_cache = reader_cache.unwrap_or(store.reader_cache);
    let parts = Parts::open_with(data, &store)?;
    let keyring = parts.keyring().await?;
    let settings = Settings::new(ISSUER);
    let gate_config =
        GateConfig { without_news: WithoutNews::KeepServing, ..GateConfig::new(ISSUER, &settings.audience) };
    let gate = Arc::new(Gate::new(gate_config, parts.clock.clone()));
    let sink = Arc::new(GateSink(gate.clone()));
    let authority = Authority::new(parts.store.clone(), keyring, settings, parts.entropy.clone(), sink);
    let passwords = Arc::new(Passwords::new(&*parts.entropy)?);
    let doorway = Arc::new(Doorway {
        sign_in: Arc::new(LocalPasswords::new(parts.store.clone(), passwords, parts.entropy.clone())),
        authority: Arc::new(authority),
        gate: gate.clone(),
        clock: parts.clock.clone(),
        entropy: parts.entropy.clone(),
        options: Options { secure_cookies: false, strict_transport: false, ..Options::default() },
        metrics: Metrics::default(),
        readiness: Readiness::default(),
    });
    let follower = Follower {
        doorway: doorway.clone(),
        opener: parts.opener,
        clock_health: Arc::new(Believed),
        tick_mark: Arc::new(MemoryMark(AtomicI64::new(i64::MIN))),
    };
    let _followed = follower.start().await?;
    let behind_gate = Router::new().route("/bench/gate", get(async || GATE_ANSWER)).layer(GateLayer::new(gate));
    listen(keyfob_server::router::router(doorway).merge(behind_gate)).await
}

/// Listens on a free port, says which on standard output, and serves until standard input ends: with the process that started it.
pub(crate) async fn listen(router: Router) -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?.port());
    let (ended, end) = tokio::sync::oneshot::channel::<()>();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        drop(ended);
    });
    keyfob_server::listen::serve(listener, router, ListenOptions::default(), async { drop(end.await) }).await;
    Ok(())
}

struct MemoryMark(AtomicI64);

impl TickMark for MemoryMark {
    fn seen(&self) -> Option<i64> {
        Some(self.0.load(Ordering::SeqCst)).filter(|seen| *seen != i64::MIN)
    }

    fn note(&self, tick: i64) {
        self.0.fetch_max(tick, Ordering::SeqCst);
    }
}
