//! The store's single row: whose it is, and its counters.

use keyfob_authority::store::{SealedKey, StoreIdentity, StoreTick, Written};
use keyfob_protocol::Timestamp;
use rusqlite::{Connection, Result, Row, params};

use crate::columns::time;
use crate::keys;

pub(crate) fn version(connection: &Connection) -> Result<i64> {
    connection.prepare_cached("SELECT settings_version FROM store")?.query_row([], |row| row.get(0))
}

/// Also raises the tick: in a store that lost an administration, a disabled user or a retired secret may live again.
pub(crate) fn raise_version(connection: &Connection) -> Result<()> {
    connection
        .prepare_cached("UPDATE store SET settings_version = settings_version + 1, tick = tick + 1")?
        .execute([])
        .map(drop)
}

pub(crate) fn identity(connection: &Connection) -> Result<Option<StoreIdentity>> {
    connection.prepare_cached("SELECT issuer, key_check, sandbox FROM store")?.query_row([], |row| {
        let issuer: Option<String> = row.get("issuer")?;
        issuer
            .map(|issuer| Ok(StoreIdentity { issuer, key_check: row.get("key_check")?, sandbox: row.get("sandbox")? }))
            .transpose()
    })
}

pub(crate) fn claim(connection: &Connection, identity: &StoreIdentity, first_keys: &[SealedKey]) -> Result<Written> {
    let rows = connection.execute(
        "UPDATE store SET issuer = ?, key_check = ?, sandbox = ?, settings_version = settings_version + 1 \
         WHERE issuer IS NULL",
        params![identity.issuer, identity.key_check, identity.sandbox],
    )?;
    if rows == 0 {
        return Ok(Written::Lost);
    }
    for key in first_keys {
        keys::add(connection, key)?;
    }
    Ok(Written::Won)
}

pub(crate) fn tick(connection: &Connection) -> Result<StoreTick> {
    connection.prepare_cached("SELECT tick, tick_at FROM store")?.query_row([], read_tick)
}

pub(crate) fn raise_tick(connection: &Connection, at: Timestamp) -> Result<StoreTick> {
    connection
        .prepare_cached("UPDATE store SET tick = tick + 1, tick_at = ? RETURNING tick, tick_at")?
        .query_row([at.0], read_tick)
}

/// Raises the tick for a grant that ended. The time of the tick stays that of the last one that was handed in.
pub(crate) fn count_ending(connection: &Connection) -> Result<()> {
    connection.prepare_cached("UPDATE store SET tick = tick + 1")?.execute([]).map(drop)
}

fn read_tick(row: &Row<'_>) -> Result<StoreTick> {
    Ok(StoreTick { tick: row.get("tick")?, at: time(row, "tick_at")? })
}

pub(crate) fn probe(connection: &Connection) -> Result<()> {
    connection.prepare_cached("UPDATE store SET probes = probes + 1")?.execute([]).map(drop)
}
