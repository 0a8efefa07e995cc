//! Tickets that were used, until nothing that names them is good any more.

use keyfob_authority::store::TicketUse;
use rusqlite::{Connection, OptionalExtension as _, Result, params};

pub(crate) fn is_used(connection: &Connection, id: [u8; 32]) -> Result<bool> {
    let found = connection.prepare_cached("SELECT 1 FROM used_tickets WHERE id = ?")?.query_row([id], |_| Ok(()));
    Ok(found.optional()?.is_some())
}

/// Whether it was ours to use: the primary key lets one do so.
pub(crate) fn spend(connection: &Connection, ticket: TicketUse) -> Result<bool> {
    let rows = connection
        .prepare_cached("INSERT INTO used_tickets (id, until_time) VALUES (?,?) ON CONFLICT DO NOTHING")?
        .execute(params![ticket.id, ticket.until.0])?;
    Ok(rows == 1)
}
