//! Sealed keys.

use keyfob_authority::store::{Administered, Resealed, SealedKey};
use keyfob_protocol::Timestamp;

use crate::columns::{get, narrow, optional_time, seconds, time};
use crate::engine::{Engine, Fault, Session};

pub(crate) async fn all(engine: &Engine) -> Result<Vec<SealedKey>, Fault> {
    let sql = "SELECT id, purpose, sealed, created_at, starts_at, retired_at FROM sealed_keys ORDER BY id";
    let rows = engine.read(sql, &[]).await?;
    rows.iter()
        .map(|row| {
            Ok(SealedKey {
                id: narrow("sealed_keys.id", get(row, "id")?)?,
                purpose: get(row, "purpose")?,
                sealed: get(row, "sealed")?,
                created_at: time(row, "created_at")?,
                starts_at: time(row, "starts_at")?,
                retired_at: optional_time(row, "retired_at")?,
            })
        })
        .collect()
}

pub(crate) async fn add(session: &Session, key: &SealedKey) -> Result<Administered, Fault> {
    let id = i64::from(key.id);
    let rows = session
        .execute(
            "INSERT INTO sealed_keys (id, purpose, sealed, created_at, starts_at, retired_at) \
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
            &[&id, &key.purpose, &key.sealed.as_slice(), &key.created_at.0, &key.starts_at.0, &seconds(key.retired_at)],
        )
        .await?;
    Ok(if rows == 1 { Administered::Done(id) } else { Administered::Conflict })
}

pub(crate) async fn retire(session: &Session, id: u32, at: Timestamp) -> Result<Administered, Fault> {
    let id = i64::from(id);
    let rows = session.execute("UPDATE sealed_keys SET retired_at = $2 WHERE id = $1", &[&id, &at.0]).await?;
    Ok(if rows == 1 { Administered::Done(id) } else { Administered::Missing })
}

pub(crate) async fn reseal(session: &Session, resealed: &Resealed) -> Result<Administered, Fault> {
    let ids: Vec<i64> = resealed.keys.iter().map(|key| key.id.into()).collect();
    let sealed: Vec<&[u8]> = resealed.keys.iter().map(|key| key.sealed.as_slice()).collect();
    let rows = session
        .execute(
            "UPDATE sealed_keys SET sealed = k.sealed FROM unnest($1::bigint[], $2::bytea[]) AS k(id, sealed) \
             WHERE sealed_keys.id = k.id",
            &[&ids, &sealed],
        )
        .await?;
    let missed = session.query_opt("SELECT 1 FROM sealed_keys WHERE id <> ALL($1::bigint[]) LIMIT 1", &[&ids]).await?;
    if missed.is_some() || rows != ids.len() as u64 {
        return Ok(Administered::Missing);
    }
    session.execute("UPDATE store SET key_check = $1", &[&resealed.key_check.as_slice()]).await?;
    Ok(Administered::Done(1))
}
