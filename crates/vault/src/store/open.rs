//! What keeps a vault from being opened, in words for its operator.

use super::data_keys::KeyError;
use thiserror::Error;

/// Why a vault cannot be used. It was left as it is.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The key is not the one that this vault is sealed under. The operator's error.
    #[error("this is not the master key of this vault; nothing was changed")]
    WrongMasterKey,
    /// Another program's, another kind of Keyfob's, or no database at all.
    #[error("this is not a vault: {0}; it was left as it is")]
    NotAVault(String),
    /// A newer Keyfob wrote it.
    #[error("this vault has schema version {found} and this program knows version {known}; use a newer keyfob")]
    Newer {
        /// The vault's version.
        found: i64,
        /// The newest that this build knows.
        known: i64,
    },
    /// It is a vault and cannot be read to the end.
    #[error("this vault is damaged: {0}; restore it from a backup")]
    Damaged(String),
    /// It cannot be opened, locked or written now.
    #[error("the vault cannot be used: {0}")]
    Unavailable(String),
    /// PostgreSQL cannot be reached or does not let us in, or holds something else.
    #[error(transparent)]
    Postgres(#[from] keyfob_postgres::OpenError),
}

impl From<KeyError> for OpenError {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Entropy(error) => OpenError::Unavailable(error.to_string()),
            KeyError::OtherMasterKey => OpenError::WrongMasterKey,
            KeyError::Missing(_) | KeyError::Sealed(_) => OpenError::Damaged(error.to_string()),
        }
    }
}
