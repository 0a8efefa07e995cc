//! Brings a database file to the schema this build knows, one numbered migration after the other.
//!
//! Several processes may open a new file at the same moment: versions are read again under the write lock. A file of another
//! program, or of a newer Keyfob, is left as it is.

use rusqlite::{Connection, TransactionBehavior};

use crate::engine::Fault;

/// Numbered from 1 by place. Once released, a migration never changes.
const MIGRATIONS: [&str; 6] = [
    include_str!("migrations/0001_rows.sql"),
    include_str!("migrations/0002_rotation_and_feed.sql"),
    include_str!("migrations/0003_resources.sql"),
    include_str!("migrations/0004_hand_off.sql"),
    include_str!("migrations/0005_reports.sql"),
    include_str!("migrations/0006_followed.sql"),
];

/// "Keyf": stands in the file's header, so that no other program's database is taken for ours.
const APPLICATION_ID: i64 = 0x4b65_7966;

/// Why a file does not get our schema.
#[derive(Debug)]
pub(crate) enum Unsuitable {
    /// SQLite failed.
    Fault(Fault),
    /// It holds something else.
    Content(String),
}

impl From<rusqlite::Error> for Unsuitable {
    fn from(error: rusqlite::Error) -> Self {
        Self::Fault(error.into())
    }
}

/// Applies what is missing.
pub(crate) fn migrate(connection: &mut Connection) -> Result<(), Unsuitable> {
    if missing(connection)?.is_empty() {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let missing = missing(&transaction)?;
    if !missing.is_empty() {
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.execute_batch("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL) STRICT")?;
        for migration in missing {
            transaction.execute_batch(migration)?;
        }
        transaction.execute("DELETE FROM schema_version", [])?;
        transaction.execute("INSERT INTO schema_version (version) VALUES (?)", [MIGRATIONS.len().to_string()])?;
    }
    Ok(transaction.commit()?)
}

fn missing(connection: &Connection) -> Result<&'static [&'static str], Unsuitable> {
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables == 0 {
        return Ok(&MIGRATIONS);
    }
    let application: i64 = connection.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    if application != APPLICATION_ID {
        return Err(Unsuitable::Content("it is the database of another program".to_owned()));
    }
    let version: i64 =
        connection.query_row("SELECT coalesce(max(version), 0) FROM schema_version", [], |row| row.get(0))?;
    usize::try_from(version).ok().and_then(|version| MIGRATIONS.get(version..)).ok_or_else(|| {
        Unsuitable::Content(format!(
            "its schema has version {version} and this build knows versions up to {}; use a newer keyfob",
            MIGRATIONS.len()
        ))
    })
}
