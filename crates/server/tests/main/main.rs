//! The authority through its public door. `token`: what apps send; `browser_side`: what people and their browsers send.

mod browser_side;
mod token;
