//! The connections of one person on one machine: a file each, in a directory that only its owner can enter.
//!
//! A file is written whole beside the old one, synced, and put in its place, so that a crash leaves the old or the new one, never a part. Until the
//! new tokens are durable the old refresh token stands in the file, and the next call sends it again. Locks are `flock`s and end with their
//! process: one of the directory around each write, and one of each connection around each refresh, which makes it the only one.
//!
//! This lives in the binary and not in the client library, since a file holds what a library's user keeps elsewhere: app, secret, authority.

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
const WRITE_LOOKS: u32 = 500;
/// Looks at a connection's lease: 3 minutes, more than a refresh takes with all its tries.
const LEASE_LOOKS: u32 = 9_000;

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

    /// Changes what stands there under the directory's lock; nothing is written where `change` gives nothing. Durable when it returns.
    pub(crate) async fn change(
        &self,
        name: &str,
        change: impl FnOnce(Option<Kept>) -> anyhow::Result<Option<Kept>>,
    ) -> anyhow::Result<bool> {
        let _locked = self.lock(".lock", WRITE_LOOKS).await?;
        match change(self.read(name)?)? {
            Some(kept) => self.write(name, &kept).map(|()| true),
            None => Ok(false),
        }
    }

    /// Removes a connection; whether there was one.
    pub(crate) async fn remove(&self, name: &str) -> anyhow::Result<bool> {
        check_name(name)?;
        let _locked = self.lock(".lock", WRITE_LOOKS).await?;
        match std::fs::remove_file(self.path(name)) {
            Ok(()) => self.sync().map(|()| true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(self.failed(name, &error)),
        }
    }

    /// The right to refresh a connection.
    pub(crate) async fn lease(&self, name: &str) -> anyhow::Result<Locked> {
        check_name(name)?;
        self.lock(&format!(".{name}.lease"), LEASE_LOOKS).await
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

    fn write(&self, name: &str, kept: &Kept) -> anyhow::Result<()> {
        let new = self.directory.join(format!(".{name}.new"));
        let written = || {
            // What a crash left behind may have been made by somebody else: never written into.
            match std::fs::remove_file(&new) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
            file.write_all(kept.to_text().expose().as_bytes())?;
            file.sync_all()?;
            std::fs::rename(&new, self.path(name))
        };
        written().map_err(|error| self.failed(name, &error))?;
        self.sync()
    }

    /// The names of the files lie in the directory.
    fn sync(&self) -> anyhow::Result<()> {
        File::open(&self.directory).and_then(|directory| directory.sync_all()).map_err(|error| self.failed("", &error))
    }

    async fn lock(&self, file: &str, looks: u32) -> anyhow::Result<Locked> {
        let path = self.directory.join(file);
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
        let file = file.map_err(|error| self.failed("", &error))?;
        for _ in 0..looks {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Locked(file)),
                Err(rustix::io::Errno::WOULDBLOCK) => tokio::time::sleep(LOOK).await,
                Err(error) => return Err(self.failed("", &error.into())),
            }
        }
        Err(Exit::Unavailable
            .because(format!("another process holds {} and does not let go; try again", path.display())))
    }

    fn failed(&self, name: &str, error: &std::io::Error) -> anyhow::Error {
        let place = if name.is_empty() { self.directory.clone() } else { self.path(name) };
        Exit::Unavailable.because(format!("{}: {error}", place.display()))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(Path::new(&format!("{name}.json")))
    }
}
