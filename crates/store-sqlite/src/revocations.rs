//! The revocation feed's entries, numbered in the order of their commits: there is one writer at a time.

use keyfob_authority::store::NewRevocation;
use keyfob_protocol::revocation::{Revocation, RevokedKind};
use rusqlite::{Connection, Result, params};

use crate::columns::{named, time};

const KINDS: [RevokedKind; 5] =
    [RevokedKind::Grant, RevokedKind::Token, RevokedKind::App, RevokedKind::User, RevokedKind::Account];

fn name(kind: RevokedKind) -> &'static str {
    match kind {
        RevokedKind::Grant => "grant",
        RevokedKind::Token => "token",
        RevokedKind::App => "app",
        RevokedKind::User => "user",
        RevokedKind::Account => "account",
    }
}

pub(crate) fn append(connection: &Connection, entries: &[NewRevocation]) -> Result<()> {
    for entry in entries {
        connection
            .prepare_cached("INSERT INTO revocations (kind, id, not_before, until_time) VALUES (?,?,?,?)")?
            .execute(params![name(entry.kind), entry.id, entry.not_before.0, entry.until.0])?;
    }
    Ok(())
}

pub(crate) fn list(connection: &Connection, after: i64, limit: u32) -> Result<Vec<Revocation>> {
    connection
        .prepare_cached("SELECT * FROM revocations WHERE number > ? ORDER BY number LIMIT ?")?
        .query_map(params![after, limit], |row| {
            Ok(Revocation {
                number: row.get("number")?,
                kind: named(row, "kind", KINDS, name)?,
                id: row.get("id")?,
                not_before: time(row, "not_before")?,
                until: time(row, "until_time")?,
            })
        })?
        .collect()
}
