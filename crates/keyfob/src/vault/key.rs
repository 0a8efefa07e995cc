//! `keyfob vault key` and `keyfob vault reseal …`: keys of callers, and the keys that the store is sealed under.

use super::begun;
use super::opened::{Opened, Store, make_key, read_key};
use super::settings::VaultSettings;
use crate::composition::entropy::SystemEntropy;
use crate::exit::Exit;
use crate::output;
use clap::Subcommand;
use keyfob_vault::callers;
use serde_json::json;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(super) enum Reseal {
    /// Add a data key, which seals from now on, and put every row under it in small steps.
    Data,
    /// Put the data keys under the master key in this file, which is made if it is not there. Then start the service with it.
    Master {
        /// The file of the new master key.
        #[arg(long, value_name = "FILE")]
        new: PathBuf,
    },
}

/// A caller's key.
pub(super) fn fresh(json: bool) -> anyhow::Result<()> {
    let (key, digest) = callers::fresh_key(&SystemEntropy::new())?;
    output::say("keyfob: this is a secret and is shown once; the digest goes into the vault's configuration");
    output::data(json, &json!({ "key": key.expose(), "keySha256": digest }), || {
        format!("{}\nkey_sha256 = \"{digest}\"", key.expose())
    })
}

pub(super) async fn reseal(reseal: Reseal, settings: VaultSettings, json: bool) -> anyhow::Result<()> {
    let opened = Opened::open(&settings).await?;
    opened.tell_if_made();
    let done = match reseal {
        Reseal::Data => data(&opened.store, json).await,
        Reseal::Master { new } => master(&opened.store, &settings, new, json).await,
    };
    opened.close().await;
    done
}

async fn data(store: &Store, json: bool) -> anyhow::Result<()> {
    let told = |error: keyfob_client::StoreUnavailable| Exit::Unavailable.because(error.to_string());
    match store {
        Store::Sqlite(store) => store.rotate_data_key().await.map_err(told)?,
        Store::Postgres(store) => {
            store.rotate_data_key().await.map_err(|error| Exit::Unavailable.because(error.to_string()))?;
        }
    }
    let mut rows = 0;
    loop {
        let step = match store {
            Store::Sqlite(store) => store.reseal_some().await.map_err(told)?,
            Store::Postgres(store) => store.reseal_some().await.map_err(told)?,
        };
        rows += step.rows;
        if step.finished {
            break;
        }
    }
    output::data(json, &json!({ "resealed": rows }), || format!("{rows} connections are under a new data key"))
}

async fn master(store: &Store, settings: &VaultSettings, new: PathBuf, json: bool) -> anyhow::Result<()> {
    if !new.exists() {
        make_key(&new, &SystemEntropy::new())?;
    }
    let key = read_key(&new)?;
    let rotated = match store {
        Store::Sqlite(store) => store.rotate_master_key(key).await,
        Store::Postgres(store) => store.rotate_master_key(key).await,
    };
    rotated.map_err(|error| Exit::Refused.because(error.to_string()))?;
    // Not left to the next start: it may be the one that does not find the store.
    begun::note(settings, &new);
    let place = new.display().to_string();
    output::data(json, &json!({ "masterKeyFile": place }), || {
        format!(
            "the vault is under the master key in {place}; set master_key_file to it. A running service goes on until it is started again."
        )
    })
}
