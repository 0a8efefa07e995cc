//! The law of delegated access: the lifecycle of grants, policies, one file per use case, and the contract of its store.
//!
//! Decisions are plain functions of data and `now`. A refusal is a result and commits; a fault is an error and rolls back. No HTTP,
//! no SQL, no clock, no randomness: they are handed in.

pub mod keys;
pub mod law;
pub mod model;
pub mod store;
