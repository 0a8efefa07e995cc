//! A vault put together: store, apps and the outside world.

use super::settings::{MasterKeyPlace, StoreSetting, VaultSettings};
use crate::composition::clock::SystemClock;
use crate::composition::entropy::SystemEntropy;
use crate::composition::secret_file;
use crate::exit::Exit;
use crate::output;
use crate::partner::opened::driven;
use anyhow::Context;
use keyfob_client::{Clock, Entropy, safe_url};
use keyfob_postgres::{Dialer, Options};
use keyfob_vault::Vault;
use keyfob_vault::store::{MasterKey, OpenError, PostgresTokenStore, SqliteTokenStore, VaultStore};
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
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
}

impl Opened {
    pub(super) async fn open(settings: &VaultSettings) -> anyhow::Result<Opened> {
        let (clock, entropy) = (Arc::new(SystemClock::start()), Arc::new(SystemEntropy::new()));
        let store = open_store(settings, clock, entropy).await?;
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
        Ok(Opened { vault, store })
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
) -> anyhow::Result<Store> {
    if look(settings)? == Found::Nothing {
        reach(settings).await?;
    }
    let master = master_key(settings, &*entropy)?;
    let told = |error: OpenError| {
        let exit = if matches!(error, OpenError::Unavailable(_)) { Exit::Unavailable } else { Exit::Refused };
        exit.because(format!("store {}: {error}", settings.store))
    };
    Ok(match &settings.store {
        StoreSetting::File(path) => Store::Sqlite(SqliteTokenStore::open(path, master, clock, entropy).map_err(told)?),
        StoreSetting::Postgres(address) => Store::Postgres(
            PostgresTokenStore::open((**address).clone(), &Options::default(), master, clock, entropy)
                .await
                .map_err(told)?,
        ),
    })
}

/// What there is before anything is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// No key, and so no store that it could open.
    Nothing,
    Something,
}

/// Looks for the master key and for a store that would need it.
///
/// # Errors
/// A store without its key, or no directory to make one in.
pub(super) fn look(settings: &VaultSettings) -> anyhow::Result<Found> {
    let key_file = match &settings.master_key {
        MasterKeyPlace::File(path) if std::env::var_os(MASTER_KEY).is_none() => path,
        _ => return Ok(Found::Something),
    };
    if let StoreSetting::File(store) = &settings.store {
        if store.exists() && !key_file.exists() {
            let message = format!(
                "the vault {} is there and its master key file {} is not; put the file back, or name it by master_key_file",
                store.display(),
                key_file.display()
            );
            return Err(Exit::Refused.because(message));
        }
        in_a_directory("store", store)?;
        if !store.exists() && !key_file.exists() {
            return in_a_directory("master_key_file", key_file).map(|()| Found::Nothing);
        }
        // A key that was made or copied beforehand.
        return Ok(if store.exists() { Found::Something } else { Found::Nothing });
    }
    match key_file.exists() {
        true => Ok(Found::Something),
        false => in_a_directory("master_key_file", key_file).map(|()| Found::Nothing),
    }
}

/// Whether the database is there, before a key is made for it.
///
/// # Errors
/// It cannot be reached.
pub(super) async fn reach(settings: &VaultSettings) -> anyhow::Result<()> {
    let StoreSetting::Postgres(address) = &settings.store else { return Ok(()) };
    let told = |exit: Exit, error: String| exit.because(format!("store {address}: {error}"));
    let dialer = Dialer::to((**address).clone()).map_err(|error| told(Exit::Refused, error.to_string()))?;
    dialer.connect().await.map(drop).map_err(|error| told(Exit::Unavailable, error.to_string()))
}

fn in_a_directory(setting: &str, path: &Path) -> anyhow::Result<()> {
    let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match directory.is_dir() {
        true => Ok(()),
        false => Err(Exit::Refused.because(format!(
            "{setting} {}: there is no directory {}",
            path.display(),
            directory.display()
        ))),
    }
}

/// The master key; a fresh one where there is neither a key nor a store.
fn master_key(settings: &VaultSettings, entropy: &dyn Entropy) -> anyhow::Result<MasterKey> {
    let path = match &settings.master_key {
        MasterKeyPlace::Memory(key) => return Ok(key.clone()),
        MasterKeyPlace::File(path) => path,
    };
    if let Ok(text) = std::env::var(MASTER_KEY) {
        return MasterKey::parse(&text).map_err(|error| Exit::Refused.because(format!("{MASTER_KEY}: {error}")));
    }
    if look(settings)? == Found::Nothing && !path.exists() {
        make(path, &MasterKey::generate(entropy)?)
            .with_context(|| format!("the master key file {} cannot be made", path.display()))?;
        output::say(&format!(
            "keyfob: made a new master key in {}; keep a copy of it apart from the store",
            path.display()
        ));
    }
    read_key(path)
}

/// The key in this file.
pub(super) fn read_key(path: &Path) -> anyhow::Result<MasterKey> {
    let text = String::from_utf8(secret_file::read("master_key_file", path)?).unwrap_or_default();
    MasterKey::parse(&text)
        .map_err(|error| Exit::Refused.because(format!("master_key_file {}: {error}", path.display())))
}

/// Makes a file that only its owner can read.
pub(super) fn make(path: &Path, key: &MasterKey) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(key.to_text().expose().as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()
}
