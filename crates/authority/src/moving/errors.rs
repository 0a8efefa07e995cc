//! Why a move did not happen. After any of these the source still serves, or is marked as moved with the target unfinished; never both
//! serve.

use crate::open::OpenError;
use crate::store::StoreError;
use std::fmt;
use thiserror::Error;

/// Which store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Where the rows are.
    Source,
    /// Where they go.
    Target,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Side::Source => "source",
            Side::Target => "target",
        })
    }
}

/// Why a move did not happen.
#[derive(Debug, Error)]
pub enum MoveError {
    /// A store failed.
    #[error("the {side} failed: {error}")]
    Store {
        /// Which.
        side: Side,
        /// How.
        #[source]
        error: StoreError,
    },
    /// The source is not this configuration's.
    #[error("the source: {0}")]
    NotOurs(#[from] OpenError),
    /// Nobody has begun the source.
    #[error("the source holds no authority: there is nothing to move")]
    Empty,
    /// The source is the target of another move.
    #[error("the source is itself the target of a move that was not finished; finish that one first")]
    Unfinished,
    /// The source was moved before.
    #[error("the source was moved to {0} already; nothing is left to move")]
    MovedElsewhere(String),
    /// The target is somebody's.
    #[error(
        "the target is in use already ({0}); a move needs a new one: an empty database, a schema of its own, or a new directory"
    )]
    Taken(String),
    /// The target is the unfinished target of another source.
    #[error(
        "the target is the unfinished target of a move from another authority ({0}), or one under another master key; name a new one"
    )]
    OfAnother(String),
    /// The target is nobody's and yet holds rows.
    #[error("the target belongs to nobody and yet holds rows in the table {0}; name a new one")]
    NotEmpty(&'static str),
    /// Somebody wrote to a store that nobody should have written to.
    #[error("somebody wrote to the {0} during the move; nothing was switched over, run the same command again")]
    Changed(Side),
    /// What arrived is not what left.
    #[error(
        "verification failed: {table} has {source_rows} rows in the source and {target_rows} in the target{}; nothing was switched over, \
         run the same command again and it starts over", if source_rows == target_rows { ", but not with the same content" } else { "" }
    )]
    Differs {
        /// The first table that does.
        table: &'static str,
        /// Rows that left.
        source_rows: u64,
        /// Rows that arrived.
        target_rows: u64,
    },
}
