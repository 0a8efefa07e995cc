//! `keyfob backup`: a copy of the store in use. It never holds the master key.

use crate::composition::authority::open_store;
use crate::config::Config;
use crate::exit::Exit;
use crate::{output, restore};
use serde_json::json;
use std::path::Path;

/// Copies the store while others use it.
pub(crate) async fn backup(config: &Config, to: &Path, json: bool) -> anyhow::Result<()> {
    if config.data.exists() {
        restore::finish_interrupted(config)?;
    }
    if !config.database().exists() {
        return Err(Exit::NotFound.because(format!("there is no store at {}", config.database().display())));
    }
    if to.exists() {
        return Err(Exit::Conflict.because(format!("{} exists; a backup does not overwrite", to.display())));
    }
    let store = open_store(&config.database())?;
    store.backup_to(to).await.map_err(|error| anyhow::anyhow!("the backup failed and nothing was kept: {error}"))?;
    output::say(&format!(
        "keyfob: {} holds the store; the master key ({}) is not in it",
        to.display(),
        config.master_key_file.display()
    ));
    output::data(json, &json!({ "backup": to }), || to.display().to_string())
}
