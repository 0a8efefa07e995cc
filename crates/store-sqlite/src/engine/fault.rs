//! Why a read or a write did not happen, sorted by what the caller can do about it.
//!
//! SQLite has some hundred result codes; a server has to tell apart "come back later", "an operator must act" and
//! "we have a bug". The text of a fault never carries a value bound to a statement, so it may be logged.

use rusqlite::{Error, ErrorCode};

/// A read or write that did not happen. After any of these nothing of the job was stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// More jobs wait than the queue may hold. Try again later.
    #[error("too many writes are waiting")]
    Overloaded,
    /// Another process held the database's write lock longer than we were ready to wait.
    #[error("another process keeps the database locked")]
    Locked,
    /// The disk (or the configured size limit) is full. Works again, without a restart, when there is space.
    #[error("no space left for the database")]
    Full,
    /// The file or its directory may not be written.
    #[error("the database is read-only")]
    ReadOnly,
    /// The operating system refused to read, write or sync.
    #[error("the database file cannot be read or written: {0}")]
    Io(String),
    /// The file is damaged or is no database.
    #[error("the database is damaged: {0}")]
    Corrupt(String),
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// A statement of ours failed: a bug, or a constraint that the job should have expected.
    #[error("a statement failed: {0}")]
    Statement(String),
    /// A job panicked. Its transaction was rolled back.
    #[error("a write panicked")]
    Panicked,
}

impl Fault {
    /// Whether the same request may well succeed later without anybody changing the program.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        !matches!(self, Self::Statement(_) | Self::Panicked)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let Error::SqliteFailure(code, _) = &error else {
            return Self::Statement(error.to_string());
        };
        match code.code {
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Self::Locked,
            ErrorCode::DiskFull => Self::Full,
            ErrorCode::ReadOnly | ErrorCode::PermissionDenied => Self::ReadOnly,
            ErrorCode::SystemIoFailure
            | ErrorCode::CannotOpen
            | ErrorCode::OutOfMemory
            | ErrorCode::FileLockingProtocolFailed
            | ErrorCode::NoLargeFileSupport => Self::Io(error.to_string()),
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Self::Corrupt(error.to_string()),
            _ => Self::Statement(error.to_string()),
        }
    }
}
