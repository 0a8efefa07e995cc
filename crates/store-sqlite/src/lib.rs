//! Keyfob's rows in SQLite, the embedded default.
//!
//! [`engine`] knows files, threads and transactions; the other modules know rows, one per table or topic. There is no policy
//! here and no clock. Trusts the authority to have decided, and itself only to say whether a conditional write won.

mod administration;
mod apps;
mod columns;
pub mod engine;
mod grants;
mod holders;
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
mod whole_rows;

pub use engine::{OpenError, Options};
pub use store::SqliteStore;
