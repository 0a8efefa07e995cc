//! Why a read or a write did not happen, sorted by what the caller can do about it.
//!
//! PostgreSQL has some three hundred error codes; a server has to tell apart "come back later", "an operator must act" and "we have a
//! bug", and a retry has to know whether the write may have been committed. The text of a fault never carries a value bound to a
//! statement, so it may be logged.

use std::error::Error as _;
use tokio_postgres::Error;
use tokio_postgres::error::{DbError, SqlState};

/// A read or write that did not happen. After any of these but [`Fault::Lost`] nothing of it was stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// More reads or writes wait than a queue may hold. Try again later.
    #[error("too many requests are waiting for the database")]
    Overloaded,
    /// There is no connection.
    #[error("the database cannot be reached: {0}")]
    Unreachable(String),
    /// The connection ended, or stayed silent, with work in flight: a write may have been committed.
    #[error("the connection to the database was lost: {0}")]
    Lost(String),
    /// Others wrote the same rows at the same time: a serialization failure or a deadlock. The same again may succeed at once.
    #[error("the database refused a write that met another one: {0}")]
    Contended(String),
    /// A statement, or a lock that it needed, took longer than we were ready to wait.
    #[error("the database took too long: {0}")]
    Slow(String),
    /// The database takes no writes: a replica, or set so by its operator.
    #[error("the database is read-only")]
    ReadOnly,
    /// The database ran out of disk, memory or connections.
    #[error("the database has no room: {0}")]
    Full(String),
    /// The database does not let us do this: password, rights, a database that does not exist.
    #[error("the database does not allow it: {0}")]
    Forbidden(String),
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// Something unique is taken. The rows' own modules make an answer of it.
    #[error("something unique is taken: {0}")]
    Taken(String),
    /// A statement of ours failed: a bug, or a value that the job should have refused.
    #[error("a statement failed: {0}")]
    Statement(String),
    /// A row holds what this build did not write.
    #[error("column {column} holds {value}")]
    Senseless {
        /// Which column.
        column: &'static str,
        /// What stands there.
        value: String,
    },
    /// A task of ours panicked. Its transaction was rolled back.
    #[error("a write panicked")]
    Panicked,
}

impl Fault {
    /// Whether the same request may well succeed later without anybody changing the program.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        !matches!(self, Self::Taken(_) | Self::Statement(_) | Self::Senseless { .. } | Self::Panicked)
    }

    /// Whether trying again at once is worth it.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(self, Self::Lost(_) | Self::Contended(_) | Self::ReadOnly)
    }

    /// Whether the connection that gave this fault is of no more use. A server that turned read-only is left, so that the next
    /// connection finds the one that takes writes.
    pub fn spoils_connection(&self) -> bool {
        matches!(self, Self::Lost(_) | Self::ReadOnly)
    }

    /// A failed attempt to connect.
    pub(crate) fn connecting(error: &Error) -> Self {
        match Self::from_ref(error) {
            fault @ (Self::Forbidden(_) | Self::Full(_)) => fault,
            _ => Self::Unreachable(told(error)),
        }
    }

    fn from_ref(error: &Error) -> Self {
        if let Some(refused) = error.as_db_error() {
            return Self::from_server(refused);
        }
        let lost = error.is_closed() || error.source().is_some_and(|source| source.is::<std::io::Error>());
        if lost { Self::Lost(told(error)) } else { Self::Statement(told(error)) }
    }

    fn from_server(refused: &DbError) -> Self {
        let code = refused.code();
        let text = format!("{} (SQLSTATE {})", refused.message(), code.code());
        match *code {
            SqlState::T_R_SERIALIZATION_FAILURE | SqlState::T_R_DEADLOCK_DETECTED => return Self::Contended(text),
            SqlState::LOCK_NOT_AVAILABLE | SqlState::QUERY_CANCELED => return Self::Slow(text),
            SqlState::READ_ONLY_SQL_TRANSACTION => return Self::ReadOnly,
            SqlState::UNIQUE_VIOLATION => return Self::Taken(text),
            SqlState::INSUFFICIENT_PRIVILEGE | SqlState::UNDEFINED_DATABASE => return Self::Forbidden(text),
            SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT => return Self::Lost(text),
            _ => {}
        }
        match code.code().get(..2) {
            Some("28" | "3D") => Self::Forbidden(text),
            Some("53") => Self::Full(text),
            // Operator intervention, connection exceptions, system errors, statements whose outcome is not known.
            Some("57" | "08" | "58" | "40") => Self::Lost(text),
            _ => Self::Statement(text),
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::from_ref(&error)
    }
}

/// An error with its causes. The client says little more than "db error" itself.
fn told(error: &Error) -> String {
    if let Some(refused) = error.as_db_error() {
        return format!("{} (SQLSTATE {})", refused.message(), refused.code().code());
    }
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
