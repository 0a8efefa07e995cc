//! The authority over its store: its parts for `serve`, and without a doorway for commands beside a running one.

use crate::composition::clock::SystemClock;
use crate::composition::entropy::SystemEntropy;
use crate::composition::tick_mark::FileMark;
use crate::composition::{lock, master_key, stores};
use crate::config::{Config, StorePlace};
use crate::exit::Exit;
use crate::restore;
use anyhow::Context;
use keyfob_authority::Authority;
use keyfob_authority::authority::NoGate;
use keyfob_authority::open::{OpenError, Opener};
use keyfob_authority::store::Store;
use keyfob_protocol::{Clock, Timestamp};
use keyfob_server::follow::TickMark;
use std::fs::File;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;

/// A store, what opens it, and the data directory beside it. Whose it is has not been asked yet.
pub(crate) struct Data {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) opener: Opener,
    pub(crate) clock: Arc<SystemClock>,
    pub(crate) entropy: Arc<SystemEntropy>,
    /// No restore begins while it is held.
    pub(crate) lock: File,
}

/// What to do where there is no data yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Absent {
    /// Begin it.
    Make,
    /// Say so: the directory is another than was meant.
    Refuse,
}

impl Data {
    /// Opens the data directory. A restore that was interrupted there is finished first.
    pub(crate) async fn open(config: &Config, absent: Absent) -> anyhow::Result<Data> {
        let entropy = Arc::new(SystemEntropy::new());
        let nothing_in = |data: &dyn std::fmt::Display| {
            Exit::NotFound.because(format!("there is no data in {data}; name it by --data, --store or --config"))
        };
        // A database's data is elsewhere; this directory holds the highest tick that was seen.
        let on_disk = absent == Absent::Refuse && matches!(config.store, StorePlace::Data);
        if on_disk && !config.data.exists() {
            return Err(nothing_in(&config.data.display()));
        }
        private_directory(&config.data).with_context(|| format!("data directory {}", config.data.display()))?;
        restore::finish_interrupted(config)?;
        if on_disk && !config.database().exists() {
            return Err(nothing_in(&config.data.display()));
        }
        let lock = lock::shared(config)?;
        let (master, store) = match &config.store {
            // Without its key a file is not even touched.
            StorePlace::Data => {
                let data = config.database().exists().then(|| config.data.display().to_string());
                (master_key::load(config, &*entropy, data.as_deref())?, stores::open(config).await?)
            }
            StorePlace::Postgres(address) => {
                let store = stores::open(config).await?;
                let data = store.identity().await?.map(|_| address.to_string());
                if absent == Absent::Refuse && data.is_none() {
                    return Err(nothing_in(address));
                }
                (master_key::load(config, &*entropy, data.as_deref())?, store)
            }
        };
        let issuer = config.issuer.clone();
        let master = Arc::new(master_key::Files::new(config, master));
        let opener = Opener { master, issuer, sandbox: false, algorithm: config.signing_algorithm };
        let clock = Arc::new(SystemClock::of(&*store).await?);
        Ok(Data { store, opener, clock, entropy, lock })
    }
}

/// An authority without its doorway, for a command beside a running one: nobody's gate is told, the running one follows the store.
pub(crate) struct Opened {
    pub(crate) authority: Authority,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) opener: Opener,
    pub(crate) clock: Arc<SystemClock>,
    pub(crate) entropy: Arc<SystemEntropy>,
    tick_mark: FileMark,
    _lock: File,
}

impl Opened {
    /// Opens the data, checks whose it is, and puts the law in front of it.
    pub(crate) async fn open(config: &Config, absent: Absent) -> anyhow::Result<Opened> {
        let Data { store, opener, clock, entropy, lock } = Data::open(config, absent).await?;
        let keyring = ours(opener.open(&*store, clock.now(), &*entropy).await)?;
        let authority = Authority::new(store.clone(), keyring, config.settings(), entropy.clone(), Arc::new(NoGate));
        let tick_mark = FileMark::in_directory(&config.data);
        Ok(Opened { authority, store, opener, clock, entropy, tick_mark, _lock: lock })
    }

    /// Notes what this command raised the tick to: no server may be running to do it. That the store went back is for a server to say.
    pub(crate) async fn note_tick(&self) -> anyhow::Result<()> {
        let tick = self.store.tick().await?.tick;
        if self.tick_mark.seen().is_none_or(|seen| seen < tick) {
            self.tick_mark.note(tick);
        }
        Ok(())
    }

    /// The time.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

/// A store of another's, or under another key, is the operator's to sort out; a failing one may pass.
pub(crate) fn ours<T>(opened: Result<T, OpenError>) -> anyhow::Result<T> {
    opened.map_err(|error| match error {
        OpenError::Fault(fault) => fault.into(),
        refused => Exit::Refused.because(refused.to_string()),
    })
}

/// Makes a directory that only its owner can enter.
pub(crate) fn private_directory(path: &Path) -> std::io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}
