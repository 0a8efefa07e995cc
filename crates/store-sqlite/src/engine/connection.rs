//! Opening a connection for one of the roles a file has: the writer, a reader, the checkpointer.
//!
//! Everything that must be the same for all of them (journal mode, durability, how long a lock is waited for) is
//! set here and nowhere else.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::Options;

/// How long a busy lock is waited for, in milliseconds; shared with the handler so that one connection can be patient
/// for a transaction and impatient for a checkpoint.
#[derive(Debug, Clone)]
pub(super) struct Patience(Arc<AtomicU32>);

impl Patience {
    pub(super) fn new(limit: Duration) -> Self {
        Self(Arc::new(AtomicU32::new(millis(limit))))
    }

    /// Changes the limit and returns the former one.
    pub(super) fn set(&self, limit: Duration) -> Duration {
        Duration::from_millis(self.0.swap(millis(limit), Ordering::Relaxed).into())
    }
}

fn millis(limit: Duration) -> u32 {
    u32::try_from(limit.as_millis()).unwrap_or(u32::MAX)
}

/// A connection that may write; `cache` is its page cache in KiB.
pub(super) fn open_writer(
    path: &Path,
    options: &Options,
    cache: u32,
    patience: &Patience,
) -> rusqlite::Result<Connection> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE, cache, patience)?;
    // Has no effect on a file that has pages.
    connection.pragma_update(None, "page_size", options.page_size)?;
    if !options.durable {
        connection.pragma_update(None, "synchronous", "OFF")?;
    }
    let mode = use_log(&connection, options.patience)?;
    if !mode.eq_ignore_ascii_case("wal") {
        // A file that cannot be written keeps the mode it had; say so now and not at the first write.
        return Err(rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_READONLY),
            Some(format!("the journal mode stays {mode}")),
        ));
    }
    Ok(connection)
}

/// Turns the log on. Two that open a new file at the same moment each hold what the other waits for; SQLite then says busy without
/// asking the handler.
fn use_log(connection: &Connection, patience: Duration) -> rusqlite::Result<String> {
    let step = Duration::from_millis(2);
    let mut waited = Duration::ZERO;
    loop {
        match connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)) {
            Err(error) if waited < patience && error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
                std::thread::sleep(step);
                waited += step;
            }
            outcome => return outcome,
        }
    }
}

/// A connection that cannot write. Its cache is emptied by every commit of the writer, so a larger one buys nothing.
pub(super) fn open_reader(path: &Path, cache: u32, patience: &Patience) -> rusqlite::Result<Connection> {
    // Opened for writing all the same: a read-only handle could not recover the log of a crashed predecessor.
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE, cache, patience)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

fn open(path: &Path, flags: OpenFlags, cache: u32, patience: &Patience) -> rusqlite::Result<Connection> {
    let mut connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    let limit = Arc::clone(&patience.0);
    let mut waited = Duration::ZERO;
    connection.busy_handler(Some(move |attempt: i32| {
        if attempt == 0 {
            waited = Duration::ZERO;
        }
        // Another process' transaction usually lasts one fsync. Short, growing steps join it sooner than SQLite's own
        // steps of up to 100 ms.
        let step = Duration::from_micros((100 + 50 * u64::from(attempt.unsigned_abs())).min(2_000));
        if waited >= Duration::from_millis(limit.load(Ordering::Relaxed).into()) {
            return false;
        }
        std::thread::sleep(step);
        waited += step;
        true
    }))?;
    connection.pragma_update(None, "cache_size", -i64::from(cache))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // Otherwise this build of SQLite (STAT4) compiles a statement anew whenever a value is bound to a compared column.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(128);
    Ok(connection)
}
