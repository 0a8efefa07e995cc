//! The gate through its public door, with tokens signed here.

#![expect(clippy::unwrap_used, reason = "helpers of tests too; clippy exempts only the tests themselves")]

mod answers;
mod header;
mod issuer;
mod keys;
mod layer;
mod revocation;
mod tokens;
