//! The sandbox: what a partner develops against when there is no Follow Up Boss account at hand.
//!
//! [`seed`] makes the same accounts, users, apps and people at every start; [`api`] serves them as Follow Up Boss's API
//! would. Nothing here is for production: passwords and keys come from a number that anybody can guess.

pub mod api;
pub mod seed;
