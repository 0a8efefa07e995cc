//! Where connections lie, sealed.
//!
//! [`SqliteTokenStore`] is the embedded one. A store for several machines has its place beside it and passes the same suite,
//! `keyfob_client::conformance`.

mod data_keys;
mod engine;
mod master_key;
mod open;
mod rotation;
mod row;
mod seal;
mod sqlite;

pub use master_key::{MasterKey, MasterKeyError};
pub use open::OpenError;
pub use rotation::{Resealed, RotationError};
pub use sqlite::{SqliteTokenStore, StoredEvent};
