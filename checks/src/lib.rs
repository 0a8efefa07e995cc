//! Checks of house rules that neither the compiler nor clippy knows.
//!
//! Each check is a binary of its own (`arrows`, `requirement-coverage`, `dependencies`) or a test, over one module here; `./test` runs all. They
//! read files of this repository and the output of `cargo metadata`, write nothing and need no network. The crate
//! depends on no other crate of the workspace, so that it still runs when one of them does not build.

pub mod arrows;
pub mod coverage;
pub mod dependencies;
pub mod markdown_table;
pub mod named_tests;
