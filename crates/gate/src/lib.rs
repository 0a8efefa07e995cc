//! The gate: Bearer tokens in front of an API, verified locally.

pub mod caller;

pub use caller::Caller;
