//! The tables of an authority.

use crate::engine::Schema;

/// Numbered from 1 by place, as in the SQLite store. Once released, a migration never changes.
const MIGRATIONS: [&str; 6] = [
    include_str!("migrations/0001_rows.sql"),
    include_str!("migrations/0002_rotation_and_feed.sql"),
    include_str!("migrations/0003_resources.sql"),
    include_str!("migrations/0004_hand_off.sql"),
    include_str!("migrations/0005_reports.sql"),
    include_str!("migrations/0006_followed.sql"),
];

/// "Keyfob" and a number, as the advisory lock of whoever migrates.
const LOCK: i64 = 0x4b65_7966_6f62_0001;

/// What a database needs to be an authority's.
pub(crate) const SCHEMA: Schema =
    Schema { migrations: &MIGRATIONS, lock: LOCK, marks: &[("store", "key_check"), ("grants", "parent_branch")] };
