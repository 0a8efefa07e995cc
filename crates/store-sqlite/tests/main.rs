//! The store through its public door: the suite of its contract, the engine's promises, two processes on one file.
#![expect(clippy::unwrap_used, reason = "a test may end at a surprise")]

mod store {
    mod backup;
    mod conformance;
    mod engine;
    mod files;
    mod migrations;
    mod moved_tables;
    mod place;
    mod processes;
    mod small_disk;
}
