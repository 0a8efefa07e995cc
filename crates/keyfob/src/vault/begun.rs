//! The mark beside the master key file that a store was begun under it: where it says so and the store is gone, nobody is given an empty one in its place.
//!
//! A key alone proves nothing: it may be handed out before the first start (a secret of Kubernetes, say). Where the mark cannot be written, as beside
//! such a secret, the setting `store_must_exist` stands in for it.

use super::settings::{StoreSetting, VaultSettings};
use crate::composition::master_key;
use crate::exit::Exit;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

fn mark_of(key: &Path) -> PathBuf {
    master_key::beside(key, ".begun")
}

/// Refuses to begin a store where one was, or where the settings say that there is one. `key` is the file that seals it, if it is there.
pub(super) fn may_begin(settings: &VaultSettings, key: Option<&Path>) -> anyhow::Result<()> {
    let refuse = |why: String| {
        Err(Exit::Refused.because(format!(
            "there is no vault in {}, {why}. Put the store back (docs/vault.md, Keys and backups), or correct store; to begin anew without any connection: keyfob vault --new-store",
            settings.store
        )))
    };
    if settings.new_store {
        return Ok(());
    }
    if let Some(key) = key {
        let mark = mark_of(key);
        match std::fs::read_to_string(&mark) {
            Ok(text) => {
                let (place, mark) = (text.lines().next().unwrap_or_default(), mark.display());
                return refuse(format!("and one was begun under its master key, in {place} (says {mark})"));
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            // It may be one.
            Err(error) => {
                let mark = mark.display();
                return refuse(format!(
                    "and whether one was begun under its master key is unknown, since {mark} cannot be read ({error}): let this user read it"
                ));
            }
        }
    }
    match settings.store_must_exist {
        true => refuse("and store_must_exist is set".to_owned()),
        false => Ok(()),
    }
}

/// Notes that this store was begun under the key in this file. Where that cannot be written things are as they were before there were marks, which is
/// told until the settings stand in for the mark.
pub(super) fn note(settings: &VaultSettings, key: &Path) {
    let place = match &settings.store {
        StoreSetting::File(path) => std::path::absolute(path).unwrap_or_else(|_| path.clone()).display().to_string(),
        StoreSetting::Postgres(address) => address.to_string(),
    };
    let (mark, key) = (mark_of(key), key.display());
    let text = format!(
        "{place}\nThere is a vault, sealed under {key}. While this file is here keyfob vault begins no other one under that key, unless told to by --new-store.\n"
    );
    if std::fs::read_to_string(&mark).is_ok_and(|there| there == text) {
        return;
    }
    if let Err(error) = std::fs::write(&mark, text)
        && !settings.store_must_exist
        // One that says something else does as well.
        && !mark.exists()
    {
        tracing::warn!(
            "the mark beside the master key, {}, cannot be written ({error}), so that a start which does not find the store would begin an empty one: set store_must_exist = true",
            mark.display()
        );
    }
}

/// Before a fresh key takes the place of one that is gone: the mark was that one's.
pub(super) fn forget(key: &Path) {
    // Mostly there is none; where it cannot be removed no key can be made either, and that is told.
    let _ = std::fs::remove_file(mark_of(key));
}
