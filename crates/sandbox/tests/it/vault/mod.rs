//! The service of a vault through its public door, beside a sandbox.
//!
//! `desk` is a partner with a vault; `peer` is whatever else listens. The other files are the tests.

mod calls;
mod connecting;
mod desk;
mod events;
mod logs;
mod overview;
mod paths;
mod peer;
mod rights;
mod rows;
mod watching;
