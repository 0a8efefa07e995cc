//! Opening a store: SQLite in a data directory, or a PostgreSQL database. Only here is a store known by name.

use crate::config::{Config, StorePlace};
use crate::exit::Exit;
use keyfob_authority::moving::Rows;
use keyfob_authority::store::Store;
use keyfob_store_postgres::engine::Fault as PostgresFault;
use keyfob_store_postgres::{
    Address, OpenError as OpenPostgresError, Options as PostgresOptions, PostgresRows, PostgresStore,
};
use keyfob_store_sqlite::engine::Fault;
use keyfob_store_sqlite::{OpenError as OpenSqliteError, Options, SqliteStore};
use std::path::Path;
use std::sync::Arc;

/// Opens the store of a configuration.
pub(crate) async fn open(config: &Config) -> anyhow::Result<Arc<dyn Store>> {
    match &config.store {
        StorePlace::Data => Ok(open_sqlite(&config.database())?),
        StorePlace::Postgres(address) => open_postgres(Address::clone(address)).await,
    }
}

/// Opens the database of a data directory.
pub(crate) fn open_sqlite(database: &Path) -> anyhow::Result<Arc<SqliteStore>> {
    sqlite(database).map(Arc::new)
}

/// Opens the database of a data directory for a move.
pub(crate) fn sqlite_rows(database: &Path) -> anyhow::Result<Box<dyn Rows>> {
    Ok(Box::new(sqlite(database)?))
}

/// Connects to a database for a move.
pub(crate) async fn postgres_rows(address: &Address) -> anyhow::Result<Box<dyn Rows>> {
    Ok(Box::new(PostgresRows::open(Address::clone(address)).await.map_err(not_open)?))
}

fn sqlite(database: &Path) -> anyhow::Result<SqliteStore> {
    SqliteStore::open(database, &Options::default()).map_err(|error| {
        // What is in the file stays wrong; that it cannot be read or written may pass.
        let exit = match &error {
            OpenSqliteError::Content { .. } | OpenSqliteError::Database { source: Fault::Corrupt(_), .. } => {
                Exit::Refused
            }
            _ => Exit::Unavailable,
        };
        let hint = match exit {
            Exit::Unavailable => "; is the disk full or read-only, or the file another user's?",
            _ => "; nothing was changed",
        };
        exit.because(format!("the store cannot be opened: {error}{hint}"))
    })
}

async fn open_postgres(address: Address) -> anyhow::Result<Arc<dyn Store>> {
    let store = PostgresStore::open(address, &PostgresOptions::default()).await.map_err(not_open)?;
    // Seen by who serves; commands keep no log.
    if let Ok(replicas @ 1..) = store.lossy_replicas().await {
        tracing::warn!(
            replicas,
            "replicas copy this database, and no commit waits for one: should one of them take over, answered writes are lost; set \
             synchronous_standby_names"
        );
    }
    Ok(Arc::new(store))
}

/// Why a database cannot be opened, and what to do.
fn not_open(error: OpenPostgresError) -> anyhow::Error {
    let (exit, hint) = match &error {
        OpenPostgresError::Content { .. } => (Exit::Refused, "; nothing was changed"),
        OpenPostgresError::Database { source: PostgresFault::Forbidden(_), .. } => {
            (Exit::Refused, "; check user, password and database, and that the user may create tables there")
        }
        OpenPostgresError::Database { source: PostgresFault::ReadOnly, .. } => {
            (Exit::Unavailable, "; name the host that takes writes, or all hosts separated by commas")
        }
        OpenPostgresError::Database { .. } => {
            (Exit::Unavailable, "; is the server running, and can this machine reach it?")
        }
        _ => (Exit::Refused, ""),
    };
    exit.because(format!("the store cannot be opened: {error}{hint}"))
}
