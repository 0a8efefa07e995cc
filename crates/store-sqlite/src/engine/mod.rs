//! What lies beneath the rows: one writer with group commit, readers that never wait for it, a checkpointer.
//!
//! Knows files, threads and transactions, and nothing of what is stored. Takes no decision and reads no clock. Trusts
//! its jobs to be re-runnable: a job may run twice, but is committed once.

mod backup;
mod checkpoint;
mod connection;
mod fault;
mod queue;
mod readers;
mod sync_handle;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;

pub use fault::Fault;

use checkpoint::{Checkpointer, Limits, Pulse};
use connection::Patience;
use queue::{Closure, Queue};
use readers::Readers;
use sync_handle::SyncHandle;
use writer::Writer;

/// What can be set about the engine. The defaults are the measured ones.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Options {
    /// Connections for reading. More than the threads that read at the same time are of no use. Default 4.
    pub readers: usize,
    /// Most jobs waiting for the writer; one more is refused as [`Fault::Overloaded`]. Default 8192, a quarter of a second.
    pub queue: usize,
    /// Most jobs in one transaction. Default 1024, about 10 ms of work.
    pub largest_batch: usize,
    /// How long a lock of another process is waited for. Default 5 s.
    pub patience: Duration,
    /// Bytes in a page of a new file. Default 4096.
    pub page_size: u32,
    /// The writer's page cache in KiB. Default 16 MiB: the inner pages of a few million rows.
    pub writer_cache: u32,
    /// A reader's page cache in KiB. Default 256: every commit empties it.
    pub reader_cache: u32,
    /// Bytes of log that are waiting before they are copied into the database and synced. Default 128 KiB, one to two milliseconds.
    pub checkpoint_step: u64,
    /// Bytes of log after which it starts again from its beginning. Default 64 MiB.
    pub checkpoint_start: u64,
    /// Bytes of log from which on the writer is slowed down. Default 160 MiB.
    pub checkpoint_slow: u64,
    /// Bytes of log at which the writer is slowed down most. Default 240 MiB.
    pub checkpoint_cap: u64,
    /// Bytes the writer may copy by itself between two transactions. Default 4 MiB.
    pub checkpoint_rest: u64,
    /// Whether an answered write survives the loss of power. Only for data that dies with the process: `false`.
    pub(crate) durable: bool,
    /// Most pages of the database; writes beyond are refused as [`Fault::Full`]. Default: SQLite's own limit.
    pub max_pages: Option<u32>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            readers: 4,
            queue: 8192,
            largest_batch: 1024,
            patience: Duration::from_secs(5),
            page_size: 4096,
            writer_cache: 16 * 1024,
            reader_cache: 256,
            checkpoint_step: 128 << 10,
            checkpoint_start: 64 << 20,
            checkpoint_slow: 160 << 20,
            checkpoint_cap: 240 << 20,
            checkpoint_rest: 4 << 20,
            durable: true,
            max_pages: None,
        }
    }
}

/// Why a file could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The file or a handle on it could not be made.
    #[error("cannot open {}: {source}", path.display())]
    File {
        /// The database file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// SQLite does not take the file.
    #[error("cannot use {}: {source}", path.display())]
    Database {
        /// The database file.
        path: PathBuf,
        /// What is wrong with it.
        source: Fault,
    },
    /// The file holds something that this build does not know.
    #[error("cannot use {}: {problem}", path.display())]
    Content {
        /// The database file.
        path: PathBuf,
        /// What it holds, and what to do about it.
        problem: String,
    },
    /// A thread could not be started.
    #[error("cannot start a thread: {0}")]
    Thread(std::io::Error),
}

/// One open database file. Closed by [`Engine::close`] or when dropped.
pub struct Engine {
    path: PathBuf,
    queue: Arc<Queue>,
    pulse: Arc<Pulse>,
    patience: Patience,
    threads: Mutex<Vec<JoinHandle<()>>>,
    readers: Readers,
    long_readers: Readers,
    // Last: connections of this process must be closed before it.
    sync_handle: SyncHandle,
}

impl Engine {
    /// Opens the database file, creating it with mode 0600 if there is none, and starts the writer and the checkpointer.
    /// `prepare` runs first on the writer's connection, outside a transaction: migrations.
    ///
    /// # Errors
    /// The file cannot be created, opened or written, is no database, or `prepare` failed.
    pub fn open(
        path: &Path,
        options: &Options,
        prepare: impl FnOnce(&mut Connection) -> Result<(), OpenError>,
    ) -> Result<Self, OpenError> {
        let file = |source| OpenError::File { path: path.to_owned(), source };
        let database =
            |source: rusqlite::Error| OpenError::Database { path: path.to_owned(), source: Fault::from(source) };

        let sync_handle = SyncHandle::open(path).map_err(file)?;
        let patience = Patience::new(options.patience);
        let mut connection =
            connection::open_writer(path, options, options.writer_cache, &patience).map_err(database)?;
        let page_size: u32 = connection.pragma_query_value(None, "page_size", |row| row.get(0)).map_err(database)?;
        prepare(&mut connection)?;
        if let Some(pages) = options.max_pages {
            connection.pragma_update(None, "max_page_count", pages).map_err(database)?;
        }
        let readers = Readers::open(path, options.readers, options.reader_cache, &patience).map_err(database)?;
        let long_readers = Readers::open(path, 2, options.reader_cache, &patience).map_err(database)?;
        // The checkpointer neither queries nor caches.
        let copier = connection::open_writer(path, options, 64, &Patience::new(options.patience)).map_err(database)?;

        let pages = |bytes: u64| u32::try_from(bytes / u64::from(page_size)).unwrap_or(u32::MAX);
        let limits = Limits {
            step: pages(options.checkpoint_step),
            start: pages(options.checkpoint_start),
            rest: pages(options.checkpoint_rest),
            slow: pages(options.checkpoint_slow),
            cap: pages(options.checkpoint_cap),
        };
        let queue = Arc::new(Queue::new(options.queue));
        let pulse = Arc::new(Pulse::default());
        let writer = Writer {
            connection,
            queue: Arc::clone(&queue),
            pulse: Arc::clone(&pulse),
            patience: patience.clone(),
            limits,
            largest_batch: options.largest_batch.max(1),
        };
        let checkpointer = Checkpointer {
            connection: copier,
            database: sync_handle.share(),
            queue: Arc::clone(&queue),
            pulse: Arc::clone(&pulse),
            limits,
        };
        let engine = Self {
            path: path.to_owned(),
            queue,
            pulse,
            patience,
            threads: Mutex::default(),
            readers,
            long_readers,
            sync_handle,
        };
        engine.start("keyfob-writer", || writer.run())?;
        engine.start("keyfob-log", || checkpointer.run())?;
        // A predecessor may have left a log; have it looked at.
        engine.pulse.wake();
        Ok(engine)
    }

    fn start(&self, name: &str, body: impl FnOnce() + Send + 'static) -> Result<(), OpenError> {
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(body).map_err(OpenError::Thread)?;
        self.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        Ok(())
    }

    /// Runs `job` in a transaction it shares with others and returns its value once that is on the disk. A job must not
    /// begin or end a transaction, and may be run again if a neighbour's failure rolled it back. A job whose future is
    /// dropped is written all the same.
    ///
    /// # Errors
    /// Nothing of the job was stored. What it answered `Ok` is stored, whatever the value says.
    pub async fn write<T, F>(&self, job: F) -> Result<T, Fault>
    where
        F: FnMut(&Connection) -> rusqlite::Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let (job, answer) = Closure::new(job);
        self.queue.push(Box::new(job))?;
        answer.await.unwrap_or(Err(Fault::Closed))
    }

    /// Runs a short read on this thread. It sees every write that was answered before.
    ///
    /// # Errors
    /// The query failed, or the file cannot be read.
    pub fn read<T>(&self, query: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, Fault> {
        self.readers.read(query)
    }

    /// Like [`Engine::read`], for queries over many rows: they have connections of their own, so that short reads do not wait
    /// for them. Call it from a thread that may block.
    ///
    /// # Errors
    /// The query failed, or the file cannot be read.
    pub fn read_long<T>(&self, query: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, Fault> {
        self.long_readers.read(query)
    }

    /// How many jobs wait for the writer.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// How many transactions the writer has committed; each stands for one sync of the log.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.pulse.commits()
    }

    /// The database file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Copies the last committed state into the new file `target` (mode 0600) while reads and writes go on. Blocks the
    /// calling thread. The log is not restarted before the copy is complete, so it may grow meanwhile.
    ///
    /// # Errors
    /// `target` exists or cannot be written, or the database cannot be read. No partial file is left under its name.
    pub fn backup_to(&self, target: &Path) -> Result<(), Fault> {
        backup::copy(&self.path, target, &self.patience)
    }

    /// Answers what is in the queue, refuses what comes later, and stops the threads. Blocks the calling thread.
    pub fn close(&self) {
        self.queue.close();
        self.pulse.stop();
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            // A thread that panicked has said so.
            let _ = thread.join();
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.close();
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Engine")
            .field("path", &self.path)
            .field("sync_handle", &self.sync_handle)
            .finish_non_exhaustive()
    }
}
