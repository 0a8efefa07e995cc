//! The data keys: random, sealed under the master key in the store, opened in memory. The one with the highest number seals. Where they
//! lie is each store's to know.

use super::master_key::MasterKey;
use super::seal::SealingKey;
use keyfob_protocol::{Entropy, EntropyFailed, Secret, entropy};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use thiserror::Error;

/// Why a data key cannot be had.
#[derive(Debug, Error)]
pub(super) enum KeyError {
    #[error("{0}")]
    Entropy(#[from] EntropyFailed),
    #[error("data key {0} is not in the store; the database is incomplete")]
    Missing(u32),
    #[error("data key {0} cannot be opened; it is damaged or sealed under another master key")]
    Sealed(u32),
    #[error("the vault is under another master key by now; open it with that one")]
    OtherMasterKey,
}

/// Opens data keys on demand and remembers them. Another process may add some at any time.
pub(super) struct DataKeys {
    pub(super) master: Mutex<MasterKey>,
    opened: Mutex<HashMap<u32, Arc<SealingKey>>>,
}

impl DataKeys {
    pub(super) fn new(master: MasterKey) -> DataKeys {
        DataKeys { master: Mutex::new(master), opened: Mutex::default() }
    }

    /// The key of this number, if it was opened before.
    pub(super) fn known(&self, number: u32) -> Option<Arc<SealingKey>> {
        self.opened().get(&number).cloned()
    }

    /// Opens a key as it lies in the store, and remembers it.
    pub(super) fn learn(&self, number: u32, sealed: &[u8]) -> Result<Arc<SealingKey>, KeyError> {
        if let Some(key) = self.known(number) {
            return Ok(key);
        }
        let material = self.master().open(number, sealed).ok_or(KeyError::Sealed(number))?;
        let key = Arc::new(SealingKey::new(material.expose()));
        self.opened().insert(number, key.clone());
        Ok(key)
    }

    /// Fresh material under this number, sealed as it goes into the store. Never under a master key that is of the past, which `check` tells:
    /// nobody could open it.
    pub(super) fn fresh(&self, number: u32, check: &[u8], entropy: &dyn Entropy) -> Result<Vec<u8>, KeyError> {
        let master = self.master();
        if check != master.check() {
            return Err(KeyError::OtherMasterKey);
        }
        let material: Secret<[u8; 32]> = Secret::new(entropy::random(entropy)?);
        Ok(master.seal(number, material.expose(), entropy)?)
    }

    pub(super) fn master(&self) -> MutexGuard<'_, MasterKey> {
        self.master.lock().expect("invariant: nothing panics while the lock is held")
    }

    fn opened(&self) -> MutexGuard<'_, HashMap<u32, Arc<SealingKey>>> {
        self.opened.lock().expect("invariant: nothing panics while the lock is held")
    }
}
