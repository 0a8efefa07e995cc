//! The binary as a process: configuration, crashes, restores, commands beside a running authority.
//!
//! `place`, `serving`, `visitor` and `partner` are the actors; the other files are the tests. Every server listens on a free port of
//! 127.0.0.1, and only processes that a test started are stopped.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "processes are awaited in real time by the system clock, and a run says its seed and its times"
)]

mod partner;
mod place;
mod serving;
mod visitor;

mod between_steps;
mod clocks;
mod commands;
mod connections;
mod crashes;
mod disks;
mod examples;
mod explaining;
mod faults;
mod foreign_clients;
mod gate;
mod linking;
mod listening;
mod master_key;
mod moves;
mod on_postgres;
mod recording;
mod registering;
mod reports;
mod restores;
mod two_processes;
mod vault;
