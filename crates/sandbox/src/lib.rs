//! The sandbox: what a partner develops against when there is no Follow Up Boss account at hand.
//!
//! [`start`] runs the whole flow on one machine: a real authority, an API that answers as Follow Up Boss's would ([`api`]), a demo
//! integration that shows what goes over the wire, and routes that drive the flow without a browser. [`seed`] makes the same accounts,
//! users, apps and people at every start. Nothing here is for production: passwords and keys come from a number that anybody can guess.

pub mod api;
mod clock;
mod control;
mod demo;
mod faults;
mod replace_file;
pub mod seed;
mod start;

pub use clock::{ClockError, SandboxClock};
pub use start::{
    AnnouncedApp, AnnouncedPolicy, AnnouncedSystem, AnnouncedUser, Announcement, Parts, RunningSandbox, SandboxError,
    SandboxOptions, start,
};
