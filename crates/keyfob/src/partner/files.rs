//! The connections of one person on one machine: a file each, in a directory that only its owner can enter.
//!
//! A file is written whole beside the old one, synced, and put in its place, so that a crash leaves the old or the new one, never a part. Until the
//! new tokens are durable the old refresh token stands in the file, and the next call sends it again. Locks are `flock`s and end with their
//! process: one of the directory around each step, and one of each connection while a refresh of it goes on.
//!
//! This lives in the binary and not in the client library, since a file holds what a library's user keeps elsewhere: app, secret, authority.

use super::journal::Journal;
use super::kept::Kept;
use crate::composition::authority::private_directory;
use crate::exit::Exit;
use clap::Args;
use rustix::fs::{FlockOperation, flock};
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Longest name of a connection.
const MAX_NAME: usize = 64;
/// Between two looks at a lock that somebody else holds.
const LOOK: Duration = Duration::from_millis(20);
/// Looks at the directory's lock: 10 s, and a write takes milliseconds.
const LOOKS: u32 = 500;

/// Where the connections are kept.
#[derive(Debug, Clone, Args)]
pub(crate) struct StoreDir {
    /// The directory with the connections. Default: keyfob/connections in $XDG_DATA_HOME or ~/.local/share.
    #[arg(long, global = true, value_name = "DIR", env = "KEYFOB_CONNECTIONS")]
    store_dir: Option<PathBuf>,
}

/// The directory.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    directory: PathBuf,
}

/// A lock, given back when it is dropped.
pub(crate) struct Locked(#[expect(dead_code, reason = "the lock lives as long as the open file")] File);

impl StoreDir {
    /// Opens the directory, which is made where it is missing.
    pub(crate) fn open(&self) -> anyhow::Result<Files> {
        let directory = match &self.store_dir {
            Some(directory) => directory.clone(),
            None => default_directory()?,
        };
        let named = |error: std::io::Error| {
            Exit::Unavailable.because(format!("the connections' directory {}: {error}", directory.display()))
        };
        private_directory(&directory).map_err(named)?;
        let mode = std::fs::metadata(&directory).map_err(named)?.permissions().mode();
        if mode & 0o077 != 0 {
            let (mode, directory) = (mode & 0o777, directory.display());
            let message =
                format!("{directory} is open to others (mode {mode:o}) and holds secrets; run: chmod 700 {directory}");
            return Err(Exit::Refused.because(message));
        }
        Ok(Files { directory })
    }
}

fn default_directory() -> anyhow::Result<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let data = absolute("XDG_DATA_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/share")));
    let data =
        data.ok_or_else(|| Exit::Refused.because("neither XDG_DATA_HOME nor HOME is set; give --store-dir DIR"))?;
    Ok(data.join("keyfob/connections"))
}

fn journal_of(name: &str) -> String {
    format!(".{name}.journal")
}

/// A name that can be a file's.
pub(crate) fn check_name(name: &str) -> anyhow::Result<()> {
    let fits = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    match fits && !name.starts_with(['.', '-']) && (1..=MAX_NAME).contains(&name.len()) {
        true => Ok(()),
        false => Err(Exit::Refused.because(format!(
            "a connection's name has 1 to {MAX_NAME} letters, digits, dots, hyphens and underscores, the first a letter or digit"
        ))),
    }
}

impl Files {
    /// The connection of this name.
    pub(crate) fn read(&self, name: &str) -> anyhow::Result<Option<Kept>> {
        check_name(name)?;
        let path = self.path(name);
        let named = |error: std::io::Error| Exit::Unavailable.because(format!("{}: {error}", path.display()));
        let mode = match std::fs::metadata(&path) {
            Ok(metadata) => metadata.permissions().mode(),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(named(error)),
        };
        if mode & 0o077 != 0 {
            let (mode, path) = (mode & 0o777, path.display());
            let message = format!(
                "{path} can be read by others (mode {mode:o}); run: chmod 600 {path}; if somebody may have read it, give the connection back (keyfob connections revoke) and connect again"
            );
            return Err(Exit::Refused.because(message));
        }
        let text = std::fs::read_to_string(&path).map_err(named)?;
        let unusable = |why: String| {
            Exit::Refused.because(format!(
                "{} cannot be read: {why}; put it right, or remove the file and connect again",
                path.display()
            ))
        };
        Kept::read(&text).map(Some).map_err(unusable)
    }

    /// The directory's lock, under which whatever is read and then written stays what it was.
    pub(crate) async fn locked(&self) -> anyhow::Result<Locked> {
        for _ in 0..LOOKS {
            match self.try_lock(".lock")? {
                Some(locked) => return Ok(locked),
                None => tokio::time::sleep(LOOK).await,
            }
        }
        let lock = self.directory.join(".lock");
        Err(Exit::Unavailable
            .because(format!("another process holds {} and does not let go; try again", lock.display())))
    }

    /// The lock of a connection, by which others see that whoever refreshes it is alive; `None` while somebody has it.
    pub(crate) fn try_lease(&self, name: &str) -> anyhow::Result<Option<Locked>> {
        check_name(name)?;
        self.try_lock(&format!(".{name}.lease"))
    }

    /// Writes a connection, durably.
    pub(crate) fn write(&self, name: &str, kept: &Kept) -> anyhow::Result<()> {
        check_name(name)?;
        self.write_whole(&format!("{name}.json"), kept.to_text().expose().as_bytes())
    }

    /// The journal of a connection; a fresh one where there is none.
    pub(crate) fn journal(&self, name: &str) -> anyhow::Result<Journal> {
        check_name(name)?;
        let path = self.directory.join(journal_of(name));
        let unusable = |why: String| {
            Exit::Unavailable.because(format!("{}: {why}; if no keyfob is running, remove the file", path.display()))
        };
        match std::fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).map_err(|error| unusable(error.to_string())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Journal::default()),
            Err(error) => Err(unusable(error.to_string())),
        }
    }

    /// Writes a journal, durably.
    pub(crate) fn write_journal(&self, name: &str, journal: &Journal) -> anyhow::Result<()> {
        let text = serde_json::to_vec(journal).expect("invariant: numbers and text");
        self.write_whole(&journal_of(name), &text)
    }

    /// Removes a connection; whether there was one. Its journal stays.
    pub(crate) fn remove(&self, name: &str) -> anyhow::Result<bool> {
        check_name(name)?;
        match std::fs::remove_file(self.path(name)) {
            Ok(()) => self.sync().map(|()| true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(self.failed(name, &error)),
        }
    }

    /// All names, in order.
    pub(crate) fn names(&self) -> anyhow::Result<Vec<String>> {
        let entries = std::fs::read_dir(&self.directory).map_err(|error| self.failed("", &error))?;
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let names = names.filter_map(|file| file.strip_suffix(".json").map(str::to_owned));
        let mut names: Vec<String> = names.filter(|name| check_name(name).is_ok()).collect();
        names.sort();
        Ok(names)
    }

    /// The connection that is meant: the named one, or the only one.
    pub(crate) fn meant(&self, named: Option<String>) -> anyhow::Result<(String, Kept)> {
        let name = match named {
            Some(name) => name,
            None => {
                let mut names = self.names()?;
                match names.len() {
                    0 => {
                        return Err(
                            Exit::NotFound.because("nothing is connected yet; begin with: keyfob connect --help")
                        );
                    }
                    1 => names.remove(0),
                    _ => {
                        let message = format!("there are several connections; name one of: {}", names.join(", "));
                        return Err(Exit::Refused.because(message));
                    }
                }
            }
        };
        match self.read(&name)? {
            Some(kept) => Ok((name, kept)),
            None => Err(Exit::NotFound.because(format!(
                "there is no connection {name}; keyfob connections list shows those there are, keyfob connect makes one"
            ))),
        }
    }

    fn write_whole(&self, file: &str, text: &[u8]) -> anyhow::Result<()> {
        let path = self.directory.join(file);
        let new = self.directory.join(format!(".{}.new", file.trim_start_matches('.').trim_end_matches(".json")));
        let written = || {
            // What a crash left behind may have been made by somebody else: never written into.
            match std::fs::remove_file(&new) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
            file.write_all(text)?;
            file.sync_all()?;
            std::fs::rename(&new, &path)
        };
        written().map_err(|error| Exit::Unavailable.because(format!("{}: {error}", path.display())))?;
        self.sync()
    }

    /// The names of the files lie in the directory.
    fn sync(&self) -> anyhow::Result<()> {
        File::open(&self.directory).and_then(|directory| directory.sync_all()).map_err(|error| self.failed("", &error))
    }

    fn try_lock(&self, file: &str) -> anyhow::Result<Option<Locked>> {
        let path = self.directory.join(file);
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
        let file = file.map_err(|error| self.failed("", &error))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Locked(file))),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(self.failed("", &error.into())),
        }
    }

    fn failed(&self, name: &str, error: &std::io::Error) -> anyhow::Error {
        let place = if name.is_empty() { self.directory.clone() } else { self.path(name) };
        Exit::Unavailable.because(format!("{}: {error}", place.display()))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(Path::new(&format!("{name}.json")))
    }
}

#[cfg(test)]
impl Files {
    /// The connections in this directory.
    pub(crate) fn at(directory: &Path) -> Files {
        Files { directory: directory.to_owned() }
    }
}
