//! The gate through its public door, with tokens signed here.

mod answers;
mod header;
#[cfg(test)]
mod issuer;
mod keys;
mod layer;
mod revocation;
mod tokens;
