//! Listeners: accept, bound what a connection may cost, serve, and stop gracefully (matrix RL-04, SE-03).

pub mod tls;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tower::util::MapRequest;

/// A request's head must arrive within this.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// Room for the largest head that is answered by ourselves (8 KiB target, 16 KiB headers) and some more; beyond it hyper answers 431.
const HEAD_BUFFER: usize = 64 * 1024;
/// After a failure to accept (usually: no file descriptors) wait this long.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How a listener behaves.
#[derive(Clone)]
pub struct ListenOptions {
    /// Connections at once; further ones wait in the kernel.
    pub connections: usize,
    /// Requests in flight get this long when the process stops.
    pub grace: Duration,
    /// TLS, where this process terminates it.
    pub tls: Option<tls::Tls>,
}

impl Default for ListenOptions {
    fn default() -> Self {
        ListenOptions { connections: 4096, grace: Duration::from_secs(10), tls: None }
    }
}

/// Serves until `stop` resolves; handlers find who is connected in the extensions, as [`ConnectInfo`]. Then lets requests in flight
/// finish, for the grace period at most.
pub async fn serve(listener: TcpListener, router: Router, options: ListenOptions, stop: impl Future<Output = ()>) {
    let permits = Arc::new(Semaphore::new(options.connections));
    let (stopping, stopped) = watch::channel(false);
    let mut connections = JoinSet::new();
    tokio::pin!(stop);
    loop {
        while connections.try_join_next().is_some() {}
        let permit = tokio::select! {
            permit = permits.clone().acquire_owned() => permit.expect("invariant: the semaphore is never closed"),
            () = &mut stop => break,
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let (router, stopped, tls) = (router.clone(), stopped.clone(), options.tls.clone());
        connections.spawn(async move {
            let _permit = permit;
            connection(stream, peer, tls, router, stopped).await;
        });
    }
    drop(listener);
    stopping.send_replace(true);
    let finished = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(options.grace, finished).await.is_err() {
        tracing::warn!("some requests did not finish in time");
    }
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    tls: Option<tls::Tls>,
    router: Router,
    stopped: watch::Receiver<bool>,
) {
    // Answers are small; waiting for more of them only delays.
    let _ = stream.set_nodelay(true);
    match tls {
        None => http(stream, peer, router, stopped).await,
        Some(tls) => match tokio::time::timeout(HEAD_TIME, tls.accept(stream)).await {
            Ok(Ok(stream)) => http(stream, peer, router, stopped).await,
            Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
            Err(_) => tracing::debug!("a TLS handshake took too long"),
        },
    }
}

async fn http(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
    router: Router,
    mut stopped: watch::Receiver<bool>,
) {
    let service = TowerToHyperService::new(MapRequest::new(router, move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        request
    }));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(HEAD_BUFFER)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    tokio::select! {
        result = &mut connection => log_end(result),
        () = async { drop(stopped.wait_for(|stopped| *stopped).await) } => {
            connection.as_mut().graceful_shutdown();
            log_end(connection.await);
        }
    }
}

fn log_end(result: Result<(), hyper::Error>) {
    if let Err(error) = result {
        tracing::debug!(%error, "a connection ended early");
    }
}
