//! How apps use the endpoints: counts that are added up.

use keyfob_authority::model::{AppId, UsageCount, UsageKind};
use rusqlite::{Connection, Result, params};

use crate::columns::{named, time};

pub(crate) fn count(connection: &Connection, counts: &[UsageCount]) -> Result<()> {
    let mut add = connection.prepare_cached(
        "INSERT INTO app_usage (app, day, what, count, first_at, last_at) VALUES (?,?,?,?,?,?) \
         ON CONFLICT (app, day, what) DO UPDATE SET count = count + excluded.count, \
         first_at = min(first_at, excluded.first_at), last_at = max(last_at, excluded.last_at)",
    )?;
    counts.iter().try_for_each(|usage| {
        let UsageCount { app, day, kind, count, first_at, last_at } = usage;
        add.execute(params![app.0, day, kind.name(), count, first_at.0, last_at.0]).map(drop)
    })
}

pub(crate) fn list(connection: &Connection, app: Option<AppId>, since_day: i64) -> Result<Vec<UsageCount>> {
    connection
        .prepare_cached("SELECT * FROM app_usage WHERE (?1 IS NULL OR app = ?1) AND day >= ?2 ORDER BY app, day, what")?
        .query_map(params![app.map(|app| app.0), since_day], |row| {
            Ok(UsageCount {
                app: AppId(row.get("app")?),
                day: row.get("day")?,
                kind: named(row, "what", UsageKind::ALL.iter().copied(), UsageKind::name)?,
                count: row.get("count")?,
                first_at: time(row, "first_at")?,
                last_at: time(row, "last_at")?,
            })
        })?
        .collect()
}
