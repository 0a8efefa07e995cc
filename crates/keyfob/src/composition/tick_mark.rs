//! The highest store tick that this node has seen, in a file beside the store: a restored store shows a lower one.

use keyfob_server::follow::TickMark;
use rustix::fs::{FlockOperation, flock};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// A file with one number.
pub(crate) struct FileMark {
    directory: PathBuf,
    /// Tried each second, and said once.
    failing: AtomicBool,
}

impl FileMark {
    /// In this directory.
    pub(crate) fn in_directory(directory: &Path) -> FileMark {
        FileMark { directory: directory.to_owned(), failing: AtomicBool::new(false) }
    }

    fn file(&self) -> PathBuf {
        self.directory.join("highest-tick")
    }

    /// As a whole: a crash or a power cut leaves the old number or the new one.
    fn write(&self, tick: i64) -> std::io::Result<()> {
        let directory = File::open(&self.directory)?;
        // Servers of one directory share the file, and must not take each other's half-written one.
        flock(&directory, FlockOperation::LockExclusive)?;
        let fresh = self.directory.join("highest-tick.new");
        let mut file = File::create(&fresh)?;
        file.write_all(format!("{tick}\n").as_bytes())?;
        file.sync_all()?;
        std::fs::rename(fresh, self.file())?;
        directory.sync_all()
    }
}

impl TickMark for FileMark {
    fn seen(&self) -> Option<i64> {
        std::fs::read_to_string(self.file()).ok()?.trim().parse().ok()
    }

    fn note(&self, tick: i64) {
        let written = self.write(tick);
        let failed_before = self.failing.swap(written.is_err(), Ordering::Relaxed);
        if let Err(error) = written
            && !failed_before
        {
            tracing::warn!(%error, path = %self.file().display(), "the tick could not be noted; a store that goes back may go unnoticed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn op_02_the_mark_is_kept_and_written_as_a_whole() {
        let directory = tempfile::tempdir().expect("a directory");
        let mark = FileMark::in_directory(directory.path());
        assert_eq!(mark.seen(), None);
        // What a crash may have left beside it does not matter.
        std::fs::write(directory.path().join("highest-tick.new"), "99").expect("written");
        for tick in [7, 8, 3] {
            mark.note(tick);
            assert_eq!(FileMark::in_directory(directory.path()).seen(), Some(tick));
        }
        let names = std::fs::read_dir(directory.path()).expect("a directory").count();
        assert_eq!(names, 1, "nothing is left beside it");
    }

    #[test]
    fn op_02_servers_of_one_directory_do_not_break_each_others_mark() {
        let directory = tempfile::tempdir().expect("a directory");
        std::thread::scope(|threads| {
            for server in 0..4 {
                let mark = FileMark::in_directory(directory.path());
                threads.spawn(move || {
                    for tick in 0..25 {
                        mark.write(server * 1000 + tick).expect("written");
                        let seen = mark.seen().expect("always a whole number");
                        assert!(seen % 1000 < 25, "{seen}");
                    }
                });
            }
        });
    }
}
