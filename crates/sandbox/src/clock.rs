//! The sandbox's clock: the system's, and an offset that only grows (matrix SB-05).
//!
//! The offset is kept with the data, in `sandbox.json`, before it acts: a restart that forgot it would find tokens and rows dated in its
//! future. The same file says which seed the data was made with.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use keyfob_protocol::time::DAY;
use keyfob_protocol::{Clock, Timestamp};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::replace_file::replace_file;

/// Name of the file in the data directory.
const FILE: &str = "sandbox.json";
/// The version of the file's form.
const VERSION: u32 = 1;
/// The farthest the clock can be moved, all steps together (seconds).
const FARTHEST: i64 = 3650 * DAY;

/// Why the clock cannot be opened or moved.
#[derive(Debug, Error)]
pub enum ClockError {
    /// The file system refused.
    #[error("{}: {source}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Not a file of ours.
    #[error("{}: not the settings of a sandbox of this version", .0.display())]
    Form(PathBuf),
    /// The data was made from another seed, whose users and keys are others.
    #[error("{}: made with --seed {found}, not {expected}; give the same seed, or another directory", path.display())]
    OtherSeed {
        /// Which file.
        path: PathBuf,
        /// The seed of the file.
        found: u64,
        /// The seed asked for.
        expected: u64,
    },
    /// Too far.
    #[error("the clock can be moved 3650 days at most, all steps together")]
    TooFar,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Kept {
    version: u32,
    seed: u64,
    offset_seconds: i64,
}

/// A clock that can be moved forward.
pub struct SandboxClock {
    system: Arc<dyn Clock>,
    offset: AtomicI64,
    kept: Option<PathBuf>,
    seed: u64,
    moving: Mutex<()>,
}

impl SandboxClock {
    /// The clock of the data in `directory`, or one that keeps nothing.
    ///
    /// # Errors
    /// [`ClockError`]: the file cannot be read or written, or belongs to another seed.
    pub fn open(system: Arc<dyn Clock>, seed: u64, directory: Option<&Path>) -> Result<SandboxClock, ClockError> {
        let kept = directory.map(|directory| directory.join(FILE));
        let offset = match &kept {
            None => 0,
            Some(path) => match read(path, seed)? {
                Some(kept) => kept.offset_seconds,
                None => {
                    write(path, seed, 0)?;
                    0
                }
            },
        };
        Ok(SandboxClock { system, offset: AtomicI64::new(offset), kept, seed, moving: Mutex::new(()) })
    }

    /// Moves forward. Returns the new offset, which is kept by then.
    ///
    /// # Errors
    /// [`ClockError`]; then the clock stands where it stood.
    pub fn advance(&self, seconds: u32) -> Result<i64, ClockError> {
        let _one_at_a_time = self.moving.lock().unwrap_or_else(PoisonError::into_inner);
        let offset = self.offset().saturating_add(i64::from(seconds));
        if offset > FARTHEST {
            return Err(ClockError::TooFar);
        }
        if let Some(path) = &self.kept {
            write(path, self.seed, offset)?;
        }
        self.offset.store(offset, Ordering::SeqCst);
        Ok(offset)
    }

    /// How far it is ahead of the system's clock (seconds).
    pub fn offset(&self) -> i64 {
        self.offset.load(Ordering::SeqCst)
    }
}

impl Clock for SandboxClock {
    fn now(&self) -> Timestamp {
        self.system.now().plus(self.offset())
    }
}

fn read(path: &Path, seed: u64) -> Result<Option<Kept>, ClockError> {
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(ClockError::File { path: path.to_owned(), source }),
    };
    let kept: Kept = serde_json::from_slice(&text).map_err(|_| ClockError::Form(path.to_owned()))?;
    if kept.version != VERSION || !(0..=FARTHEST).contains(&kept.offset_seconds) {
        return Err(ClockError::Form(path.to_owned()));
    }
    if kept.seed != seed {
        return Err(ClockError::OtherSeed { path: path.to_owned(), found: kept.seed, expected: seed });
    }
    Ok(Some(kept))
}

fn write(path: &Path, seed: u64, offset_seconds: i64) -> Result<(), ClockError> {
    let kept = Kept { version: VERSION, seed, offset_seconds };
    let text = serde_json::to_vec(&kept).expect("invariant: three numbers");
    replace_file(path, &text).map_err(|source| ClockError::File { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Noon;

    impl Clock for Noon {
        fn now(&self) -> Timestamp {
            Timestamp(1_000)
        }
    }

    #[test]
    fn sb_05_the_offset_is_kept_with_the_data_and_belongs_to_its_seed() {
        let directory = tempfile::tempdir().expect("a directory");
        let open = |seed| SandboxClock::open(Arc::new(Noon), seed, Some(directory.path()));
        let clock = open(1).expect("new");
        assert_eq!(clock.advance(3660).expect("kept"), 3660);
        assert_eq!(clock.advance(0).expect("kept"), 3660);
        assert_eq!(open(1).expect("kept").now(), Timestamp(4660));
        assert!(matches!(open(2), Err(ClockError::OtherSeed { found: 1, expected: 2, .. })));
        assert!(matches!(clock.advance(u32::MAX), Err(ClockError::TooFar)));
        assert_eq!(clock.offset(), 3660);
        std::fs::write(directory.path().join(FILE), "{}").expect("written");
        assert!(matches!(open(1), Err(ClockError::Form(_))));
    }
}
