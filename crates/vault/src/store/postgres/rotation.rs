//! Changing keys of a PostgreSQL vault while it is in use.
//!
//! An answer that is lost makes nothing ambiguous: a data key more does no harm, a step of resealing is done again, and a vault that is under
//! the next master key already has been put there.

use super::{Inside, PostgresTokenStore, keys, number, unavailable};
use crate::store::data_keys::KeyError;
use crate::store::master_key::MasterKey;
use crate::store::rotation::{Resealed, RotationError, STEP};
use crate::store::row;
use keyfob_client::{StoreUnavailable, StoredConnection};
use keyfob_postgres::{Engine, Fault, Patience, Session};
use std::sync::Arc;

/// Rows that somebody is writing at the moment come under the new key by that, or next time.
const OLD: &str = "SELECT c.id, c.generation, c.data_key, c.sealed, k.sealed FROM connections c \
                   JOIN data_keys k ON k.number = c.data_key \
                   WHERE c.data_key < $1 AND (c.data_key, c.id) > ($2, $3::text) \
                   ORDER BY c.data_key, c.id LIMIT $4 FOR UPDATE OF c SKIP LOCKED";
const LEFT: &str = "SELECT count(*) FROM connections WHERE data_key < $1";
const RESEAL: &str = "UPDATE connections SET data_key = $2, sealed = $3 WHERE id = $1";
const RETIRE: &str = "DELETE FROM data_keys WHERE number < $1 \
                      AND NOT EXISTS (SELECT 1 FROM connections WHERE data_key = data_keys.number) RETURNING number";

impl PostgresTokenStore {
    /// Adds a data key. Every write from now on, also of other nodes, uses it.
    ///
    /// # Errors
    /// [`StoreUnavailable`].
    pub async fn rotate_data_key(&self) -> Result<(), StoreUnavailable> {
        let (engine, inside) = (self.engine.clone(), self.inside.clone());
        let added = done(async move {
            let transaction = engine.begin().await?;
            let added = keys::add(transaction.session(), &inside).await?;
            transaction.commit().await?;
            Ok(added)
        });
        added.await.map_err(unavailable)?.map_err(|error: KeyError| StoreUnavailable(error.to_string()))
    }

    /// One small step towards having every row under the data key of now. To be repeated until it says `finished`. Rows that cannot be
    /// opened stay as they are, with their key.
    ///
    /// # Errors
    /// [`StoreUnavailable`].
    pub async fn reseal_some(&self) -> Result<Resealed, StoreUnavailable> {
        let (engine, inside) = (self.engine.clone(), self.inside.clone());
        let resealed = done(async move {
            let mut patience = Patience::new();
            loop {
                match step(&engine, &inside).await {
                    // Also a circle of locks with somebody who writes the same rows in another order.
                    Err(fault) => patience.after(fault).await?,
                    outcome => return outcome,
                }
            }
        });
        resealed.await.map_err(unavailable)
    }

    /// Puts the vault under another master key. Nodes that have it open go on with the data keys they know, and have to be started with the
    /// new key before the next data key comes.
    ///
    /// # Errors
    /// [`RotationError`]; the old key then stays good.
    pub async fn rotate_master_key(&self, next: MasterKey) -> Result<(), RotationError> {
        let (engine, inside) = (self.engine.clone(), self.inside.clone());
        let rotated = done(async move {
            let mut patience = Patience::new();
            loop {
                match rotate_master_key(&engine, &inside, &next).await {
                    Err(fault) => patience.after(fault).await?,
                    outcome => return outcome,
                }
            }
        });
        match rotated.await.map_err(unavailable)? {
            true => Ok(()),
            false => Err(RotationError::OtherMasterKey),
        }
    }
}

/// In a task that nobody drops, so that the transaction is ended.
async fn done<T: Send + 'static>(work: impl Future<Output = Result<T, Fault>> + Send + 'static) -> Result<T, Fault> {
    tokio::spawn(work).await.unwrap_or(Err(Fault::Panicked))
}

async fn step(engine: &Engine, inside: &Inside) -> Result<Resealed, Fault> {
    let transaction = engine.begin().await?;
    let session = transaction.session();
    let sealer = keys::sealer(&session.query(keys::CURRENT, &[]).await?, inside)?;
    let current = i64::from(sealer.number);
    let (mut rows, mut damaged) = (0, 0_i64);
    let mut last = (0_i64, String::new());
    loop {
        let old = session.query(OLD, &[&current, &last.0, &last.1, &number::<i64, _>("STEP", STEP)?]).await?;
        for found in &old {
            let id: String = found.try_get(0)?;
            match inside.open_row(&id, found, 1)? {
                Ok(row) => {
                    reseal(session, inside, &sealer, &id, &row).await?;
                    rows += 1;
                }
                Err(_) => damaged += 1,
            }
            last = (found.try_get(2)?, id);
        }
        if rows >= STEP || old.is_empty() {
            break;
        }
    }
    let left: i64 = session.query_opt(LEFT, &[&current]).await?.map(|row| row.try_get(0)).transpose()?.unwrap_or(0);
    transaction.commit().await?;
    let finished = left <= damaged;
    let retired = match finished {
        // A row that is being written under an old key at this moment keeps that key: the reference refuses, and the next time is soon.
        true => match engine.write_again(RETIRE, &[&current]).await {
            Ok(retired) => retired.len(),
            Err(Fault::Statement(_)) => 0,
            Err(fault) => return Err(fault),
        },
        false => 0,
    };
    Ok(Resealed { rows, retired, finished })
}

async fn reseal(
    session: &Session,
    inside: &Inside,
    sealer: &keys::Sealer,
    id: &str,
    row: &StoredConnection,
) -> Result<(), Fault> {
    let sealed = row::seal(id, row, sealer.number, &sealer.key, inside.entropy.as_ref())
        .map_err(|error| Fault::Statement(error.to_string()))?;
    session.execute(RESEAL, &[&id, &i64::from(sealer.number), &sealed]).await?;
    Ok(())
}

/// Whether it is under `next` now.
async fn rotate_master_key(engine: &Engine, inside: &Arc<Inside>, next: &MasterKey) -> Result<bool, Fault> {
    let transaction = engine.begin().await?;
    let session = transaction.session();
    let check: Option<Vec<u8>> = session
        .query_opt("SELECT key_check FROM vault FOR UPDATE", &[])
        .await?
        .map(|row| row.try_get(0))
        .transpose()?;
    let master = inside.keys.master().clone();
    if check.as_deref() == Some(&next.check()) {
        // An earlier attempt of ours, whose answer was lost, or another node told to do the same.
        transaction.roll_back().await?;
    } else if check.as_deref() == Some(&master.check()) {
        for row in session.query("SELECT number, sealed FROM data_keys FOR UPDATE", &[]).await? {
            let number: u32 = number::<_, i64>("data_keys.number", row.try_get(0)?)?;
            let material = master.open(number, row.try_get(1)?).ok_or_else(|| {
                Fault::Statement(format!("data key {number} is damaged; the master key stays as it is"))
            })?;
            let sealed = next
                .seal(number, material.expose(), inside.entropy.as_ref())
                .map_err(|error| Fault::Statement(error.to_string()))?;
            let values: [&(dyn tokio_postgres::types::ToSql + Sync); 2] = [&i64::from(number), &sealed];
            session.execute("UPDATE data_keys SET sealed = $2 WHERE number = $1", &values).await?;
        }
        session.execute("UPDATE vault SET key_check = $1", &[&next.check().as_slice()]).await?;
        transaction.commit().await?;
    } else {
        transaction.roll_back().await?;
        return Ok(false);
    }
    *inside.keys.master() = next.clone();
    Ok(true)
}
