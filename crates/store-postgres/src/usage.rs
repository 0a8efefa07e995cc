//! How apps use the endpoints: counts that are added up.

use keyfob_authority::model::{AppId, UsageCount, UsageKind};

use crate::columns::{get, named, time};
use crate::engine::{Engine, Fault};

/// Sent once: counts that were added twice would be a lie.
pub(crate) async fn count(engine: &Engine, counts: &[UsageCount]) -> Result<(), Fault> {
    if counts.is_empty() {
        return Ok(());
    }
    let app: Vec<i64> = counts.iter().map(|usage| usage.app.0).collect();
    let day: Vec<i64> = counts.iter().map(|usage| usage.day).collect();
    let what: Vec<&str> = counts.iter().map(|usage| usage.kind.name()).collect();
    let count: Vec<i64> = counts.iter().map(|usage| usage.count).collect();
    let first_at: Vec<i64> = counts.iter().map(|usage| usage.first_at.0).collect();
    let last_at: Vec<i64> = counts.iter().map(|usage| usage.last_at.0).collect();
    engine
        .write_once(
            "INSERT INTO app_usage AS u (app, day, what, count, first_at, last_at) \
             SELECT c.app, c.day, c.what, c.count, c.first_at, c.last_at \
             FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[]) WITH ORDINALITY \
             AS c(app, day, what, count, first_at, last_at, n) ORDER BY c.n \
             ON CONFLICT (app, day, what) DO UPDATE SET count = u.count + excluded.count, \
             first_at = least(u.first_at, excluded.first_at), last_at = greatest(u.last_at, excluded.last_at)",
            &[&app, &day, &what, &count, &first_at, &last_at],
        )
        .await
        .map(drop)
}

pub(crate) async fn list(engine: &Engine, app: Option<AppId>, since_day: i64) -> Result<Vec<UsageCount>, Fault> {
    let rows = engine
        .long(
            "SELECT app, day, what, count, first_at, last_at FROM app_usage \
             WHERE ($1::bigint IS NULL OR app = $1) AND day >= $2 ORDER BY app, day, what COLLATE \"C\"",
            &[&app.map(|app| app.0), &since_day],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(UsageCount {
                app: AppId(get(row, "app")?),
                day: get(row, "day")?,
                kind: named("app_usage.what", get(row, "what")?, UsageKind::ALL.iter().copied(), UsageKind::name)?,
                count: get(row, "count")?,
                first_at: time(row, "first_at")?,
                last_at: time(row, "last_at")?,
            })
        })
        .collect()
}
