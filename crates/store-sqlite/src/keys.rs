//! Sealed keys.

use keyfob_authority::store::{Administered, Resealed, SealedKey};
use keyfob_protocol::Timestamp;
use rusqlite::{Connection, Result, params};

use crate::columns::{optional_time, seconds, time};

pub(crate) fn all(connection: &Connection) -> Result<Vec<SealedKey>> {
    connection
        .prepare_cached("SELECT * FROM sealed_keys ORDER BY id")?
        .query_map([], |row| {
            Ok(SealedKey {
                id: row.get("id")?,
                purpose: row.get("purpose")?,
                sealed: row.get("sealed")?,
                created_at: time(row, "created_at")?,
                starts_at: time(row, "starts_at")?,
                retired_at: optional_time(row, "retired_at")?,
            })
        })?
        .collect()
}

pub(crate) fn add(connection: &Connection, key: &SealedKey) -> Result<Administered> {
    let rows = connection.execute(
        "INSERT INTO sealed_keys (id, purpose, sealed, created_at, starts_at, retired_at) VALUES (?,?,?,?,?,?) \
         ON CONFLICT DO NOTHING",
        params![key.id, key.purpose, key.sealed, key.created_at.0, key.starts_at.0, seconds(key.retired_at)],
    )?;
    Ok(if rows == 1 { Administered::Done(key.id.into()) } else { Administered::Conflict })
}

pub(crate) fn retire(connection: &Connection, id: u32, at: Timestamp) -> Result<Administered> {
    let rows = connection.execute("UPDATE sealed_keys SET retired_at = ? WHERE id = ?", params![at.0, id])?;
    Ok(if rows == 1 { Administered::Done(id.into()) } else { Administered::Missing })
}

pub(crate) fn reseal(connection: &Connection, resealed: &Resealed) -> Result<Administered> {
    let stored: i64 = connection.query_row("SELECT count(*) FROM sealed_keys", [], |row| row.get(0))?;
    let mut statement = connection.prepare("UPDATE sealed_keys SET sealed = ? WHERE id = ?")?;
    let mut rows = 0;
    for key in &resealed.keys {
        rows += statement.execute(params![key.sealed, key.id])?;
    }
    if rows != resealed.keys.len() || i64::try_from(rows) != Ok(stored) {
        return Ok(Administered::Missing);
    }
    connection.execute("UPDATE store SET key_check = ?", [resealed.key_check])?;
    Ok(Administered::Done(1))
}
