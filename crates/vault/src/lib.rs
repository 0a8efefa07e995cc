//! The vault keeps the connections of a partner's users: sealed on disk, refreshed once, alive for years.
//!
//! What is at stake: a refresh token is a standing permission to act as a user. Whoever copies the database, a backup or a disk gets nothing
//! without the master key, which is never in it. Whoever has the master key and the database has everything.

pub mod import;
pub mod store;
