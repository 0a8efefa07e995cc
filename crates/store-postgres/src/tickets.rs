//! Tickets that were used, until nothing that names them is good any more.

use std::sync::LazyLock;

use keyfob_authority::model::LedgerEntry;
use keyfob_authority::store::{NewSession, TicketUse, Written};

use tokio_postgres::types::ToSql;

use crate::engine::{Engine, Fault};
use crate::ledger::{self, Columns};

pub(crate) async fn is_used(engine: &Engine, id: [u8; 32]) -> Result<bool, Fault> {
    let found = engine.read_opt("SELECT 1 FROM used_tickets WHERE id = $1", &[&id.as_slice()]).await?;
    Ok(found.is_some())
}

/// Whoever inserts the ticket has used it; a second one waits for the first one's commit and then finds nothing inserted, so that the rest
/// does nothing either.
static SPEND: LazyLock<String> = LazyLock::new(|| {
    format!(
        "WITH spent AS (\
         INSERT INTO used_tickets (id, until_time) VALUES ($11::bytea, $12::bigint) ON CONFLICT DO NOTHING RETURNING 1), \
         closed AS (DELETE FROM sessions WHERE id = $17::bytea AND EXISTS (SELECT 1 FROM spent)), \
         opened AS (INSERT INTO sessions (id, user_id, authenticated_at, last_seen_at) \
         SELECT $13::bytea, $14::bigint, $15::bigint, $16::bigint \
         WHERE $13::bytea IS NOT NULL AND EXISTS (SELECT 1 FROM spent)), \
         recorded AS ({}) SELECT 1 FROM spent",
        ledger::APPEND_IF_SPENT
    )
});

/// One statement, so that all of it stands or nothing. Sent once: a second one would take the first one's work for somebody else's.
pub(crate) async fn spend(
    engine: &Engine,
    ticket: TicketUse,
    opens: Option<&NewSession>,
    entries: &[LedgerEntry],
) -> Result<Written, Fault> {
    let recorded = Columns::of(entries);
    let (ticket_id, until) = (ticket.id.as_slice(), ticket.until.0);
    let session = opens.map(|opens| &opens.session);
    let id = session.map(|session| session.id.0.as_slice());
    let holder = session.map(|session| session.user.0);
    let authenticated_at = session.map(|session| session.authenticated_at.0);
    let last_seen_at = session.map(|session| session.last_seen_at.0);
    let replaced = opens.and_then(|opens| opens.replaces.as_ref()).map(|id| id.0.as_slice());
    let behind: [&(dyn ToSql + Sync); 7] =
        [&ticket_id, &until, &id, &holder, &authenticated_at, &last_seen_at, &replaced];
    let spent = engine.write_once(&SPEND, &recorded.values(&behind)).await?;
    Ok(if spent.is_empty() { Written::Lost } else { Written::Won })
}
