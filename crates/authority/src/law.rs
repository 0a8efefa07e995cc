//! What may happen: plain functions of data and `now`. No store, no clock, no randomness, no wire.

pub mod authorize;
pub mod holder;
pub mod redeem;
pub mod refresh;
pub mod target;
