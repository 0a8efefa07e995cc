//! The parts of an authority on a file, with a real clock and real randomness: what seeding and serving share.

use anyhow::Context;
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use keyfob_authority::keys::{Keyring, MasterKey};
use keyfob_authority::open::Opener;
use keyfob_authority::store::Store;
use keyfob_protocol::access_token::SigningAlgorithm;
use keyfob_protocol::{Clock, Entropy, EntropyFailed, Timestamp};
use keyfob_store_sqlite::{Options, SqliteStore};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Of every benchmark; the sockets are elsewhere.
pub(crate) const ISSUER: &str = "https://bench.example.com";
/// The file name of the rows.
pub(crate) const DATABASE: &str = "keyfob.db";
/// The file name of the master key.
pub(crate) const MASTER_KEY: &str = "master.key";

/// The system's clock.
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("invariant: the clock is past 1970");
        Timestamp(since.as_secs().cast_signed())
    }
}

/// The system's randomness.
pub(crate) struct SystemEntropy(pub(crate) SystemRandom);

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyFailed> {
        self.0.fill(bytes).map_err(|_| EntropyFailed)
    }
}

/// A store and what opens it.
pub(crate) struct Parts {
    pub(crate) sqlite: Arc<SqliteStore>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) opener: Opener,
}

impl Parts {
    /// Opens the store in `data`; makes it and a master key if there is none.
    pub(crate) fn open(data: &Path) -> anyhow::Result<Parts> {
        Parts::open_with(data, &Options::default())
    }

    /// The same, with other settings of the store.
    pub(crate) fn open_with(data: &Path, options: &Options) -> anyhow::Result<Parts> {
        let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy(SystemRandom::new()));
        let key_file = data.join(MASTER_KEY);
        let master = match std::fs::read_to_string(&key_file) {
            Ok(text) => MasterKey::parse(&text)?,
            Err(_) => {
                let master = MasterKey::generate(&*entropy)?;
                // `keyfob serve` takes no key that others can read.
                let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&key_file)?;
                file.write_all(master.to_text().expose().as_bytes())?;
                master
            }
        };
        let path = data.join(DATABASE);
        let sqlite = SqliteStore::open(&path, options).with_context(|| path.display().to_string())?;
        let sqlite = Arc::new(sqlite);
        let store: Arc<dyn Store> = sqlite.clone();
        let master = Arc::new(master);
        let opener = Opener { master, issuer: ISSUER.to_owned(), sandbox: false, algorithm: SigningAlgorithm::EdDsa };
        Ok(Parts { sqlite, store, clock: Arc::new(SystemClock), entropy, opener })
    }

    /// Makes the store ours if it is nobody's, and opens its keys.
    pub(crate) async fn keyring(&self) -> anyhow::Result<Keyring> {
        Ok(self.opener.open(&*self.store, self.clock.now(), &*self.entropy).await?)
    }
}
