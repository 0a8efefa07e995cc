//! Browser sessions, by the digest of their cookie.

use std::sync::LazyLock;

use keyfob_authority::model::{AccountId, LedgerEntry, Session as BrowserSession, SessionId, UserId};
use keyfob_protocol::Timestamp;

use crate::columns::{get, time};
use crate::engine::{Engine, Fault, Session};
use crate::ledger::{self, Columns};

pub(crate) async fn session(engine: &Engine, id: SessionId) -> Result<Option<BrowserSession>, Fault> {
    let row = engine
        .read_opt("SELECT user_id, authenticated_at, last_seen_at FROM sessions WHERE id = $1", &[&id.0.as_slice()])
        .await?;
    row.map(|row| {
        Ok(BrowserSession {
            id,
            user: UserId(get(&row, "user_id")?),
            authenticated_at: time(&row, "authenticated_at")?,
            last_seen_at: time(&row, "last_seen_at")?,
        })
    })
    .transpose()
}

static OPEN: LazyLock<String> = LazyLock::new(|| {
    format!(
        "WITH closed AS (DELETE FROM sessions WHERE id = $15::bytea), opened AS (\
         INSERT INTO sessions (id, user_id, authenticated_at, last_seen_at) VALUES ($11, $12, $13, $14)) {}",
        ledger::APPEND
    )
});

/// One statement, so that all of it stands or nothing. Sent once: the session's id is the caller's, and a second insert would fail.
pub(crate) async fn open(
    engine: &Engine,
    session: &BrowserSession,
    replaces: Option<SessionId>,
    entries: &[LedgerEntry],
) -> Result<(), Fault> {
    let recorded = Columns::of(entries);
    let id = session.id.0.as_slice();
    let (holder, authenticated_at, last_seen_at) = (session.user.0, session.authenticated_at.0, session.last_seen_at.0);
    let replaced = replaces.as_ref().map(|id| id.0.as_slice());
    let values = recorded.values(&[&id, &holder, &authenticated_at, &last_seen_at, &replaced]);
    engine.write_once(&OPEN, &values).await.map(drop)
}

pub(crate) async fn touch(engine: &Engine, id: SessionId, at: Timestamp) -> Result<(), Fault> {
    let id = id.0.as_slice();
    engine.write_again("UPDATE sessions SET last_seen_at = $2 WHERE id = $1", &[&id, &at.0]).await.map(drop)
}

static CLOSE: LazyLock<String> =
    LazyLock::new(|| format!("WITH closed AS (DELETE FROM sessions WHERE id = $11) {}", ledger::APPEND));

pub(crate) async fn close(engine: &Engine, id: SessionId, entries: &[LedgerEntry]) -> Result<(), Fault> {
    let recorded = Columns::of(entries);
    let id = id.0.as_slice();
    engine.write_once(&CLOSE, &recorded.values(&[&id])).await.map(drop)
}

pub(crate) async fn close_of_user(session: &Session, user: UserId) -> Result<(), Fault> {
    session.execute("DELETE FROM sessions WHERE user_id = $1", &[&user.0]).await.map(drop)
}

pub(crate) async fn close_of_account(session: &Session, account: AccountId) -> Result<(), Fault> {
    let sql = "DELETE FROM sessions WHERE user_id IN (SELECT id FROM users WHERE account = $1)";
    session.execute(sql, &[&account.0]).await.map(drop)
}
