//! The authority over its store: for `serve`, and for commands beside a running one.

use crate::composition::clock::SystemClock;
use crate::composition::entropy::SystemEntropy;
use crate::composition::{master_key, stores};
use crate::config::{Config, StorePlace};
use crate::exit::Exit;
use anyhow::Context;
use keyfob_authority::authority::NoGate;
use keyfob_authority::open::{OpenError, Opener};
use keyfob_authority::store::Store;
use keyfob_authority::{Authority, RevocationSink};
use keyfob_protocol::{Clock, Timestamp};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;

/// An authority without its doorway.
pub(crate) struct Opened {
    pub(crate) authority: Arc<Authority>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<SystemClock>,
    pub(crate) entropy: Arc<SystemEntropy>,
    pub(crate) opener: Opener,
}

impl Opened {
    /// For a command beside a running authority: nobody's gate is told, the running one follows the store.
    pub(crate) async fn open(config: &Config) -> anyhow::Result<Opened> {
        Opened::open_with(config, Arc::new(SystemClock::start()), Arc::new(NoGate)).await
    }

    /// Opens or makes the data, checks whose it is, and puts the law in front of it.
    pub(crate) async fn open_with(
        config: &Config,
        clock: Arc<SystemClock>,
        sink: Arc<dyn RevocationSink>,
    ) -> anyhow::Result<Opened> {
        let settings = config.settings();
        let entropy = Arc::new(SystemEntropy::new());
        private_directory(&config.data).with_context(|| format!("data directory {}", config.data.display()))?;
        let (master, store) = match &config.store {
            // Without its key a file is not even touched.
            StorePlace::Data => {
                let data = config.database().exists().then(|| config.data.display().to_string());
                (master_key::load(config, &*entropy, data.as_deref())?, stores::open(config).await?)
            }
            StorePlace::Postgres(address) => {
                let store = stores::open(config).await?;
                let data = store.identity().await?.map(|_| address.to_string());
                (master_key::load(config, &*entropy, data.as_deref())?, store)
            }
        };
        let issuer = settings.issuer.clone();
        let opener = Opener { master, issuer, sandbox: false, algorithm: config.signing_algorithm };
        let keyring = match opener.open(&*store, clock.now(), &*entropy).await {
            Ok(keyring) => keyring,
            Err(OpenError::Fault(fault)) => return Err(fault.into()),
            Err(refused) => return Err(Exit::Refused.because(refused.to_string())),
        };
        let authority = Arc::new(Authority::new(store.clone(), keyring, settings, entropy.clone(), sink));
        Ok(Opened { authority, store, clock, entropy, opener })
    }

    /// The time.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

/// Makes a directory that only its owner can enter.
pub(crate) fn private_directory(path: &Path) -> std::io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}
