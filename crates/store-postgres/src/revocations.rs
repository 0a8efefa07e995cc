//! The revocation feed's entries. They are numbered in the order of their commits: whoever writes one holds the lock on the store's single
//! row before the number is drawn and until the commit, so that a reader who asks for what came after a number misses none.

use std::sync::LazyLock;

use keyfob_authority::model::LedgerEntry;
use keyfob_authority::store::NewRevocation;
use keyfob_protocol::revocation::{Revocation, RevokedKind};

use crate::columns::{get, named, time};
use crate::engine::{Engine, Fault, Session};
use crate::ledger;

const KINDS: [RevokedKind; 5] =
    [RevokedKind::Grant, RevokedKind::Token, RevokedKind::App, RevokedKind::User, RevokedKind::Account];

pub(crate) fn name(kind: RevokedKind) -> &'static str {
    match kind {
        RevokedKind::Grant => "grant",
        RevokedKind::Token => "token",
        RevokedKind::App => "app",
        RevokedKind::User => "user",
        RevokedKind::Account => "account",
    }
}

/// Appends within a transaction that holds the store's row.
pub(crate) async fn append(session: &Session, entries: &[NewRevocation]) -> Result<(), Fault> {
    if entries.is_empty() {
        return Ok(());
    }
    let kinds: Vec<&str> = entries.iter().map(|entry| name(entry.kind)).collect();
    let ids: Vec<&str> = entries.iter().map(|entry| entry.id.as_str()).collect();
    let not_before: Vec<i64> = entries.iter().map(|entry| entry.not_before.0).collect();
    let until: Vec<i64> = entries.iter().map(|entry| entry.until.0).collect();
    session
        .execute(
            "INSERT INTO revocations (kind, id, not_before, until_time) \
             SELECT r.kind, r.id, r.not_before, r.until_time \
             FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[]) WITH ORDINALITY \
             AS r(kind, id, not_before, until_time, n) ORDER BY r.n",
            &[&kinds, &ids, &not_before, &until],
        )
        .await
        .map(drop)
}

/// One revocation, `$11` to `$14`, after the store's row, and then its record.
static REVOKE: LazyLock<String> = LazyLock::new(|| {
    format!(
        "WITH counted AS (UPDATE store SET tick = tick WHERE one = 1 RETURNING one), \
         revoked AS (INSERT INTO revocations (kind, id, not_before, until_time) \
         SELECT $11::text, $12::text, $13::bigint, $14::bigint FROM counted) {}",
        ledger::APPEND
    )
});

/// Appends one by itself, with its record. Sent once: an entry that stands twice would be a lie, and whoever asked may ask again.
pub(crate) async fn revoke(engine: &Engine, revocation: &NewRevocation, entry: &LedgerEntry) -> Result<(), Fault> {
    let NewRevocation { kind, id, not_before, until } = revocation;
    let recorded = ledger::Columns::of(std::slice::from_ref(entry));
    let kind = name(*kind);
    engine.write_once(&REVOKE, &recorded.values(&[&kind, id, &not_before.0, &until.0])).await.map(drop)
}

pub(crate) async fn list(engine: &Engine, after: i64, limit: u32) -> Result<Vec<Revocation>, Fault> {
    let rows = engine
        .read(
            "SELECT number, kind, id, not_before, until_time FROM revocations WHERE number > $1 ORDER BY number LIMIT $2",
            &[&after, &i64::from(limit)],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Revocation {
                number: get(row, "number")?,
                kind: named("revocations.kind", get(row, "kind")?, KINDS, name)?,
                id: get(row, "id")?,
                not_before: time(row, "not_before")?,
                until: time(row, "until_time")?,
            })
        })
        .collect()
}
