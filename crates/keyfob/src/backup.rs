//! `keyfob backup`: a copy of the store in use. It never holds the master key.

use crate::composition::stores::open_sqlite;
use crate::config::{Config, StorePlace};
use crate::exit::Exit;
use crate::{output, restore};
use serde_json::json;
use std::path::Path;

/// Copies the store while others use it.
pub(crate) async fn backup(config: &Config, to: &Path, json: bool) -> anyhow::Result<()> {
    refuse_database(config, "back it up")?;
    if config.data.exists() {
        restore::finish_interrupted(config)?;
    }
    if !config.database().exists() {
        return Err(Exit::NotFound.because(format!("there is no store at {}", config.database().display())));
    }
    if to.exists() {
        return Err(Exit::Conflict.because(format!("{} exists; a backup does not overwrite", to.display())));
    }
    let store = open_sqlite(&config.database())?;
    store.backup_to(to).await.map_err(|error| anyhow::anyhow!("the backup failed and nothing was kept: {error}"))?;
    output::say(&format!(
        "keyfob: {} holds the store; the master key ({}) is not in it",
        to.display(),
        config.master_key_file.display()
    ));
    output::data(json, &json!({ "backup": to }), || to.display().to_string())
}

/// A database has tools of its own, which know its replicas and its archive.
pub(crate) fn refuse_database(config: &Config, what: &str) -> anyhow::Result<()> {
    match &config.store {
        StorePlace::Data => Ok(()),
        StorePlace::Postgres(address) => Err(Exit::Refused.because(format!(
            "the store is a database ({address}): {what} with the tools of PostgreSQL (pg_dump, pg_basebackup) or of whoever runs it; \
             the master key is not in it"
        ))),
    }
}
