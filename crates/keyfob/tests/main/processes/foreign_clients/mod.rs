//! OP-07: OAuth libraries that we did not write, with their ordinary settings, against the binary.
//!
//! `clients/` has one short script per library, written like the library's own example. Here are the parts that a library leaves to its
//! surroundings: an authority with an app for each script (`authority`), the person who signs in and decides on the real pages (`person`),
//! and the wire in between (`wire`), which notes what each client sent and got (`story`). `docs/interoperability.md` is written from these
//! notes (`table`): what it says of a client was seen, not claimed. The scripts run here and not in a crate of their own because the
//! binary's path is known to its own integration tests only, and `place`, `serving` and `visitor` are next door.

mod apache;
mod authority;
mod installed;
mod oauth2_crate;
mod person;
mod program;
mod story;
mod table;
mod wire;

pub(super) use installed::Installed;

mod clients;
mod differential;
mod foreign_servers;
mod openid_provider;
mod resource_servers;
mod schemathesis;
