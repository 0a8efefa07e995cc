//! The gate through its public door, with tokens signed here.

#![expect(clippy::unwrap_used, reason = "helpers of tests too; clippy exempts only the tests themselves")]

mod announced;
mod answers;
mod asked;
mod follow;
mod forward_auth;
mod header;
mod issuer;
mod keys;
mod layer;
mod metrics;
mod proxy;
mod revocation;
mod scripted;
mod tokens;
