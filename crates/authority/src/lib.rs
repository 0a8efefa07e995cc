//! The law of delegated access: the lifecycle of grants, policies, one file per use case, and the contract of its store.
//!
//! Decisions are plain functions of data and `now` ([`law`]). A refusal is a result and commits; a fault is an error and rolls back.
//! No HTTP, no SQL, no clock, no randomness: they are handed in.

mod access_tokens;
mod administer;
mod app_cache;
mod authenticate;
pub mod authority;
pub mod authorize;
mod changes;
mod client_credentials;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod decide;
pub mod feed;
pub mod hand_off;
pub mod interaction;
pub mod keys;
pub mod law;
pub mod model;
pub mod moving;
pub mod open;
pub mod passwords;
mod redeem;
mod refresh;
pub mod register;
mod registered;
pub mod request;
pub mod resource_servers;
pub mod revoke;
pub mod revoke_token;
pub mod rotation;
pub mod secrets;
pub mod session;
pub mod sign_in;
pub mod store;
pub mod sweep;
pub mod token;
mod usage;

pub use app_cache::CachedApp;
pub use authority::{Authority, Decision, Fault, RevocationSink, Settings};
