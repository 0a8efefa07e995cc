//! A few read-only connections for short reads on the caller's own thread.
//!
//! A point read takes some microseconds, less than handing it to another thread would. It sees the last commit and never
//! waits for the writer; it waits for another reader only when all connections are in use.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError, TryLockError};

use rusqlite::Connection;

use super::connection::{Patience, open_reader};
use super::fault::Fault;

pub(super) struct Readers {
    connections: Vec<Mutex<Connection>>,
    next: AtomicUsize,
}

impl Readers {
    pub(super) fn open(path: &Path, count: usize, cache: u32, patience: &Patience) -> rusqlite::Result<Self> {
        let connections = (0..count.max(1))
            .map(|_| open_reader(path, cache, patience).map(Mutex::new))
            .collect::<rusqlite::Result<_>>()?;
        Ok(Self { connections, next: AtomicUsize::new(0) })
    }

    /// Runs `query` on a free connection.
    pub(super) fn read<T>(&self, query: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, Fault> {
        for connection in &self.connections {
            match connection.try_lock() {
                Ok(connection) => return query(&connection).map_err(Fault::from),
                // A query that panicked has dropped its statement; the connection is as good as before.
                Err(TryLockError::Poisoned(poisoned)) => return query(&poisoned.into_inner()).map_err(Fault::from),
                Err(TryLockError::WouldBlock) => {}
            }
        }
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % self.connections.len();
        let connection = self.connections[turn].lock().unwrap_or_else(PoisonError::into_inner);
        query(&connection).map_err(Fault::from)
    }
}
