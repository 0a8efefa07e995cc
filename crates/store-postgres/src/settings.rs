//! The store's single row: whose it is, and its counters.

use keyfob_authority::store::{SealedKey, StoreIdentity, StoreTick, Written};
use keyfob_protocol::Timestamp;
use tokio_postgres::Row;

use crate::columns::{at, bytes, get, seconds, senseless, time};
use crate::engine::{Engine, Fault, Session};

pub(crate) async fn version(engine: &Engine) -> Result<i64, Fault> {
    let row = engine.read_opt("SELECT settings_version FROM store", &[]).await?;
    get(&one(row)?, "settings_version")
}

/// Raises the version, and holds the store's row until the transaction ends: administrations of all nodes come one after the other.
/// The version afterwards. The tick grows with it.
pub(crate) async fn raise_version(session: &Session) -> Result<i64, Fault> {
    let sql = "UPDATE store SET settings_version = settings_version + 1, tick = tick + 1 RETURNING settings_version";
    at(&one(session.query_opt(sql, &[]).await?)?, 0)
}

pub(crate) async fn identity(engine: &Engine) -> Result<Option<StoreIdentity>, Fault> {
    let row = one(engine.read_opt("SELECT issuer, key_check, sandbox FROM store", &[]).await?)?;
    let issuer: Option<String> = get(&row, "issuer")?;
    issuer
        .map(|issuer| {
            Ok(StoreIdentity {
                issuer,
                key_check: bytes("store.key_check", get(&row, "key_check")?)?,
                sandbox: get(&row, "sandbox")?,
            })
        })
        .transpose()
}

/// Sent again when the answer was lost: a claim of ours that stands already is then told as lost, and read like anybody's.
pub(crate) async fn claim(engine: &Engine, identity: &StoreIdentity, keys: &[SealedKey]) -> Result<Written, Fault> {
    let check = identity.key_check.as_slice();
    let ids: Vec<i64> = keys.iter().map(|key| key.id.into()).collect();
    let purposes: Vec<&str> = keys.iter().map(|key| key.purpose.as_str()).collect();
    let sealed: Vec<&[u8]> = keys.iter().map(|key| key.sealed.as_slice()).collect();
    let created: Vec<i64> = keys.iter().map(|key| key.created_at.0).collect();
    let starts: Vec<i64> = keys.iter().map(|key| key.starts_at.0).collect();
    let retired: Vec<Option<i64>> = keys.iter().map(|key| seconds(key.retired_at)).collect();
    let rows = engine
        .write_again(
            "WITH claimed AS (UPDATE store SET issuer = $1, key_check = $2, sandbox = $3, \
             settings_version = settings_version + 1 WHERE issuer IS NULL RETURNING one), \
             kept AS (INSERT INTO sealed_keys (id, purpose, sealed, created_at, starts_at, retired_at) \
             SELECT k.id, k.purpose, k.sealed, k.created_at, k.starts_at, k.retired_at FROM claimed, \
             unnest($4::bigint[], $5::text[], $6::bytea[], $7::bigint[], $8::bigint[], $9::bigint[]) \
             AS k(id, purpose, sealed, created_at, starts_at, retired_at)) SELECT one FROM claimed",
            &[&identity.issuer, &check, &identity.sandbox, &ids, &purposes, &sealed, &created, &starts, &retired],
        )
        .await?;
    Ok(if rows.is_empty() { Written::Lost } else { Written::Won })
}

pub(crate) async fn tick(engine: &Engine) -> Result<StoreTick, Fault> {
    read_tick(&one(engine.read_opt("SELECT tick, tick_at FROM store", &[]).await?)?)
}

pub(crate) async fn raise_tick(engine: &Engine, at: Timestamp) -> Result<StoreTick, Fault> {
    let rows =
        engine.write_again("UPDATE store SET tick = tick + 1, tick_at = $1 RETURNING tick, tick_at", &[&at.0]).await?;
    read_tick(&one(rows.into_iter().next())?)
}

fn read_tick(row: &Row) -> Result<StoreTick, Fault> {
    Ok(StoreTick { tick: get(row, "tick")?, at: time(row, "tick_at")? })
}

/// The server's clock in nanoseconds since 1970, in its own steps of a microsecond. `clock_timestamp` also moves within a transaction.
pub(crate) async fn clock(engine: &Engine) -> Result<i128, Fault> {
    let sql = "SELECT (EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::bigint AS microseconds";
    get::<i64>(&one(engine.read_opt(sql, &[]).await?)?, "microseconds").map(|micros| i128::from(micros) * 1000)
}

pub(crate) async fn probe(engine: &Engine) -> Result<(), Fault> {
    engine.write_again("UPDATE store SET probes = probes + 1", &[]).await.map(drop)
}

/// Receivers of the log while `synchronous_standby_names` is empty; a base backup in the making does not count.
pub(crate) async fn lossy_replicas(engine: &Engine) -> Result<u64, Fault> {
    let row = engine
        .read_opt(
            "SELECT count(*) AS replicas FROM pg_stat_replication \
             WHERE state IS DISTINCT FROM 'backup' AND coalesce(current_setting('synchronous_standby_names', true), '') = ''",
            &[],
        )
        .await?;
    get::<i64>(&one(row)?, "replicas").map(i64::unsigned_abs)
}

fn one(row: Option<Row>) -> Result<Row, Fault> {
    row.ok_or_else(|| senseless("store.one", "no row"))
}
