//! The pages through their public door: what a browser would read.

mod escaping;
mod forms;
mod policy;
mod reading;
