//! Keyfob's rows in PostgreSQL, for many equal nodes.
//!
//! [`engine`] knows connections, retries and batches; the other modules know rows, one per table or topic, under the names that the
//! SQLite store gives them. There is no policy here and no clock. Trusts the authority to have decided, and itself only to say whether
//! a conditional write won. Plain SQL without extensions, so that managed and compatible engines serve it.

mod administration;
mod apps;
mod columns;
mod grants;
mod keys;
mod ledger;
mod moving;
mod people;
mod resource_servers;
mod revocations;
mod schema;
mod sessions;
mod settings;
mod store;
mod sweep;
mod tickets;
mod usage;

/// Connections, retries and batches.
pub use keyfob_postgres as engine;
pub use keyfob_postgres::{Address, OpenError, Options};
pub use moving::PostgresRows;
pub use store::PostgresStore;
