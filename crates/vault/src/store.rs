//! Where connections lie, sealed.
//!
//! [`SqliteTokenStore`] is the embedded one and [`PostgresTokenStore`] the one for several nodes. Both pass the same suite,
//! `keyfob_client::conformance`, and seal the same rows.

mod change;
mod contract;
mod data_keys;
mod master_key;
mod open;
mod postgres;
mod rotation;
mod row;
mod seal;
mod sqlite;
mod vault_id;

pub use contract::{REMOVED, SWEPT_AT_ONCE, StoredEvent, TakenAttempt, VaultStore};
pub use master_key::MasterKey;
pub use open::OpenError;
pub use postgres::PostgresTokenStore;
pub use rotation::{Resealed, RotationError};
pub use sqlite::SqliteTokenStore;
