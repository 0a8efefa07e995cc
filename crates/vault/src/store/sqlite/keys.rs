//! The data keys in the SQLite file.

use super::engine::Fault;
use crate::store::data_keys::{DataKeys, KeyError};
use crate::store::open::OpenError;
use crate::store::seal::SealingKey;
use keyfob_protocol::{Entropy, Timestamp};
use rusqlite::{Connection, OptionalExtension};
use std::sync::Arc;

/// Why a data key cannot be had.
pub(super) enum KeyFault {
    Sql(rusqlite::Error),
    Key(KeyError),
}

impl From<rusqlite::Error> for KeyFault {
    fn from(error: rusqlite::Error) -> Self {
        KeyFault::Sql(error)
    }
}

impl From<KeyError> for KeyFault {
    fn from(error: KeyError) -> Self {
        KeyFault::Key(error)
    }
}

impl From<KeyFault> for Fault {
    fn from(fault: KeyFault) -> Self {
        match fault {
            KeyFault::Sql(error) => error.into(),
            KeyFault::Key(error) => Fault(error.to_string()),
        }
    }
}

impl From<KeyFault> for OpenError {
    fn from(fault: KeyFault) -> Self {
        match fault {
            KeyFault::Sql(error) => error.into(),
            KeyFault::Key(error) => error.into(),
        }
    }
}

impl DataKeys {
    /// The key of this number.
    pub(super) fn get(&self, connection: &Connection, number: u32) -> Result<Arc<SealingKey>, KeyFault> {
        if let Some(key) = self.known(number) {
            return Ok(key);
        }
        let sealed: Option<Vec<u8>> = connection
            .prepare_cached("SELECT sealed FROM data_keys WHERE number = ?1")?
            .query_row([number], |row| row.get(0))
            .optional()?;
        Ok(self.learn(number, &sealed.ok_or(KeyError::Missing(number))?)?)
    }

    /// The key that seals now. To be asked inside the transaction that writes, so that no retired key is ever used.
    pub(super) fn current(&self, connection: &Connection) -> Result<(u32, Arc<SealingKey>), KeyFault> {
        let number: Option<u32> =
            connection.prepare_cached("SELECT max(number) FROM data_keys")?.query_row([], |row| row.get(0))?;
        let number = number.ok_or(KeyError::Missing(1))?;
        Ok((number, self.get(connection, number)?))
    }

    /// Adds a fresh key, which seals from now on.
    pub(super) fn add(&self, connection: &Connection, now: Timestamp, entropy: &dyn Entropy) -> Result<u32, KeyFault> {
        let check: Vec<u8> = connection.query_row("SELECT key_check FROM vault", [], |row| row.get(0))?;
        let number: u32 =
            connection.query_row("SELECT coalesce(max(number), 0) + 1 FROM data_keys", [], |row| row.get(0))?;
        let sealed = self.fresh(number, &check, entropy)?;
        connection.execute(
            "INSERT INTO data_keys (number, sealed, created_at) VALUES (?1, ?2, ?3)",
            (number, sealed, now.0),
        )?;
        Ok(number)
    }
}
