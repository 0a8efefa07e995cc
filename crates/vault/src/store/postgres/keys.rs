//! The data keys in the database.

use super::{Inside, number};
use crate::store::data_keys::KeyError;
use crate::store::seal::SealingKey;
use keyfob_postgres::{Fault, Session};
use std::sync::Arc;
use tokio_postgres::Row;

/// Locked against being retired until the transaction ends, so that no row is ever written under a key that is gone.
pub(super) const CURRENT: &str = "SELECT number, sealed FROM data_keys ORDER BY number DESC LIMIT 1 FOR KEY SHARE";
const ADD: &str = "INSERT INTO data_keys (number, sealed, created_at) VALUES ($1, $2, $3)";

/// The key that seals now.
pub(super) struct Sealer {
    pub(super) number: u32,
    pub(super) key: Arc<SealingKey>,
}

/// The key that seals in the transaction that has read [`CURRENT`].
pub(super) fn sealer(rows: &[Row], inside: &Inside) -> Result<Sealer, Fault> {
    let Some(row) = rows.first() else {
        // It was retired between being found and being locked, so there is a newer one.
        return Err(Fault::Contended("the data key was retired".to_owned()));
    };
    let number = number::<_, i64>("data_keys.number", row.try_get(0)?)?;
    let key = inside.keys.learn(number, row.try_get(1)?).map_err(|error| Fault::Statement(error.to_string()))?;
    Ok(Sealer { number, key })
}

/// Adds a fresh key, which seals from now on. In a transaction.
pub(super) async fn add(session: &Session, inside: &Inside) -> Result<Result<(), KeyError>, Fault> {
    // The lock keeps a new master key from coming between the check and the insert.
    let Some(row) = session.query_opt("SELECT key_check FROM vault FOR UPDATE", &[]).await? else {
        return Ok(Err(KeyError::Missing(1)));
    };
    let last = session.query("SELECT coalesce(max(number), 0) FROM data_keys", &[]).await?;
    let last: i64 = last.first().map(|row| row.try_get(0)).transpose()?.unwrap_or_default();
    let next: u32 = number("data_keys.number", last + 1)?;
    let sealed = match inside.keys.fresh(next, row.try_get(0)?, inside.entropy.as_ref()) {
        Ok(sealed) => sealed,
        Err(error) => return Ok(Err(error)),
    };
    session.execute(ADD, &[&i64::from(next), &sealed, &inside.clock.now().0]).await?;
    Ok(Ok(()))
}
