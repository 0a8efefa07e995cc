//! The partner's side on the command line: connect a user's account, call its API, keep the connection.
//!
//! Nothing here needs an authority's data; what a command needs beside its arguments lies in the connection's file. What the commands decide
//! is the client library's; here are words, files and exit codes. Where they are kept and why not in the library: [`files`].

pub(crate) mod call;
pub(crate) mod connect;
pub(crate) mod connections;
pub(crate) mod files;
pub(crate) mod record;
pub(crate) mod token;

mod app_flags;
pub(crate) mod authority;
mod browser;
mod callback;
mod failure;
mod file_store;
mod input;
mod journal;
mod kept;
mod loopback;
pub(crate) mod opened;
mod standing;
