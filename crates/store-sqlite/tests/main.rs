//! The store through its public door: the engine's promises, the rows, two processes on one file.
#![expect(clippy::unwrap_used, reason = "a test may end at a surprise")]

mod store {
    mod backup;
    mod build;
    mod engine;
    mod files;
    mod grants;
    mod processes;
    mod rows;
    mod small_disk;
}
