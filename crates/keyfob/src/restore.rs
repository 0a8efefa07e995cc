//! `keyfob restore`: checks a backup, keeps the present store beside it, and puts the backup in its place.
//!
//! A restored store is an older one: tokens that it does not know yet make their rows catch up, and what was revoked since is alive
//! again until it is revoked again (docs/threats.md). The tick beside the store makes the next start say so.
//!
//! A crash loses nothing. Until the checked copy is named `keyfob.db.restore-N` nothing has been changed; from then on the restore is
//! finished, by whoever opens the directory next if not by us. What is left are renames whose names all follow from N.

use crate::backup::refuse_database;
use crate::composition::authority::private_directory;
use crate::composition::entropy::SystemEntropy;
use crate::composition::stores::open_sqlite;
use crate::composition::{lock, master_key};
use crate::config::Config;
use crate::exit::Exit;
use crate::output;
use anyhow::Context;
use keyfob_authority::open::Opener;
use serde_json::json;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What SQLite keeps beside a database. The log is part of the content.
const SUFFIXES: [&str; 3] = ["-wal", "-shm", ""];

/// Checks a backup, keeps the present store beside it, and puts the backup in its place.
pub(crate) async fn restore(config: &Config, from: &Path, json: bool) -> anyhow::Result<()> {
    refuse_database(config, "restore it")?;
    if !from.is_file() {
        return Err(Exit::NotFound.because(format!("there is no backup at {}", from.display())));
    }
    private_directory(&config.data)?;
    finish_interrupted(config)?;
    let Some(_lock) = lock::alone(config)? else {
        return Err(
            Exit::Conflict.because("an authority or a command is running on this data directory; stop it first")
        );
    };
    let swap = Swap::free(config);
    let copy = unchecked(config);
    remove_with_log(&copy);
    if let Err(error) = copy_checked(config, from, &copy).await {
        remove_with_log(&copy);
        return Err(error);
    }
    fs::rename(&copy, swap.ready())?;
    sync(&config.data)?;
    let kept = swap.finish()?;
    if let Some(kept) = &kept {
        output::say(&format!("keyfob: the store that was here is kept as {}", kept.display()));
    }
    output::say(
        "keyfob: restored; what was revoked since the backup was made is alive again: revoke it again where it matters",
    );
    let database = config.database();
    output::data(json, &json!({ "restored": database, "kept": kept }), || database.display().to_string())
}

/// Finishes a restore that a crash interrupted, or drops the copy of one that had changed nothing yet, and says so.
pub(crate) fn finish_interrupted(config: &Config) -> anyhow::Result<()> {
    if Swap::interrupted(config)?.is_none() && !unchecked(config).exists() {
        return Ok(());
    }
    let Some(_lock) = lock::alone(config)? else {
        // Nothing was interrupted: it is going on, or its copy is no hindrance to who shares the directory.
        return Ok(());
    };
    if let Some(swap) = Swap::interrupted(config)? {
        let kept = swap.finish().context("an interrupted restore could not be finished")?;
        let kept =
            kept.map_or(String::new(), |kept| format!("; the store that was here is kept as {}", kept.display()));
        output::say(&format!(
            "keyfob: a restore was interrupted in {}; it is finished now{kept}",
            config.data.display()
        ));
    }
    if unchecked(config).exists() {
        remove_with_log(&unchecked(config));
        output::say(&format!(
            "keyfob: a restore was interrupted in {} before it had changed anything; its copy is removed",
            config.data.display()
        ));
    }
    Ok(())
}

/// The copy of a backup while nobody knows whether it is one.
fn unchecked(config: &Config) -> PathBuf {
    with_suffix(&config.database(), ".restoring")
}

/// Copies the backup, for its owner only, and leaves it as one file that is on the disk.
async fn copy_checked(config: &Config, from: &Path, copy: &Path) -> anyhow::Result<()> {
    fs::copy(from, copy).with_context(|| format!("{} cannot be copied", from.display()))?;
    fs::set_permissions(copy, Permissions::from_mode(0o600))?;
    check(config, from, copy).await?;
    anyhow::ensure!(!with_suffix(copy, "-wal").exists(), "the copy of {} could not be closed", from.display());
    Ok(File::open(copy)?.sync_all()?)
}

/// The backup opens with the master key of this configuration.
async fn check(config: &Config, from: &Path, database: &Path) -> anyhow::Result<()> {
    let entropy = SystemEntropy::new();
    // A new key could never be the backup's.
    let master = Arc::new(master_key::load(config, &entropy, Some(&from.display().to_string()))?);
    let store = open_sqlite(database)
        .map_err(|error| Exit::Refused.because(format!("{} is not a backup: {error:#}", from.display())))?;
    let issuer = config.issuer.clone();
    let opener = Opener { master, issuer, sandbox: false, algorithm: config.signing_algorithm };
    let opened = opener.keys(&*store).await;
    store.close().await;
    opened.map(drop).map_err(|error| Exit::Refused.because(format!("{}: {error}", from.display())))
}

/// The exchange of the present store for a checked copy, by number.
struct Swap {
    present: PathBuf,
    number: u32,
}

impl Swap {
    /// One that has not begun, under a number that no earlier restore has taken.
    fn free(config: &Config) -> Swap {
        let present = config.database();
        let mut swaps = (1..).map(|number| Swap { present: present.clone(), number });
        let free =
            swaps.find(|swap| !swap.ready().exists() && SUFFIXES.iter().all(|suffix| !swap.kept(suffix).exists()));
        free.expect("invariant: some number is free")
    }

    /// One that has begun and not ended.
    fn interrupted(config: &Config) -> io::Result<Option<Swap>> {
        let present = config.database();
        for entry in fs::read_dir(&config.data)? {
            let path = entry?.path();
            let number = path.extension().and_then(|last| last.to_str()?.strip_prefix("restore-")?.parse().ok());
            let swap = number.map(|number| Swap { present: present.clone(), number });
            if let Some(swap) = swap.filter(|swap| swap.ready() == path) {
                return Ok(Some(swap));
            }
        }
        Ok(None)
    }

    /// The checked copy: while it has this name, the restore is not finished.
    fn ready(&self) -> PathBuf {
        with_suffix(&self.present, &format!(".restore-{}", self.number))
    }

    /// Where the present store goes, or what lies beside it.
    fn kept(&self, suffix: &str) -> PathBuf {
        with_suffix(&self.present, &format!(".before-restore-{}{suffix}", self.number))
    }

    /// What is to be renamed, in order. A step whose file is not there was done already, or had nothing to do.
    fn steps(&self) -> Vec<(PathBuf, PathBuf)> {
        let aside = SUFFIXES.iter().map(|suffix| (with_suffix(&self.present, suffix), self.kept(suffix)));
        aside.chain([(self.ready(), self.present.clone())]).collect()
    }

    /// Takes the steps that are left. Returns where the store that was here is kept, if there was one.
    fn finish(&self) -> io::Result<Option<PathBuf>> {
        for (from, to) in self.steps() {
            if from.exists() {
                // Each is on the disk before the next: a log must not come to lie beside a database that is not its own.
                fs::rename(&from, &to)?;
                sync(to.parent().expect("invariant: a file lies in a directory"))?;
            }
        }
        Ok(Some(self.kept("")).filter(|kept| kept.exists()))
    }
}

fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

fn remove_with_log(database: &Path) {
    for suffix in SUFFIXES {
        // What cannot be removed is in the way of the next copy, which says so.
        let _ = fs::remove_file(with_suffix(database, suffix));
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests;
