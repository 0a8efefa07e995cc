//! What lies beneath rows in PostgreSQL, whoever's they are: connections that come back, retries, lanes of batched writes, schemas.
//!
//! Knows connections and statements, and nothing of what is stored. Takes no decision and reads no clock. Whether a statement may be sent
//! again after its answer was lost is its caller's to say. The authority's store and the vault's stand on it and know nothing of each
//! other.

mod address;
mod fault;
mod lane;
mod link;
mod news;
mod patience;
mod schema;
mod session;
mod tls;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio_postgres::Row;

pub use address::Address;
pub use fault::Fault;
pub use lane::{Lane, Work};
pub use link::Dialer;
pub use news::News;
pub use patience::Patience;
pub use schema::Schema;
pub use session::{LONGEST, Session, Values};

use link::Link;
use session::Purpose;

/// What can be set about the engine.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Options {
    /// Connections for single reads. Shared by all tasks. Default 2.
    pub readers: usize,
    /// Connections for single writes. Each commits one after the other. Default 2.
    pub writers: usize,
    /// Lanes that write in batches, and as many that read so where a store does, one connection each. More than the database has idle
    /// cores are of no use. Default 2.
    pub lanes: usize,
    /// Most jobs waiting in one lane; one more is refused as [`Fault::Overloaded`]. Default 8192, less than a second.
    pub queue: usize,
    /// Most jobs in one batch. Default 256: larger ones gain little and make the first wait for the last.
    pub largest_batch: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { readers: 2, writers: 2, lanes: 2, queue: 8192, largest_batch: 256 }
    }
}

/// Why a database could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The address makes no sense.
    #[error("the address of the database cannot be used: {0}")]
    Address(String),
    /// TLS cannot be spoken as the address wants it.
    #[error("TLS to the database cannot start: {0}")]
    Tls(String),
    /// The database refuses, or does not answer.
    #[error("cannot open {address}: {source}")]
    Database {
        /// Where, without the password.
        address: String,
        /// What it said.
        source: Fault,
    },
    /// The database holds something that this build does not know.
    #[error("cannot use {address}: {problem}")]
    Content {
        /// Where, without the password.
        address: String,
        /// What it holds, and what to do about it.
        problem: String,
    },
}

/// The connections of one node to its database, without the lanes.
pub struct Engine {
    readers: Links,
    writers: Links,
    long: Links,
    desk: Desk,
    news: News,
    closed: AtomicBool,
}

/// Several connections for the same purpose, taken in turn.
struct Links {
    links: Vec<Link>,
    next: AtomicUsize,
}

/// A connection that one transaction has for itself.
struct Desk {
    link: Arc<Link>,
    turn: Arc<Mutex<()>>,
}

/// A session within a transaction that began. Without [`Transaction::commit`] it is rolled back.
pub struct Transaction {
    session: Arc<Session>,
    open: bool,
    _turn: OwnedMutexGuard<()>,
}

impl Engine {
    /// Connects in the background.
    pub fn start(dialer: &Dialer, options: &Options) -> Self {
        let links = |count: usize| Links {
            links: (0..count.max(1)).map(|_| Link::start(dialer.clone(), Purpose::General)).collect(),
            next: AtomicUsize::new(0),
        };
        let desk = Desk { link: Arc::new(Link::start(dialer.clone(), Purpose::General)), turn: Arc::default() };
        Self {
            readers: links(options.readers),
            writers: links(options.writers),
            long: links(1),
            desk,
            news: News::start(dialer.clone()),
            closed: AtomicBool::new(false),
        }
    }

    /// A read.
    pub async fn read(&self, sql: &'static str, values: &Values<'_>) -> Result<Vec<Row>, Fault> {
        self.repeat(&self.readers, true, sql, values).await
    }

    /// A read of one row or none.
    pub async fn read_opt(&self, sql: &'static str, values: &Values<'_>) -> Result<Option<Row>, Fault> {
        Ok(self.read(sql, values).await?.pop())
    }

    /// Like [`Engine::read`], for statements that may look at many rows, sweeping included: they have a connection of their own, so that short
    /// ones do not wait for them. Twice must be as good as once.
    pub async fn long(&self, sql: &'static str, values: &Values<'_>) -> Result<Vec<Row>, Fault> {
        self.repeat(&self.long, true, sql, values).await
    }

    /// A write that may be sent again when its answer was lost: twice is as good as once.
    pub async fn write_again(&self, sql: &'static str, values: &Values<'_>) -> Result<Vec<Row>, Fault> {
        self.repeat(&self.writers, true, sql, values).await
    }

    /// A write that must not be sent again once it may have been committed.
    pub async fn write_once(&self, sql: &'static str, values: &Values<'_>) -> Result<Vec<Row>, Fault> {
        self.repeat(&self.writers, false, sql, values).await
    }

    async fn repeat(
        &self,
        links: &Links,
        also_when_lost: bool,
        sql: &'static str,
        values: &Values<'_>,
    ) -> Result<Vec<Row>, Fault> {
        let mut patience = Patience::new();
        loop {
            if self.closed.load(Ordering::Relaxed) {
                return Err(Fault::Closed);
            }
            let session = links.session().await?;
            match session.query(sql, values).await {
                Err(Fault::Lost(why)) if !also_when_lost => return Err(Fault::Lost(why)),
                Err(fault) => patience.after(fault).await?,
                Ok(rows) => return Ok(rows),
            }
        }
    }

    /// Begins a transaction on a connection of its own. Call it from a task that nobody drops, so that it is ended.
    pub async fn begin(&self) -> Result<Transaction, Fault> {
        if self.closed.load(Ordering::Relaxed) {
            return Err(Fault::Closed);
        }
        let turn = Arc::clone(&self.desk.turn).lock_owned().await;
        let session = self.desk.link.session().await?;
        session.run("BEGIN").await?;
        Ok(Transaction { session, open: true, _turn: turn })
    }

    /// What nodes tell each other.
    pub fn news(&self) -> &News {
        &self.news
    }

    /// Ends all connections.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        let links = self.readers.links.iter().chain(&self.writers.links).chain(&self.long.links);
        links.chain([&*self.desk.link]).for_each(Link::close);
        self.news.close();
    }
}

impl Links {
    /// The next connection that is up, or why none is.
    async fn session(&self) -> Result<Arc<Session>, Fault> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let mut outcome = Err(Fault::Closed);
        for place in 0..self.links.len() {
            outcome = self.links[turn.wrapping_add(place) % self.links.len()].session().await;
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }
}

impl Transaction {
    /// The connection that the transaction is on.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Commits.
    ///
    /// # Errors
    /// [`Fault`]; [`Fault::Lost`] means that nobody knows whether it did.
    pub async fn commit(mut self) -> Result<(), Fault> {
        self.session.run("COMMIT").await?;
        self.open = false;
        Ok(())
    }

    /// Rolls back.
    pub async fn roll_back(mut self) -> Result<(), Fault> {
        self.session.run("ROLLBACK").await?;
        self.open = false;
        Ok(())
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if self.open {
            // The server rolls back what its client leaves.
            self.session.discard();
        }
    }
}
