//! The authority as a process of its own, and how both servers of a run listen.

use crate::compose::{ISSUER, Parts};
use axum::Router;
use axum::routing::get;
use keyfob_authority::Settings;
use keyfob_gate::GateLayer;
use keyfob_server::clock_health::Believed;
use keyfob_server::follow::MemoryMark;
use keyfob_server::listen::ListenOptions;
use keyfob_server::{Node, NodeParts, Options};
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpListener;

/// What the route behind the gate answers.
pub(crate) const GATE_ANSWER: &str = r#"{"ok":true}"#;

/// Serves until standard input ends.
pub(crate) async fn serve(data: &Path, reader_cache: Option<u32>) -> anyhow::Result<()> {
    let mut store = keyfob_store_sqlite::Options::default();
    store.reader_cache = reader_cache.unwrap_or(store.reader_cache);
    let parts = Parts::open_with(data, &store)?;
    let node = Node::open(NodeParts {
        store: parts.store,
        opener: parts.opener,
        settings: Settings::new(ISSUER),
        options: Options::plain_loopback(),
        clock: parts.clock,
        clock_health: Arc::new(Believed),
        entropy: parts.entropy,
        tick_mark: Arc::new(MemoryMark::default()),
    });
    let node = node.await?;
    let doorway = node.doorway.clone();
    let _followed = node.follow().await?;
    let behind_gate =
        Router::new().route("/bench/gate", get(async || GATE_ANSWER)).layer(GateLayer::new(doorway.gate.clone()));
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
