//! A vault put together: store, apps and the outside world.

use super::settings::{StoreSetting, VaultSettings};
use crate::composition::clock::SystemClock;
use crate::composition::entropy::SystemEntropy;
use crate::composition::secret_file;
use crate::exit::Exit;
use crate::output;
use crate::partner::opened::driven;
use anyhow::Context;
use keyfob_client::{Clock, Entropy, safe_url};
use keyfob_postgres::Options;
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

/// The master key; a fresh one where there is neither a key nor a store.
fn master_key(settings: &VaultSettings, entropy: &dyn Entropy) -> anyhow::Result<MasterKey> {
    if let Ok(text) = std::env::var(MASTER_KEY) {
        return MasterKey::parse(&text).map_err(|error| Exit::Refused.because(format!("{MASTER_KEY}: {error}")));
    }
    let path = &settings.master_key_file;
    if !path.exists() {
        if let StoreSetting::File(store) = &settings.store
            && store.exists()
        {
            let message = format!(
                "the vault {} is there and its master key file {} is not; put the file back, or name it by master_key_file",
                store.display(),
                path.display()
            );
            return Err(Exit::Refused.because(message));
        }
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
