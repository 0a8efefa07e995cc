//! A connection that is ready to be used: from its file to a handle of the client library.

use super::failure;
use super::file_store::FileTokenStore;
use super::files::{Files, StoreDir};
use super::kept::Kept;
use super::standing::KeptStanding;
use crate::composition::clock::SystemClock;
use crate::composition::entropy::SystemEntropy;
use crate::exit::Exit;
use crate::output;
use keyfob_client::{
    Clock, Connection, ConnectionError, Connections, Driver, Provider, Surroundings, Timestamp, TokioPause, safe_url,
};
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// Seconds in which a person can make room on a full disk.
const PATIENCE: u32 = 120;

/// A connection with its file.
pub(crate) struct Opened {
    pub(crate) name: String,
    pub(crate) kept: Kept,
    pub(crate) connection: Connection,
    pub(crate) files: Files,
    pub(crate) store: Arc<FileTokenStore>,
    clock: Arc<dyn Clock>,
}

impl Opened {
    /// Opens the named connection, or the only one.
    pub(crate) fn open(store_dir: &StoreDir, named: Option<String>) -> anyhow::Result<Opened> {
        let files = store_dir.open()?;
        let (name, kept) = files.meant(named)?;
        if let KeptStanding::Revoked { since } = kept.standing {
            let (at, again) = (since.to_utc(), kept.place.connect_again(&name));
            let message = format!("connection {name} was given back at {at}; the user has to connect again: {again}");
            return Err(Exit::Reconnect.because(message));
        }
        let provider = kept.place.provider()?;
        let outside = surroundings(&provider)?;
        let store = Arc::new(FileTokenStore::new(files.clone(), kept.place.clone()));
        let clock = outside.clock.clone();
        let connection = Connections::new(provider, kept.place.app(), store.clone(), outside).open(&name);
        Ok(Opened { name, kept, connection, files, store, clock })
    }

    /// The time.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The answer, or the failure in words.
    pub(crate) fn told<T>(&self, answer: Result<T, ConnectionError>) -> anyhow::Result<T> {
        answer.map_err(|error| failure::of_connection(&error, &self.name, &self.kept.place.connect_again(&self.name)))
    }

    /// Makes sure that what was refreshed is in the file: a process ends, and what it only remembers is gone.
    pub(crate) async fn settle(&self) -> anyhow::Result<()> {
        for tried in 0..=PATIENCE {
            let Some(why) = self.store.unwritten() else { return Ok(()) };
            match tried {
                0 => output::say(&format!(
                    "keyfob: connection {}: new tokens came and cannot be written: {why}. Make room now: they are in this process's memory alone, and it tries for {PATIENCE} seconds",
                    self.name
                )),
                _ => tokio::time::sleep(Duration::from_secs(1)).await,
            }
            // Reading tries to write first.
            let _ = self.connection.state().await;
        }
        Err(Exit::Unavailable.because(format!(
            "connection {}: the new tokens could not be written and are lost. Its file holds the refresh token before them, which may be good once more: make room, then run: keyfob connections refresh {}; else: {}",
            self.name, self.name, self.kept.place.connect_again(&self.name)
        )))
    }

    /// Runs the work and settles, whatever became of it.
    pub(crate) async fn finish<T>(&self, done: anyhow::Result<T>) -> anyhow::Result<T> {
        match (done, self.settle().await) {
            (done, Ok(())) => done,
            (Ok(_), Err(unwritten)) => Err(unwritten),
            (Err(error), Err(unwritten)) => {
                output::say(&format!("keyfob: {unwritten}"));
                Err(error)
            }
        }
    }
}

/// The outside world of the client library. Where everything is on this machine, no certificate authority has to be installed.
pub(crate) fn surroundings(provider: &Provider) -> anyhow::Result<Surroundings> {
    driven(
        [provider.authorize_endpoint(), provider.token_endpoint(), provider.api_base()]
            .into_iter()
            .all(safe_url::is_loopback),
    )
}

/// The same before a provider is known: an issuer to be asked.
pub(crate) fn surroundings_of(issuer: &str) -> anyhow::Result<Surroundings> {
    driven(Url::parse(issuer).is_ok_and(|url| safe_url::is_loopback(&url)))
}

/// Where everything is on this machine, or not.
pub(crate) fn driven(loopback_only: bool) -> anyhow::Result<Surroundings> {
    let driver = if loopback_only { Driver::loopback_only() } else { Driver::new() };
    let driver = driver.map_err(|error| Exit::Unavailable.because(error.to_string()))?;
    Ok(Surroundings {
        transport: Arc::new(driver),
        clock: Arc::new(SystemClock::start()),
        entropy: Arc::new(SystemEntropy::new()),
        pause: Arc::new(TokioPause),
    })
}
