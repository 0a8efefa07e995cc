//! The vault through its public door: what its files hold, what it refuses, and what it survives.
#![expect(clippy::unwrap_used, reason = "a failed unwrap in a builder of a test is the test's failure")]

mod authority;
mod child;
mod crash;
mod import;
mod place;
mod postgres_lost_answers;
mod postgres_sealed;
mod postgres_store;
mod sealed;
mod sqlite_store;
mod vault_store;
