//! The ledger: what happened, appended in the transaction of what it records.

use keyfob_authority::model::{AccountId, AppId, LedgerEntry, LedgerKind, SystemId, UserId};
use keyfob_authority::store::LedgerFilter;
use keyfob_protocol::token_name::GrantId;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::columns::{bytes, get, named, time};
use crate::engine::{Engine, Fault, Session};

/// Entries, column by column.
#[derive(Default)]
pub(crate) struct Columns<'e> {
    pub(crate) at: Vec<i64>,
    pub(crate) kind: Vec<&'static str>,
    pub(crate) grant: Vec<Option<&'e [u8]>>,
    pub(crate) app: Vec<Option<i64>>,
    pub(crate) user: Vec<Option<i64>>,
    pub(crate) account: Vec<Option<i64>>,
    pub(crate) system: Vec<Option<i64>>,
    pub(crate) detail: Vec<&'e str>,
    pub(crate) once: Vec<Option<&'e str>>,
    pub(crate) request: Vec<Option<&'e str>>,
}

impl<'e> Columns<'e> {
    pub(crate) fn of(entries: &'e [LedgerEntry]) -> Self {
        let mut columns = Self::default();
        entries.iter().for_each(|entry| columns.push(entry));
        columns
    }

    /// `$1` to `$10` of [`APPEND`], and what a statement that ends with it has behind them.
    pub(crate) fn values<'v>(&'v self, behind: &[&'v (dyn ToSql + Sync)]) -> Vec<&'v (dyn ToSql + Sync)> {
        let mut values: Vec<&(dyn ToSql + Sync)> = vec![
            &self.at,
            &self.kind,
            &self.grant,
            &self.app,
            &self.user,
            &self.account,
            &self.system,
            &self.detail,
            &self.once,
            &self.request,
        ];
        values.extend(behind);
        values
    }

    pub(crate) fn push(&mut self, entry: &'e LedgerEntry) {
        self.at.push(entry.at.0);
        self.kind.push(entry.kind.name());
        self.grant.push(entry.grant.as_ref().map(|id| id.0.as_slice()));
        self.app.push(entry.app.map(|id| id.0));
        self.user.push(entry.user.map(|id| id.0));
        self.account.push(entry.account.map(|id| id.0));
        self.system.push(entry.system.map(|id| id.0));
        self.detail.push(&entry.detail);
        self.once.push(entry.once.as_deref());
        self.request.push(entry.request.as_deref());
    }
}

macro_rules! append {
    ($condition:literal) => {
        concat!(
            "INSERT INTO ledger (at, kind, grant_id, app, user_id, account, system, detail, once, request_id) \
             SELECT l.at, l.kind, l.grant_id, l.app, l.user_id, l.account, l.system, l.detail, l.once, l.request_id \
             FROM unnest($1::bigint[], $2::text[], $3::bytea[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::text[], \
             $9::text[], $10::text[]) WITH ORDINALITY AS l(at, kind, grant_id, app, user_id, account, system, detail, once, request_id, n) ",
            $condition,
            " ORDER BY l.n ON CONFLICT (once) WHERE once IS NOT NULL DO NOTHING"
        )
    };
}

/// Appends the entries `$1` to `$10`, column by column. Also the end of statements that do something else first.
pub(crate) const APPEND: &str = append!("");
/// The same, in a statement whose `spent` has found something to spend.
pub(crate) const APPEND_IF_SPENT: &str = append!("WHERE EXISTS (SELECT 1 FROM spent)");

/// Appends within a transaction.
pub(crate) async fn append(session: &Session, entries: &[LedgerEntry]) -> Result<(), Fault> {
    if entries.is_empty() {
        return Ok(());
    }
    session.execute(APPEND, &Columns::of(entries).values(&[])).await.map(drop)
}

/// Appends by itself. Sent once: an entry that stands twice would be a lie.
pub(crate) async fn record(engine: &Engine, entries: &[LedgerEntry]) -> Result<(), Fault> {
    if entries.is_empty() {
        return Ok(());
    }
    engine.write_once(APPEND, &Columns::of(entries).values(&[])).await.map(drop)
}

macro_rules! select {
    ($place:literal) => {
        concat!(
            "SELECT at, kind, grant_id, app, user_id, account, system, detail, once, request_id FROM ledger WHERE ",
            $place,
            " AND ($3::bigint IS NULL OR app = $3) ORDER BY id DESC LIMIT $4"
        )
    };
}

pub(crate) async fn list(engine: &Engine, filter: LedgerFilter, limit: u32) -> Result<Vec<LedgerEntry>, Fault> {
    // One index at most serves a query, so each has a text, and so a plan, of its own.
    let sql = match (filter.grant, filter.user) {
        (Some(_), Some(_)) => select!("grant_id = $1::bytea AND user_id = $2::bigint"),
        (Some(_), None) => select!("grant_id = $1::bytea AND $2::bigint IS NULL"),
        (None, Some(_)) => select!("$1::bytea IS NULL AND user_id = $2::bigint"),
        (None, None) => select!("$1::bytea IS NULL AND $2::bigint IS NULL"),
    };
    let grant = filter.grant.as_ref().map(|id| id.0.as_slice());
    let (user, app) = (filter.user.map(|id| id.0), filter.app.map(|id| id.0));
    let rows = engine.long(sql, &[&grant, &user, &app, &i64::from(limit)]).await?;
    rows.iter().map(read).collect()
}

pub(crate) async fn of_request(engine: &Engine, request: &str) -> Result<Vec<LedgerEntry>, Fault> {
    let sql = "SELECT at, kind, grant_id, app, user_id, account, system, detail, once, request_id FROM ledger \
               WHERE request_id = $1 ORDER BY id DESC";
    engine.long(sql, &[&request]).await?.iter().map(read).collect()
}

fn read(row: &Row) -> Result<LedgerEntry, Fault> {
    let grant: Option<&[u8]> = get(row, "grant_id")?;
    Ok(LedgerEntry {
        at: time(row, "at")?,
        kind: named("ledger.kind", get(row, "kind")?, LedgerKind::ALL.iter().copied(), LedgerKind::name)?,
        grant: grant.map(|id| bytes("ledger.grant_id", id).map(GrantId)).transpose()?,
        app: get::<Option<i64>>(row, "app")?.map(AppId),
        user: get::<Option<i64>>(row, "user_id")?.map(UserId),
        account: get::<Option<i64>>(row, "account")?.map(AccountId),
        system: get::<Option<i64>>(row, "system")?.map(SystemId),
        detail: get(row, "detail")?,
        once: get(row, "once")?,
        request: get(row, "request_id")?,
    })
}
