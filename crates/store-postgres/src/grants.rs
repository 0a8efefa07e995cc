//! Grants: one row each. All that is decided here is whether a conditional write won.
//!
//! [`row`] is the row, both ways; [`batch`] is the write and [`held`] the read, each of many at once.

/// The columns in the order in which [`row`] takes them. By place, because looking a column up by its name costs more than reading it.
macro_rules! columns {
    () => {
        "g.id, g.app, g.user_id, g.root_key, g.salt, g.dialect, g.scope, g.created_at, g.stage, g.generation, g.branch, \
         g.parent_branch, g.rotated_at, g.last_used_at, g.code_expires_at, g.code_challenge, g.code_binding, g.request_digest, \
         g.redirect_uri, g.state_digest, g.end_reason, g.ended_at, g.resources"
    };
}

pub(crate) mod batch;
pub(crate) mod held;
mod row;

use keyfob_authority::model::{Grant, Stage};
use keyfob_authority::store::GrantFilter;

use crate::engine::{Engine, Fault};

macro_rules! select {
    ($place:literal) => {
        concat!("SELECT ", columns!(), " FROM grants g WHERE ", $place, " AND g.stage < $3 ORDER BY g.id DESC LIMIT $4")
    };
}

pub(crate) async fn list(engine: &Engine, filter: GrantFilter, limit: u32) -> Result<Vec<Grant>, Fault> {
    // A text, and so a plan, of its own for each index.
    let sql = match (filter.user, filter.app) {
        (Some(_), Some(_)) => select!("g.user_id = $1::bigint AND g.app = $2::bigint"),
        (Some(_), None) => select!("g.user_id = $1::bigint AND $2::bigint IS NULL"),
        (None, Some(_)) => select!("$1::bigint IS NULL AND g.app = $2::bigint"),
        (None, None) => select!("$1::bigint IS NULL AND $2::bigint IS NULL"),
    };
    let (user, app) = (filter.user.map(|user| user.0), filter.app.map(|app| app.0));
    let ended = if filter.live { Stage::Ended as i64 } else { i64::MAX };
    let rows = engine.long(sql, &[&user, &app, &ended, &i64::from(limit)]).await?;
    rows.iter().map(row::read).collect()
}
