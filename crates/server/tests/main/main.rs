//! The authority through its public door. `token`: what apps send; `browser_side`: what people and their browsers send;
//! `model`: everything at random.

mod browser_side;
mod model;
mod token;
