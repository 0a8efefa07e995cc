//! A directory with a vault in it, a clock that moves when told, and bytes that differ at every call.

use async_trait::async_trait;
use keyfob_client::conformance::Place;
use keyfob_client::{Clock, Entropy, EntropyFailed, Secret, Timestamp, TokenSet, TokenStore};
use keyfob_postgres::{Address, Options};
use keyfob_testkit::{PostgresCluster, PostgresDatabase};
use keyfob_vault::store::{MasterKey, OpenError, PostgresTokenStore, SqliteTokenStore};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

pub(crate) const START: Timestamp = Timestamp(1_800_000_000);
const MASTER: &str = "q1Zk0c7mJ2sY9uVn4bXw8eRt5aLo3iPd6gHf+CjKxQM=";

pub(crate) struct TestClock(pub(crate) AtomicI64);

impl TestClock {
    pub(crate) fn at(time: Timestamp) -> Arc<TestClock> {
        Arc::new(TestClock(AtomicI64::new(time.0)))
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

/// Different in each process, of each value and at each call; not random.
pub(crate) struct CountingEntropy(AtomicU64);

impl Default for CountingEntropy {
    fn default() -> Self {
        static VALUES: AtomicU64 = AtomicU64::new(0);
        CountingEntropy(AtomicU64::new(VALUES.fetch_add(1, Ordering::SeqCst) << 52))
    }
}

impl Entropy for CountingEntropy {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyFailed> {
        for chunk in bytes.chunks_mut(8) {
            let count = self.0.fetch_add(1, Ordering::SeqCst) + 1 + (u64::from(std::process::id()) << 32);
            let word = count.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
        Ok(())
    }
}

pub(crate) fn master() -> MasterKey {
    MasterKey::parse(MASTER).unwrap()
}

/// A vault's directory, removed when dropped.
pub(crate) struct Directory {
    directory: tempfile::TempDir,
    entropy: Arc<CountingEntropy>,
}

impl Directory {
    pub(crate) fn new() -> Directory {
        Directory { directory: tempfile::tempdir().unwrap(), entropy: Arc::default() }
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.directory.path().join("vault.db")
    }

    pub(crate) fn store(&self) -> SqliteTokenStore {
        self.store_under(master()).unwrap()
    }

    pub(crate) fn store_under(&self, master: MasterKey) -> Result<SqliteTokenStore, OpenError> {
        SqliteTokenStore::open(&self.file(), master, TestClock::at(START), self.entropy.clone())
    }

    /// All bytes of all files in it.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let files = std::fs::read_dir(self.directory.path()).unwrap();
        files.flat_map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect()
    }
}

/// A database that may become a vault, dropped with this value.
pub(crate) struct Database(pub(crate) PostgresDatabase);

impl Database {
    pub(crate) async fn new() -> Database {
        Database(tokio::task::spawn_blocking(|| PostgresCluster::shared().database()).await.unwrap())
    }

    pub(crate) async fn store(&self) -> PostgresTokenStore {
        self.store_under(master()).await.unwrap()
    }

    pub(crate) async fn store_under(&self, master: MasterKey) -> Result<PostgresTokenStore, OpenError> {
        postgres(&self.0.url(), master).await
    }
}

/// Where a vault lies, for processes that share it: a file, or a database's URL.
#[derive(Clone, Debug)]
pub(crate) struct Whereabouts(pub(crate) String);

impl Whereabouts {
    pub(crate) async fn store(&self, clock: Arc<TestClock>) -> Arc<dyn TokenStore> {
        if Address::is_meant(&self.0) {
            return Arc::new(postgres(&self.0, master()).await.unwrap());
        }
        let entropy = Arc::new(CountingEntropy::default());
        Arc::new(SqliteTokenStore::open(Path::new(&self.0), master(), clock, entropy).unwrap())
    }
}

/// A vault that several processes share, removed when dropped.
pub(crate) enum Shared {
    File(Directory),
    Database(Database),
}

impl Shared {
    pub(crate) fn whereabouts(&self) -> Whereabouts {
        Whereabouts(match self {
            Shared::File(directory) => directory.file().to_str().unwrap().to_owned(),
            Shared::Database(database) => database.0.url(),
        })
    }
}

/// The vault behind a URL, with few connections: many tests run at once.
pub(crate) async fn postgres(url: &str, master: MasterKey) -> Result<PostgresTokenStore, OpenError> {
    let mut options = Options::default();
    (options.readers, options.writers) = (1, 1);
    let entropy = Arc::new(CountingEntropy::default());
    PostgresTokenStore::open(Address::parse(url)?, &options, master, TestClock::at(START), entropy).await
}

#[async_trait]
impl Place for Database {
    async fn fresh() -> Self {
        Database::new().await
    }

    async fn open(&self) -> Arc<dyn TokenStore> {
        Arc::new(self.store().await)
    }
}

#[async_trait]
impl Place for Directory {
    async fn fresh() -> Self {
        Directory::new()
    }

    async fn open(&self) -> Arc<dyn TokenStore> {
        Arc::new(self.store())
    }
}

pub(crate) fn token_set(access: &str, refresh: &str) -> TokenSet {
    TokenSet {
        access_token: Secret::from(access),
        refresh_token: Some(Secret::from(refresh)),
        expires_at: Some(START.plus(3600)),
        obtained_at: START,
        scope: None,
    }
}
