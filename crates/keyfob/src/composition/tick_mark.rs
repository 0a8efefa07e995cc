//! The highest store tick that this node has seen, in a file beside the store: a restored store shows a lower one.

use keyfob_server::follow::TickMark;
use std::io::Write;
use std::path::PathBuf;

/// A file with one number.
pub(crate) struct FileMark(PathBuf);

impl FileMark {
    /// In this directory.
    pub(crate) fn in_directory(directory: &std::path::Path) -> FileMark {
        FileMark(directory.join("highest-tick"))
    }

    fn write(&self, tick: i64) -> std::io::Result<()> {
        let fresh = self.0.with_extension("new");
        let mut file = std::fs::File::create(&fresh)?;
        file.write_all(format!("{tick}\n").as_bytes())?;
        file.sync_all()?;
        std::fs::rename(fresh, &self.0)
    }
}

impl TickMark for FileMark {
    fn seen(&self) -> Option<i64> {
        std::fs::read_to_string(&self.0).ok()?.trim().parse().ok()
    }

    fn note(&self, tick: i64) {
        if let Err(error) = self.write(tick) {
            tracing::warn!(%error, path = %self.0.display(), "the tick could not be noted; a store that goes back may go unnoticed");
        }
    }
}
