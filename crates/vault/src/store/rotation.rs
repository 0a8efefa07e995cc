//! Changing keys while the vault is in use.
//!
//! The data key: a new one seals from now on, the rows follow in small steps, and the old one goes when no row needs it. The master
//! key: the data keys are sealed anew in one transaction, and no row is touched.

use keyfob_client::StoreUnavailable;
use thiserror::Error;

/// Rows in one step: short enough that a refresh that waits behind it does not notice.
pub(super) const STEP: usize = 64;

/// What one step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resealed {
    /// Rows that were sealed under the key of now.
    pub rows: usize,
    /// Old data keys that no row needs any more, and that are gone.
    pub retired: usize,
    /// Whether anything is left to do.
    pub finished: bool,
}

/// Why the master key stays what it is.
#[derive(Debug, Error)]
pub enum RotationError {
    /// Another process has put the vault under another key meanwhile.
    #[error("the vault is under another master key by now; open it with that one")]
    OtherMasterKey,
    /// The store failed; nothing was changed.
    #[error(transparent)]
    Store(#[from] StoreUnavailable),
}
