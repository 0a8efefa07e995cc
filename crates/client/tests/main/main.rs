//! The client through its public door: what it sends, byte for byte, and what it does with every kind of answer.
#![expect(clippy::unwrap_used, reason = "a failed unwrap in a builder of a test is the test's failure")]

mod attempts;
mod calls;
mod decade;
mod discovery;
mod explain;
mod golden;
mod governor;
mod journal;
mod memory_store;
mod middleware;
mod refreshes;
mod revocation;
mod scripted;
mod table;
mod wire;
