//! The partner's command line against a sandbox: connect, call, refresh, give back; and whatever goes wrong on the way.
//!
//! `sandbox` and `desk` are the actors, `between` stands on the wire.

mod between;
mod desk;
pub(super) mod sandbox;

mod callbacks;
mod crashes;
mod discovery;
mod files;
mod readme;
mod returns;
mod tour;
