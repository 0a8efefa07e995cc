//! Bringing connections in from the exports of whatever kept them before.
//!
//! Each is put into the vault first and verified then, by the vault's ordinary call to the API: a refresh on the way is journaled like
//! any other, and a crash in the middle loses nothing. What the vault has already and works is never replaced, so a second run changes nothing and
//! finishes what the first could not. Nothing here says or logs a token. The file is taken to be hostile or at least careless.

mod again;
mod columns;
mod lines;
mod person;
mod run;
mod times;

pub use columns::{Column, ColumnsUnclear, Mapping, MappingError};
pub use lines::{Export, ExportUnreadable, Place};
pub use run::{Compared, Importer, Line, Outcome, Untried};
