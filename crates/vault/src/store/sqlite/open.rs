//! Opening a vault's file: ours, whole, and under the right master key, or a clear word why not. Nothing is changed before that
//! is known.

use crate::store::data_keys::{DataKeys, KeyError};
use crate::store::master_key::MasterKey;
use crate::store::open::OpenError;
use crate::store::vault_id;
use keyfob_protocol::{Entropy, Timestamp};
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

/// "Keyv": stands in the file's header, so that no other program's database is taken for ours.
const APPLICATION_ID: i64 = 0x4b65_7976;
/// Of the schema.
const VERSION: i64 = 2;
/// The first one whose vaults have an id.
const WITH_ID: i64 = 2;
/// How long a lock of another process is waited for. Its transactions last a sync or two.
const PATIENCE: Duration = Duration::from_secs(10);

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => OpenError::NotAVault("it is no SQLite database".to_owned()),
            Some(ErrorCode::DatabaseCorrupt) => OpenError::Damaged(error.to_string()),
            _ => OpenError::Unavailable(error.to_string()),
        }
    }
}

/// A vault that is ours and open.
pub(super) struct Open {
    pub(super) writer: Connection,
    pub(super) reader: Connection,
    /// Whether this opening has made it.
    pub(super) is_new: bool,
    pub(super) id: String,
}

/// Opens a vault, made new where there is none.
pub(super) fn open(path: &Path, keys: &DataKeys, now: Timestamp, entropy: &dyn Entropy) -> Result<Open, OpenError> {
    // SQLite gives its log the permissions of the database.
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path)
        .map_err(|error| OpenError::Unavailable(error.to_string()))?;
    let mut writer = connect(path)?;
    let mut is_new = false;
    if !is_vault(&writer)? {
        // Only now is it certain that the file is empty.
        writer.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
        let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if !is_vault(&transaction)? {
            transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
            transaction.execute_batch(include_str!("schema.sql"))?;
            let check = keys.master().check();
            let id = vault_id::fresh(entropy).map_err(KeyError::from)?;
            let insert = "INSERT INTO vault (one, version, key_check, id) VALUES (1, ?1, ?2, ?3)";
            transaction.execute(insert, (VERSION, check, id))?;
            keys.add(&transaction, now, entropy)?;
            is_new = true;
        }
        transaction.commit()?;
    }
    if judge(&writer, &keys.master())? < VERSION {
        update(&mut writer, entropy)?;
    }
    keys.current(&writer)?;
    let id = writer.query_row("SELECT id FROM vault", [], |row| row.get(0))?;
    let reader = connect(path)?;
    reader.pragma_update(None, "query_only", true)?;
    Ok(Open { writer, reader, is_new, id })
}

/// Brings a vault of an earlier version up to this one. Programs of that version that have it open go on.
fn update(writer: &mut Connection, entropy: &dyn Entropy) -> Result<(), OpenError> {
    let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have done it meanwhile.
    let version: i64 = transaction.query_row("SELECT version FROM vault", [], |row| row.get(0))?;
    if version < WITH_ID {
        transaction.execute_batch("ALTER TABLE vault ADD COLUMN id TEXT NOT NULL DEFAULT ''")?;
        let id = vault_id::fresh(entropy).map_err(KeyError::from)?;
        transaction.execute("UPDATE vault SET version = ?1, id = ?2", (WITH_ID, id))?;
    }
    Ok(transaction.commit()?)
}

fn connect(path: &Path) -> Result<Connection, OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(PATIENCE)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // What a rotation replaced or a removal removed is overwritten and not just unlinked.
    connection.pragma_update(None, "secure_delete", true)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// Whether it is a vault or an empty file; anything else is refused.
fn is_vault(connection: &Connection) -> Result<bool, OpenError> {
    let application: i64 = connection.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    match (application, tables) {
        (APPLICATION_ID, 1..) => Ok(true),
        (0, 0) => Ok(false),
        _ => Err(OpenError::NotAVault("it is the database of another program".to_owned())),
    }
}

/// Refuses what we do not know or cannot open; its version.
fn judge(connection: &Connection, master: &MasterKey) -> Result<i64, OpenError> {
    let (version, check): (i64, Vec<u8>) =
        connection.query_row("SELECT version, key_check FROM vault", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    if version > VERSION {
        return Err(OpenError::Newer { found: version, known: VERSION });
    }
    match check == master.check() {
        true => Ok(version),
        false => Err(OpenError::WrongMasterKey),
    }
}
