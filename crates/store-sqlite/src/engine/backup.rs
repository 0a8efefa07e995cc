//! A consistent copy of a database in use.
//!
//! One read transaction holds the state still while its pages are copied, so neither reads nor writes wait. The copy gets
//! its name only when it is complete and on the disk.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use super::connection::{Patience, open_reader};
use super::fault::Fault;

/// Pages copied in one step: 4 MiB at the default size, a few milliseconds.
const STEP: i32 = 1024;

pub(super) fn copy(source: &Path, target: &Path, patience: &Patience) -> Result<(), Fault> {
    if target.try_exists().map_err(|error| io_fault(&error))? {
        return Err(Fault::Io(format!("{} exists", target.display())));
    }
    let partial = partial_name(target);
    let outcome = copy_pages(source, &partial, patience).and_then(|()| publish(&partial, target));
    if outcome.is_err() {
        // What is left of a failed copy is of no use; that it cannot be removed adds nothing to the first error.
        let _ = std::fs::remove_file(&partial);
    }
    outcome
}

fn partial_name(target: &Path) -> PathBuf {
    let mut name = target.as_os_str().to_owned();
    name.push(".partial");
    name.into()
}

fn copy_pages(source: &Path, partial: &Path, patience: &Patience) -> Result<(), Fault> {
    // Truncates what an interrupted copy left.
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(partial)
        .map_err(|error| io_fault(&error))?;
    let source = open_reader(source, 256, patience)?;
    let mut copy = Connection::open(partial)?;
    // The file is worthless until it is complete, so it needs no journal and one sync at the end.
    copy.pragma_update(None, "journal_mode", "OFF")?;
    copy.pragma_update(None, "synchronous", "OFF")?;

    // The backup starts anew whenever somebody else commits, unless its connection holds a snapshot.
    source.execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema")?;
    let backup = Backup::new(&source, &mut copy)?;
    loop {
        match backup.step(STEP)? {
            StepResult::Done => break,
            // Leaves the disk to the writer for a moment.
            StepResult::More => std::thread::sleep(Duration::from_millis(2)),
            _ => return Err(Fault::Locked),
        }
    }
    Ok(())
}

fn publish(partial: &Path, target: &Path) -> Result<(), Fault> {
    let publish = || -> io::Result<()> {
        File::open(partial)?.sync_all()?;
        // A link does not replace a file that somebody made meanwhile.
        std::fs::hard_link(partial, target)?;
        std::fs::remove_file(partial)?;
        let directory = target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(directory)?.sync_all()
    };
    publish().map_err(|error| io_fault(&error))
}

fn io_fault(error: &io::Error) -> Fault {
    Fault::Io(error.to_string())
}
