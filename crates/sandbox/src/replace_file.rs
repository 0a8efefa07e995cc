//! Replacing a small file as a whole, so that a crash leaves the old content or the new.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// Writes a file beside, syncs it, puts it in place and syncs the directory.
pub(crate) fn replace_file(path: &Path, content: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("json.new");
    let mut file = File::create(&beside)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    match path.parent() {
        Some(directory) if directory.as_os_str().is_empty() => File::open(".")?.sync_all(),
        Some(directory) => File::open(directory)?.sync_all(),
        None => Ok(()),
    }
}
