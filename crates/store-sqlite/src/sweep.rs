//! Removing what is over, in small steps. What counts as over is handed in.

use keyfob_authority::store::{SweepCutoffs, Swept};
use keyfob_protocol::Timestamp;
use keyfob_protocol::token_name::GrantId;
use rusqlite::{Connection, OptionalExtension as _, Result, params};

/// Both ends are plain comparisons: with a condition around one of them SQLite would look at every grant from there on.
const REMOVE: &str = "DELETE FROM grants WHERE id > ?1 AND id <= ?2 AND CASE stage \
     WHEN 0 THEN code_expires_at < ?3 WHEN 1 THEN last_used_at < ?4 WHEN 2 THEN ended_at < ?5 ELSE 0 END";

pub(crate) fn grants(
    connection: &Connection,
    after: Option<GrantId>,
    limit: u32,
    cutoffs: SweepCutoffs,
) -> Result<Swept> {
    // The empty blob comes before every id.
    let after = after.map_or(Vec::new(), |id| id.0.to_vec());
    let last: Option<[u8; 16]> = connection
        .prepare_cached("SELECT id FROM grants WHERE id > ? ORDER BY id LIMIT 1 OFFSET ?")?
        .query_row(params![after, limit.max(1) - 1], |row| row.get(0))
        .optional()?;
    let removed = connection
        .prepare_cached(REMOVE)?
        // No id comes after the last blob of their length.
        .execute(params![
            after,
            last.unwrap_or([0xff; 16]),
            cutoffs.unredeemed_before.0,
            cutoffs.idle_before.0,
            cutoffs.ended_before.0
        ])?;
    Ok(Swept { removed: removed as u64, next: last.map(GrantId) })
}

pub(crate) fn rest(
    connection: &Connection,
    sessions_before: Timestamp,
    revocations_before: Timestamp,
    ledger_before: Timestamp,
    limit: u32,
) -> Result<u64> {
    let sessions = connection
        .prepare_cached(
            "DELETE FROM sessions WHERE id IN \
             (SELECT id FROM sessions WHERE last_seen_at < ? ORDER BY last_seen_at LIMIT ?)",
        )?
        .execute(params![sessions_before.0, limit])?;
    let revocations = connection
        .prepare_cached(
            "DELETE FROM revocations WHERE number IN \
             (SELECT number FROM revocations WHERE until_time < ? ORDER BY until_time LIMIT ?)",
        )?
        .execute(params![revocations_before.0, limit])?;
    let tickets = connection
        .prepare_cached(
            "DELETE FROM used_tickets WHERE id IN \
             (SELECT id FROM used_tickets WHERE until_time < ? ORDER BY until_time LIMIT ?)",
        )?
        .execute(params![revocations_before.0, limit])?;
    // Entries lie in the order of their times, so there is no index on the time.
    let ledger = connection
        .prepare_cached("DELETE FROM ledger WHERE id IN (SELECT id FROM ledger ORDER BY id LIMIT ?2) AND at < ?1")?
        .execute(params![ledger_before.0, limit])?;
    // The same of what apps did: counts of a later day come later.
    let usage = connection
        .prepare_cached(
            "DELETE FROM app_usage WHERE id IN (SELECT id FROM app_usage ORDER BY id LIMIT ?2) AND last_at < ?1",
        )?
        .execute(params![ledger_before.0, limit])?;
    Ok((sessions + revocations + tickets + ledger + usage) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_looks_at_no_grant_outside_its_range() {
        let mut connection = Connection::open_in_memory().expect("memory");
        crate::schema::migrate(&mut connection).expect("a new file");
        let mut plan = connection.prepare(&format!("EXPLAIN QUERY PLAN {REMOVE}")).expect("valid");
        let plan: Vec<String> = plan
            .query_map(params![[0u8; 16], [1u8; 16], 0, 0, 0], |row| row.get(3))
            .expect("a plan")
            .collect::<Result<_>>()
            .expect("text");
        assert!(plan[0].contains("(id>? AND id<?)"), "{plan:?}");
    }
}
