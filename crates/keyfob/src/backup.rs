//! `keyfob backup` and `keyfob restore`. A backup never holds the master key.
//!
//! A restored store is an older one: tokens that it does not know yet make their rows catch up, and what was revoked since is alive
//! again until it is revoked again (docs/threats.md). The tick beside the store makes the next start say so.

use crate::composition::authority::private_directory;
use crate::composition::entropy::SystemEntropy;
use crate::composition::master_key;
use crate::composition::stores::open_sqlite;
use crate::config::{Config, StorePlace};
use crate::exit::Exit;
use crate::output;
use crate::serve::lock_file;
use anyhow::Context;
use keyfob_authority::open::Opener;
use serde_json::json;
use std::path::{Path, PathBuf};

/// Copies the store while others use it.
pub(crate) async fn backup(config: &Config, to: &Path, json: bool) -> anyhow::Result<()> {
    refuse_database(config, "back it up")?;
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

/// Checks a backup, keeps the present store beside it, and puts the backup in its place.
pub(crate) async fn restore(config: &Config, from: &Path, json: bool) -> anyhow::Result<()> {
    refuse_database(config, "restore it")?;
    if !from.is_file() {
        return Err(Exit::NotFound.because(format!("there is no backup at {}", from.display())));
    }
    private_directory(&config.data)?;
    let lock = lock_file(config)?;
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive)
        .map_err(|_| Exit::Conflict.because("an authority is running on this data directory; stop it first"))?;
    let fresh = config.data.join("keyfob.db.restoring");
    std::fs::copy(from, &fresh).with_context(|| format!("{} cannot be copied", from.display()))?;
    if let Err(error) = check(config, from, &fresh).await {
        remove_with_log(&fresh);
        return Err(error);
    }
    let kept = keep_present(config)?;
    std::fs::rename(&fresh, config.database())?;
    std::fs::File::open(&config.data)?.sync_all()?;
    if let Some(kept) = &kept {
        output::say(&format!("keyfob: the store that was here is kept as {}", kept.display()));
    }
    output::say(
        "keyfob: restored; what was revoked since the backup was made is alive again: revoke it again where it matters",
    );
    let database = config.database();
    output::data(json, &json!({ "restored": database, "kept": kept }), || database.display().to_string())
}

/// A database has tools of its own, which know its replicas and its archive.
fn refuse_database(config: &Config, what: &str) -> anyhow::Result<()> {
    match &config.store {
        StorePlace::Data => Ok(()),
        StorePlace::Postgres(address) => Err(Exit::Refused.because(format!(
            "the store is a database ({address}): {what} with the tools of PostgreSQL (pg_dump, pg_basebackup) or of whoever runs it; \
             the master key is not in it"
        ))),
    }
}

/// The backup opens with the master key of this configuration.
async fn check(config: &Config, from: &Path, database: &Path) -> anyhow::Result<()> {
    let entropy = SystemEntropy::new();
    let present = config.database().exists().then(|| config.data.display().to_string());
    let master = master_key::load(config, &entropy, present.as_deref())?;
    let store = open_sqlite(database)
        .map_err(|error| Exit::Refused.because(format!("{} is not a backup: {error:#}", from.display())))?;
    let issuer = config.issuer.clone();
    let opener = Opener { master, issuer, sandbox: false, algorithm: config.signing_algorithm };
    let identity = keyfob_authority::store::Store::identity(&*store).await?;
    let checked = match identity {
        None => Err(Exit::Refused.because("the backup is not a store of an authority")),
        Some(identity) if identity.issuer != config.issuer => {
            Err(Exit::Refused.because(format!("the backup belongs to the issuer {}", identity.issuer)))
        }
        Some(_) => opener.keys(&*store).await.map(drop).map_err(|error| Exit::Refused.because(error.to_string())),
    };
    store.close().await;
    checked
}

/// Moves the present store aside under a name that is free.
fn keep_present(config: &Config) -> anyhow::Result<Option<PathBuf>> {
    let present = config.database();
    if !present.exists() {
        return Ok(None);
    }
    let kept = (1..).map(|n| config.data.join(format!("keyfob.db.before-restore-{n}"))).find(|path| !path.exists());
    let kept = kept.expect("invariant: some number is free");
    for suffix in ["", "-wal", "-shm"] {
        let from = with_suffix(&present, suffix);
        if from.exists() {
            std::fs::rename(&from, with_suffix(&kept, suffix))?;
        }
    }
    Ok(Some(kept))
}

fn remove_with_log(database: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        // What cannot be removed is overwritten by the next restore.
        let _ = std::fs::remove_file(with_suffix(database, suffix));
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
