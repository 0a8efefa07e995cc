//! The ledger: what happened, appended in the transaction of what it records.

use keyfob_authority::model::{AccountId, AppId, LedgerEntry, LedgerKind, SystemId, UserId};
use keyfob_authority::store::LedgerFilter;
use keyfob_protocol::token_name::GrantId;
use rusqlite::{Connection, Result, Row, named_params, params};

use crate::columns::{named, time};

pub(crate) fn append(connection: &Connection, entries: &[LedgerEntry]) -> Result<()> {
    for entry in entries {
        connection
            .prepare_cached(
                "INSERT INTO ledger (at, kind, grant_id, app, user_id, account, system, detail, once, request_id) \
                 VALUES (?,?,?,?,?,?,?,?,?,?) ON CONFLICT (once) WHERE once IS NOT NULL DO NOTHING",
            )?
            .execute(params![
                entry.at.0,
                entry.kind.name(),
                entry.grant.map(|id| id.0),
                entry.app.map(|id| id.0),
                entry.user.map(|id| id.0),
                entry.account.map(|id| id.0),
                entry.system.map(|id| id.0),
                entry.detail,
                entry.once,
                entry.request,
            ])?;
    }
    Ok(())
}

pub(crate) fn list(connection: &Connection, filter: LedgerFilter, limit: u32) -> Result<Vec<LedgerEntry>> {
    // One index at most serves a query; the plus signs say which.
    let place = match (filter.grant, filter.user) {
        (Some(_), Some(_)) => "grant_id = :grant AND +user_id = :user",
        (Some(_), None) => "grant_id = :grant AND :user IS NULL",
        (None, Some(_)) => "user_id = :user AND :grant IS NULL",
        (None, None) => ":grant IS NULL AND :user IS NULL",
    };
    connection
        .prepare_cached(&format!(
            "SELECT * FROM ledger WHERE {place} AND (:app IS NULL OR app = :app) ORDER BY id DESC LIMIT :limit"
        ))?
        .query_map(
            named_params! {
                ":grant": filter.grant.map(|id| id.0), ":user": filter.user.map(|id| id.0),
                ":app": filter.app.map(|id| id.0), ":limit": limit,
            },
            read,
        )?
        .collect()
}

pub(crate) fn of_request(connection: &Connection, request: &str) -> Result<Vec<LedgerEntry>> {
    connection
        .prepare_cached("SELECT * FROM ledger WHERE request_id = ? ORDER BY id DESC")?
        .query_map([request], read)?
        .collect()
}

fn read(row: &Row<'_>) -> Result<LedgerEntry> {
    Ok(LedgerEntry {
        at: time(row, "at")?,
        kind: named(row, "kind", LedgerKind::ALL.iter().copied(), LedgerKind::name)?,
        grant: row.get::<_, Option<[u8; 16]>>("grant_id")?.map(GrantId),
        app: row.get::<_, Option<i64>>("app")?.map(AppId),
        user: row.get::<_, Option<i64>>("user_id")?.map(UserId),
        account: row.get::<_, Option<i64>>("account")?.map(AccountId),
        system: row.get::<_, Option<i64>>("system")?.map(SystemId),
        detail: row.get("detail")?,
        once: row.get("once")?,
        request: row.get("request_id")?,
    })
}
