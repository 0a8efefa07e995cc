//! The data keys: random, sealed under the master key in the store, opened in memory. The one with the highest number seals.

use super::master_key::MasterKey;
use super::seal::SealingKey;
use keyfob_protocol::{Entropy, EntropyFailed, Secret, Timestamp, entropy};
use rusqlite::{Connection, OptionalExtension};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use thiserror::Error;

/// Why a data key cannot be had.
#[derive(Debug, Error)]
pub(super) enum KeyError {
    #[error("{0}")]
    Sql(#[from] rusqlite::Error),
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

    /// The key of this number.
    pub(super) fn get(&self, connection: &Connection, number: u32) -> Result<Arc<SealingKey>, KeyError> {
        if let Some(key) = self.opened().get(&number) {
            return Ok(key.clone());
        }
        let sealed: Option<Vec<u8>> = connection
            .prepare_cached("SELECT sealed FROM data_keys WHERE number = ?1")?
            .query_row([number], |row| row.get(0))
            .optional()?;
        let sealed = sealed.ok_or(KeyError::Missing(number))?;
        let material = self.master().open(number, &sealed).ok_or(KeyError::Sealed(number))?;
        let key = Arc::new(SealingKey::new(material.expose()));
        self.opened().insert(number, key.clone());
        Ok(key)
    }

    /// The key that seals now. To be asked inside the transaction that writes, so that no retired key is ever used.
    pub(super) fn current(&self, connection: &Connection) -> Result<(u32, Arc<SealingKey>), KeyError> {
        let number: Option<u32> =
            connection.prepare_cached("SELECT max(number) FROM data_keys")?.query_row([], |row| row.get(0))?;
        let number = number.ok_or(KeyError::Missing(1))?;
        Ok((number, self.get(connection, number)?))
    }

    /// Adds a fresh key, which seals from now on. Never under a master key that is of the past: nobody could open it.
    pub(super) fn add(&self, connection: &Connection, now: Timestamp, entropy: &dyn Entropy) -> Result<u32, KeyError> {
        let check: Vec<u8> = connection.query_row("SELECT key_check FROM vault", [], |row| row.get(0))?;
        if check != self.master().check() {
            return Err(KeyError::OtherMasterKey);
        }
        let number: u32 =
            connection.query_row("SELECT coalesce(max(number), 0) + 1 FROM data_keys", [], |row| row.get(0))?;
        let material: Secret<[u8; 32]> = Secret::new(entropy::random(entropy)?);
        let sealed = self.master().seal(number, material.expose(), entropy)?;
        connection.execute(
            "INSERT INTO data_keys (number, sealed, created_at) VALUES (?1, ?2, ?3)",
            (number, sealed, now.0),
        )?;
        Ok(number)
    }

    pub(super) fn master(&self) -> MutexGuard<'_, MasterKey> {
        self.master.lock().expect("invariant: nothing panics while the lock is held")
    }

    fn opened(&self) -> MutexGuard<'_, HashMap<u32, Arc<SealingKey>>> {
        self.opened.lock().expect("invariant: nothing panics while the lock is held")
    }
}
