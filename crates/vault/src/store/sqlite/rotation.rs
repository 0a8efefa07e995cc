//! Changing keys of a SQLite file while it is in use.

use super::engine::Fault;
use super::{Sealed, SqliteTokenStore, unavailable};
use crate::store::master_key::MasterKey;
use crate::store::rotation::{Resealed, RotationError, STEP};
use keyfob_client::StoreUnavailable;
use rusqlite::Connection;
use std::collections::BTreeMap;

impl SqliteTokenStore {
    /// Adds a data key. Every write from now on, also of other processes, uses it.
    ///
    /// # Errors
    /// [`StoreUnavailable`].
    pub async fn rotate_data_key(&self) -> Result<(), StoreUnavailable> {
        let inside = self.inside.clone();
        let added = self.engine.write(move |connection| {
            inside.keys.add(connection, inside.clock.now(), inside.entropy.as_ref())?;
            Ok(())
        });
        added.await.map_err(unavailable)
    }

    /// One small step towards having every row under the data key of now. To be repeated until it says `finished`. Rows that cannot be
    /// opened stay as they are, with their key.
    ///
    /// # Errors
    /// [`StoreUnavailable`].
    pub async fn reseal_some(&self) -> Result<Resealed, StoreUnavailable> {
        let inside = self.inside.clone();
        let step = self.engine.write(move |connection| {
            let (current, _) = inside.keys.current(connection)?;
            let mut statement = connection.prepare_cached(
                "SELECT generation, data_key, sealed, id FROM connections WHERE data_key < ?1 ORDER BY data_key, id",
            )?;
            let mut old = statement.query([current])?;
            let mut opened = Vec::new();
            while opened.len() < STEP
                && let Some(row) = old.next()?
            {
                let (sealed, id) = (Sealed::read(row)?, row.get::<_, String>(3)?);
                if let Ok(row) = inside.open(connection, &id, &sealed) {
                    opened.push((id, row));
                }
            }
            drop(old);
            for (id, row) in &opened {
                inside.reseal(connection, id, row)?;
            }
            let retired = match opened.len() < STEP {
                true => retire(connection, current)?,
                false => 0,
            };
            Ok(Resealed { rows: opened.len(), retired, finished: opened.len() < STEP })
        });
        step.await.map_err(unavailable)
    }

    /// Puts the vault under another master key. Processes that have it open go on with the data keys they know, and have to be started with the
    /// new key before the next data key comes.
    ///
    /// # Errors
    /// [`RotationError`]; the old key then stays good.
    pub async fn rotate_master_key(&self, next: MasterKey) -> Result<(), RotationError> {
        let inside = self.inside.clone();
        let under = next.clone();
        let rotated = self.engine.write(move |connection| {
            let master = inside.keys.master().clone();
            let check: Vec<u8> = connection.query_row("SELECT key_check FROM vault", [], |row| row.get(0))?;
            if check != master.check() {
                return Ok(false);
            }
            let mut statement = connection.prepare("SELECT number, sealed FROM data_keys")?;
            let keys = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            let keys: BTreeMap<u32, Vec<u8>> = keys.collect::<rusqlite::Result<_>>()?;
            for (number, sealed) in keys {
                let material = master
                    .open(number, &sealed)
                    .ok_or_else(|| Fault(format!("data key {number} is damaged; the master key stays as it is")))?;
                let sealed = under
                    .seal(number, material.expose(), inside.entropy.as_ref())
                    .map_err(|error| Fault(error.to_string()))?;
                connection.execute("UPDATE data_keys SET sealed = ?2 WHERE number = ?1", (number, sealed))?;
            }
            connection.execute("UPDATE vault SET key_check = ?1", [under.check()])?;
            Ok(true)
        });
        match rotated.await.map_err(unavailable)? {
            true => {
                *self.inside.keys.master() = next;
                Ok(())
            }
            false => Err(RotationError::OtherMasterKey),
        }
    }
}

/// Removes the keys that no row is sealed under.
fn retire(connection: &Connection, current: u32) -> Result<usize, Fault> {
    Ok(connection.execute(
        "DELETE FROM data_keys WHERE number < ?1 \
         AND NOT EXISTS (SELECT 1 FROM connections WHERE data_key = data_keys.number)",
        [current],
    )?)
}
