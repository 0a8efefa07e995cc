//! Removing what is over, in small steps. What counts as over is handed in.

use keyfob_authority::store::{SweepCutoffs, Swept};
use keyfob_protocol::Timestamp;
use keyfob_protocol::token_name::GrantId;

use crate::columns::{at, bytes};
use crate::engine::{Engine, Fault};

pub(crate) async fn grants(
    engine: &Engine,
    after: Option<GrantId>,
    limit: u32,
    cutoffs: SweepCutoffs,
) -> Result<Swept, Fault> {
    // Nothing comes before every id, and no id comes after the last bytes of their length.
    let after: &[u8] = after.as_ref().map_or(&[], |id| &id.0);
    let last = engine
        .long(
            "SELECT id FROM grants WHERE id > $1 ORDER BY id LIMIT 1 OFFSET $2",
            &[&after, &i64::from(limit.max(1) - 1)],
        )
        .await?;
    let last = last.first().map(|row| bytes::<16>("grants.id", at(row, 0)?)).transpose()?;
    let end = last.unwrap_or([0xff; 16]);
    let (unredeemed, idle, ended) = (cutoffs.unredeemed_before.0, cutoffs.idle_before.0, cutoffs.ended_before.0);
    // A row that changed since it was found is judged again as it is now.
    let removed = engine
        .long(
            "WITH removed AS (DELETE FROM grants WHERE id > $1 AND id <= $2 AND CASE stage \
             WHEN 0 THEN code_expires_at < $3 WHEN 1 THEN last_used_at < $4 WHEN 2 THEN ended_at < $5 ELSE false END \
             RETURNING 1) SELECT count(*) FROM removed",
            &[&after, &end.as_slice(), &unredeemed, &idle, &ended],
        )
        .await?;
    let removed: i64 = removed.first().map_or(Ok(0), |row| at(row, 0))?;
    Ok(Swept { removed: removed.unsigned_abs(), next: last.map(GrantId) })
}

pub(crate) async fn rest(
    engine: &Engine,
    sessions_before: Timestamp,
    revocations_before: Timestamp,
    ledger_before: Timestamp,
    limit: u32,
) -> Result<u64, Fault> {
    // Entries of the ledger lie in the order of their times, so there is no index on the time.
    let steps = [
        (
            sessions_before,
            "WITH removed AS (DELETE FROM sessions WHERE id IN \
             (SELECT id FROM sessions WHERE last_seen_at < $1 ORDER BY last_seen_at LIMIT $2) AND last_seen_at < $1 \
             RETURNING 1) SELECT count(*) FROM removed",
        ),
        (
            revocations_before,
            "WITH removed AS (DELETE FROM revocations WHERE number IN \
             (SELECT number FROM revocations WHERE until_time < $1 ORDER BY until_time LIMIT $2) \
             RETURNING 1) SELECT count(*) FROM removed",
        ),
        (
            revocations_before,
            "WITH removed AS (DELETE FROM used_tickets WHERE id IN \
             (SELECT id FROM used_tickets WHERE until_time < $1 ORDER BY until_time LIMIT $2) \
             RETURNING 1) SELECT count(*) FROM removed",
        ),
        (
            ledger_before,
            "WITH removed AS (DELETE FROM ledger WHERE id IN (SELECT id FROM ledger ORDER BY id LIMIT $2) AND at < $1 \
             RETURNING 1) SELECT count(*) FROM removed",
        ),
        // The same of what apps did: counts of a later day come later.
        (
            ledger_before,
            "WITH removed AS (DELETE FROM app_usage WHERE id IN (SELECT id FROM app_usage ORDER BY id LIMIT $2) \
             AND last_at < $1 RETURNING 1) SELECT count(*) FROM removed",
        ),
    ];
    let mut removed = 0;
    for (before, sql) in steps {
        let rows = engine.long(sql, &[&before.0, &i64::from(limit)]).await?;
        removed += rows.first().map_or(Ok(0), |row| at::<i64>(row, 0))?.unsigned_abs();
    }
    Ok(removed)
}
