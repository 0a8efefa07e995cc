//! A vault put together: store, apps and the outside world.

use super::begun;
use super::settings::{MasterKeyPlace, StoreSetting, VaultSettings};
use crate::composition::clock::SystemClock;
use crate::composition::entropy::SystemEntropy;
use crate::composition::{master_key, secret_file};
use crate::exit::Exit;
use crate::output;
use crate::partner::opened::driven;
use anyhow::Context;
use keyfob_client::{Clock, Entropy, safe_url};
use keyfob_postgres::Options;
use keyfob_vault::Vault;
use keyfob_vault::store::{MasterKey, OpenError, PostgresTokenStore, SqliteTokenStore, VaultStore};
use std::path::Path;
use std::sync::Arc;

/// The variable that may hold the master key.
const MASTER_KEY: &str = "KEYFOB_VAULT_MASTER_KEY";

/// The store of either kind.
#[derive(Clone)]
pub(super) enum Store {
    Sqlite(SqliteTokenStore),
    Postgres(PostgresTokenStore),
}

/// A vault that can be used.
pub(super) struct Opened {
    pub(super) vault: Arc<Vault>,
    pub(super) store: Store,
    /// What whoever opened it has to be told: it was not there.
    pub(super) made: Option<Made>,
}

/// A vault was made, and is empty.
pub(super) struct Made {
    /// In words.
    pub(super) told: String,
    /// Its master key was there before, so that there may have been a vault as well, whose file is elsewhere or gone.
    pub(super) is_odd: bool,
}

impl Opened {
    /// For use: a store that is not there is made, and that it was begun is noted beside its key.
    pub(super) async fn open(settings: &VaultSettings) -> anyhow::Result<Opened> {
        let opened = Opened::as_it_is(settings).await?;
        if let Some(key) = key_file(settings) {
            begun::note(settings, key);
        }
        Ok(opened)
    }

    /// For a look at a store that is there: nothing is noted.
    pub(super) async fn as_it_is(settings: &VaultSettings) -> anyhow::Result<Opened> {
        let (clock, entropy) = (Arc::new(SystemClock::start()), Arc::new(SystemEntropy::new()));
        let (store, made) = open_store(settings, clock, entropy).await?;
        let kept: Arc<dyn VaultStore> = match &store {
            Store::Sqlite(store) => Arc::new(store.clone()),
            Store::Postgres(store) => Arc::new(store.clone()),
        };
        let here = settings
            .apps
            .iter()
            .all(|app| [app.provider.token_endpoint(), app.provider.api_base()].into_iter().all(safe_url::is_loopback));
        let here = here && settings.webhooks.iter().all(|webhook| safe_url::is_loopback(&webhook.url));
        let vault = Arc::new(Vault::new(settings.apps.clone(), kept, driven(here)?));
        Ok(Opened { vault, store, made })
    }

    /// For a command: says on standard error that there was no vault.
    pub(super) fn tell_if_made(&self) {
        if let Some(Made { told, .. }) = &self.made {
            output::say(&format!("keyfob: {told}"));
        }
    }

    pub(super) async fn close(&self) {
        if let Store::Postgres(store) = &self.store {
            store.close().await;
        }
    }
}

async fn open_store(
    settings: &VaultSettings,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
) -> anyhow::Result<(Store, Option<Made>)> {
    look(settings).await?;
    let (master, is_fresh) = master_key(&settings.master_key, &*entropy)?;
    let told = |error| refused(&settings.store, error);
    let store = match &settings.store {
        StoreSetting::File(path) => Store::Sqlite(SqliteTokenStore::open(path, master, clock, entropy).map_err(told)?),
        StoreSetting::Postgres(address) => Store::Postgres(
            PostgresTokenStore::open((**address).clone(), &Options::default(), master, clock, entropy)
                .await
                .map_err(told)?,
        ),
    };
    let is_new = match &store {
        Store::Sqlite(store) => store.is_new(),
        Store::Postgres(store) => store.is_new(),
    };
    let made = is_new.then(|| {
        let is_odd = !is_fresh && !settings.new_store;
        let hint = match is_odd {
            true => "; its master key was there before: if there were connections, stop, and put the store back",
            false => "",
        };
        Made { told: format!("made a new, empty vault in {}{hint}", settings.store), is_odd }
    });
    Ok((store, made))
}

fn refused(store: &StoreSetting, error: OpenError) -> anyhow::Error {
    match error {
        // Names the address itself.
        OpenError::Postgres(error @ keyfob_postgres::OpenError::Database { .. }) => {
            Exit::Unavailable.because(format!("store: {error}"))
        }
        OpenError::Postgres(error) => Exit::Refused.because(format!("store: {error}")),
        OpenError::Unavailable(error) => Exit::Unavailable.because(format!("store {store}: {error}")),
        error => Exit::Refused.because(format!("store {store}: {error}")),
    }
}

/// What there is before anything is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// No store. Whoever opens one makes it, and its master key where there is none either.
    Nothing,
    /// A store, and something said to be its master key.
    Store,
}

/// Looks for the store and for its master key, and makes neither.
///
/// # Errors
/// A store without its key, a key whose store is gone, no directory to make one in, or a database that cannot be reached or is something else's.
pub(super) async fn look(settings: &VaultSettings) -> anyhow::Result<Found> {
    let there = match &settings.store {
        StoreSetting::File(path) => {
            in_a_directory("store", path)?;
            // An empty file is none: SQLite makes one of it.
            path.metadata().is_ok_and(|found| found.len() > 0)
        }
        StoreSetting::Postgres(address) => {
            PostgresTokenStore::is_there((**address).clone()).await.map_err(|error| refused(&settings.store, error))?
        }
    };
    if let Some(key) = key_file(settings).filter(|key| !key.exists()) {
        if there {
            return Err(Exit::Refused.because(format!(
                "the vault {} is there and its master key file {} is not; put the file back, or name it by master_key_file",
                settings.store,
                key.display()
            )));
        }
        in_a_directory("master_key_file", key)?;
    }
    if !there {
        begun::may_begin(settings, key_file(settings).filter(|key| key.exists()))?;
    }
    Ok(if there { Found::Store } else { Found::Nothing })
}

/// The file of the master key, where none is in the environment or in memory.
fn key_file(settings: &VaultSettings) -> Option<&Path> {
    match &settings.master_key {
        MasterKeyPlace::File(key) if std::env::var_os(MASTER_KEY).is_none() => Some(key),
        MasterKeyPlace::File(_) | MasterKeyPlace::Memory(_) => None,
    }
}

fn in_a_directory(setting: &str, path: &Path) -> anyhow::Result<()> {
    let directory = master_key::directory_of(path);
    match directory.is_dir() {
        true => Ok(()),
        false => Err(Exit::Refused.because(format!(
            "{setting} {}: there is no directory {}",
            path.display(),
            directory.display()
        ))),
    }
}

/// The master key, and whether it was just made: a fresh one where there is none. Only for what [`look`] let through: a store is not given another key than its own.
fn master_key(place: &MasterKeyPlace, entropy: &dyn Entropy) -> anyhow::Result<(MasterKey, bool)> {
    let path = match place {
        MasterKeyPlace::Memory(key) => return Ok((key.clone(), true)),
        MasterKeyPlace::File(path) => path,
    };
    if let Ok(text) = std::env::var(MASTER_KEY) {
        let key = MasterKey::parse(&text).map_err(|error| Exit::Refused.because(format!("{MASTER_KEY}: {error}")));
        return Ok((key?, false));
    }
    let is_fresh = !path.exists();
    if is_fresh {
        begun::forget(path);
        make_key(path, entropy)?;
        output::say(&format!(
            "keyfob: made a new master key in {}; keep a copy of it apart from the store",
            path.display()
        ));
    }
    Ok((read_key(path)?, is_fresh))
}

/// The key in this file.
pub(super) fn read_key(path: &Path) -> anyhow::Result<MasterKey> {
    let text = String::from_utf8(secret_file::read("master_key_file", path)?).unwrap_or_default();
    MasterKey::parse(&text)
        .map_err(|error| Exit::Refused.because(format!("master_key_file {}: {error}", path.display())))
}

/// Puts a fresh key into this file, which is not there yet.
pub(super) fn make_key(path: &Path, entropy: &dyn Entropy) -> anyhow::Result<()> {
    master_key::create(path, MasterKey::generate(entropy)?.to_text().expose())
        .with_context(|| format!("the master key file {} cannot be made", path.display()))
}
