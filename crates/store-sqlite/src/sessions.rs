//! Browser sessions, by the digest of their cookie.

use keyfob_authority::model::{AccountId, Session, SessionId, UserId};
use keyfob_protocol::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Result, params};

use crate::columns::time;

pub(crate) fn session(connection: &Connection, id: SessionId) -> Result<Option<Session>> {
    connection
        .prepare_cached("SELECT * FROM sessions WHERE id = ?")?
        .query_row([id.0], |row| {
            Ok(Session {
                id,
                user: UserId(row.get("user_id")?),
                authenticated_at: time(row, "authenticated_at")?,
                last_seen_at: time(row, "last_seen_at")?,
            })
        })
        .optional()
}

pub(crate) fn open(connection: &Connection, session: &Session, replaces: Option<SessionId>) -> Result<()> {
    if let Some(former) = replaces {
        close(connection, former)?;
    }
    connection
        .prepare_cached("INSERT INTO sessions (id, user_id, authenticated_at, last_seen_at) VALUES (?,?,?,?)")?
        .execute(params![session.id.0, session.user.0, session.authenticated_at.0, session.last_seen_at.0])
        .map(drop)
}

pub(crate) fn touch(connection: &Connection, id: SessionId, at: Timestamp) -> Result<()> {
    connection
        .prepare_cached("UPDATE sessions SET last_seen_at = ? WHERE id = ?")?
        .execute(params![at.0, id.0])
        .map(drop)
}

pub(crate) fn close(connection: &Connection, id: SessionId) -> Result<()> {
    connection.prepare_cached("DELETE FROM sessions WHERE id = ?")?.execute([id.0]).map(drop)
}

pub(crate) fn close_of_user(connection: &Connection, user: UserId) -> Result<()> {
    connection.prepare_cached("DELETE FROM sessions WHERE user_id = ?")?.execute([user.0]).map(drop)
}

pub(crate) fn close_of_account(connection: &Connection, account: AccountId) -> Result<()> {
    let sql = "DELETE FROM sessions WHERE user_id IN (SELECT id FROM users WHERE account = ?)";
    connection.prepare_cached(sql)?.execute([account.0]).map(drop)
}
