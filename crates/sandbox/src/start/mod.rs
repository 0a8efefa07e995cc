//! Starting a sandbox: listeners first, since the issuer is the address that was taken; then the store, the seed and the routes.
//!
//! Clock, entropy and store are handed in. Kept data is served where it was first opened, because every token
//! names that address. Trusts its operator and nobody who calls it.

mod addresses;
mod announcement;
pub(crate) mod compose;
mod hosts;
pub(crate) mod seeding;
mod welcome;

pub(crate) use addresses::Addresses;
pub use announcement::{AnnouncedApp, AnnouncedPolicy, AnnouncedSystem, AnnouncedUser, Announcement};

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use keyfob_authority::Fault;
use keyfob_authority::keys::MasterKey;
use keyfob_authority::open::OpenError;
use keyfob_authority::store::Store;
use keyfob_client::{DriverError, UnsafeUrl};
use keyfob_protocol::{Clock, Entropy, EntropyFailed};
use keyfob_server::follow::{FollowError, Followed, TickMark};
use keyfob_server::listen::{self, ListenOptions};
use keyfob_server::{ClockHealth, Doorway};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::api::SavedError;
use crate::clock::ClockError;

/// What a sandbox may be told.
#[derive(Clone, Debug)]
pub struct SandboxOptions {
    /// The number that everything seeded is derived from.
    pub seed: u64,
    /// Where to listen. Port 0 takes a free one, or the issuer's again where there is data. With `separate_hosts` the API and the demo
    /// take the next two ports, or free ones.
    pub listen: SocketAddr,
    /// Whether the API and the demo have listeners of their own, so that a wrong host fails.
    pub separate_hosts: bool,
    /// Statuses as Follow Up Boss lists them (decisions D1, D9).
    pub fub_status: bool,
    /// Redirect URIs that every app gets beside the demo's.
    pub redirect_uris: Vec<String>,
    /// Where the API's data and the clock's offset are kept; the store that is handed in should be kept there too. `None`: nowhere.
    pub data: Option<PathBuf>,
    /// A file of faults that are set from the start (docs/sandbox-faults.md). A reset ends them.
    pub scenario: Option<PathBuf>,
}

/// What only the composition root can make.
pub struct Parts {
    /// The system's clock.
    pub clock: Arc<dyn Clock>,
    /// The system's randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Rows: a new store, or one that a sandbox wrote.
    pub store: Arc<dyn Store>,
    /// Seals the store's keys.
    pub master: MasterKey,
    /// Remembers the store's tick.
    pub tick_mark: Arc<dyn TickMark>,
    /// Judges the system's clock.
    pub clock_health: Arc<dyn ClockHealth>,
}

/// Why a sandbox does not start.
#[derive(Debug, Error)]
pub enum SandboxError {
    /// The port is taken, or the address is not this machine's.
    #[error("cannot listen on {address}: {source}; --listen 127.0.0.1:0 takes a free port")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The data belongs to another address.
    #[error(
        "the tokens of this data name {issuer}, so it cannot be served at {asked}; listen there again, or give --data another directory"
    )]
    AnotherAddress {
        /// The data's.
        issuer: String,
        /// Where it was to be served.
        asked: String,
    },
    /// An address that others reach, with passwords that everybody knows.
    #[error("the sandbox listens on this machine only (127.0.0.1 or ::1), not on {0}")]
    NotLocal(SocketAddr),
    /// The data directory cannot be made.
    #[error("{}: {source}", path.display())]
    Directory {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A redirect URI cannot be registered.
    #[error("--redirect-uri: {0}")]
    RedirectUri(String),
    /// The scenario cannot be read, or asks for something that there is not.
    #[error("--scenario {}: {what}", path.display())]
    Scenario {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The seed cannot be written.
    #[error("the seeded data could not be written: {0}")]
    Seed(String),
    /// The store is another's, or its keys do not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The store cannot be followed.
    #[error(transparent)]
    Follow(#[from] FollowError),
    /// The store or the randomness failed.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The clock's file.
    #[error(transparent)]
    Clock(#[from] ClockError),
    /// The API's file.
    #[error(transparent)]
    Saved(#[from] SavedError),
    /// The demo's client.
    #[error("the demo cannot start: {0}")]
    Demo(#[from] DriverError),
    /// The demo would have to send secrets to an address that is not this machine's.
    #[error("the demo cannot start: {0}")]
    Unsafe(#[from] UnsafeUrl),
}

impl From<EntropyFailed> for SandboxError {
    fn from(failed: EntropyFailed) -> Self {
        SandboxError::Fault(failed.into())
    }
}

/// A sandbox whose listeners are open and whose data is there. It answers while [`RunningSandbox::run_until`] is polled.
pub struct RunningSandbox {
    pub(super) announcement: Announcement,
    pub(super) welcome: String,
    pub(super) served: Vec<(TcpListener, Router)>,
    pub(super) doorway: Arc<Doorway>,
    pub(super) followed: Followed,
}

/// Opens the listeners, the store and the seed.
///
/// # Errors
/// [`SandboxError`]; nothing listens then.
pub async fn start(options: SandboxOptions, parts: Parts) -> Result<RunningSandbox, SandboxError> {
    compose::compose(options, parts).await
}

impl RunningSandbox {
    /// Addresses and credentials, for scripts.
    pub fn announcement(&self) -> &Announcement {
        &self.announcement
    }

    /// The same for a person: what to open, who to sign in as, what to try.
    pub fn welcome(&self) -> &str {
        &self.welcome
    }

    /// Answers until `stop` resolves, and then lets requests in flight finish.
    pub async fn run_until(self, stop: impl Future<Output = ()>) {
        let (stopping, stopped) = watch::channel(false);
        let mut listeners = JoinSet::new();
        for (listener, router) in self.served {
            let mut stopped = stopped.clone();
            let stop = async move { drop(stopped.wait_for(|stopped| *stopped).await) };
            listeners.spawn(listen::serve(listener, router, ListenOptions::default(), stop));
        }
        stop.await;
        self.doorway.readiness.set_stopping();
        stopping.send_replace(true);
        while listeners.join_next().await.is_some() {}
        self.followed.stop().await;
    }
}
