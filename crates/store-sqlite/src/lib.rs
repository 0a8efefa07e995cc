//! Keyfob's rows in SQLite, the embedded default.
//!
//! `engine` knows files, threads and transactions; the other modules know rows, one per table. There is no policy here
//! and no clock.

pub mod engine;
