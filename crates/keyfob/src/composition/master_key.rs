//! The master key: from the environment or a file that only its owner can read (matrix KM-01).

use crate::composition::secret_file;
use crate::config::{Config, StorePlace};
use crate::exit::Exit;
use crate::output;
use anyhow::Context;
use keyfob_authority::keys::{MasterKey, MasterKeys};
use keyfob_protocol::{Entropy, Timestamp};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The variable that may hold the key.
const VARIABLE: &str = "KEYFOB_MASTER_KEY";

/// The key of this configuration. A new one is made only where there is no data yet; `data` names where there is some.
pub(crate) fn load(config: &Config, entropy: &dyn Entropy, data: Option<&str>) -> anyhow::Result<MasterKey> {
    if let Ok(text) = std::env::var(VARIABLE) {
        return MasterKey::parse(&text).map_err(|error| Exit::Refused.because(format!("{VARIABLE}: {error}")));
    }
    let path = &config.master_key_file;
    if let Some(data) = data.filter(|_| !path.exists()) {
        let node = match config.store {
            StorePlace::Data => "",
            StorePlace::Postgres(_) => " (every node needs the same one: copy it from the first)",
        };
        let message = format!(
            "there is data in {data}, but its master key file {} is missing; put the file back, or name it by master_key_file{node}",
            path.display()
        );
        return Err(Exit::Refused.because(message));
    }
    let new = !path.exists();
    let key = kept(path, entropy)?;
    if new {
        output::say(&format!(
            "keyfob: made a new master key in {}; keep a copy of it apart from the data",
            path.display()
        ));
    }
    Ok(key)
}

/// Whether the key is in the environment, so that no file is read.
pub(crate) fn is_in_environment() -> bool {
    std::env::var_os(VARIABLE).is_some()
}

/// The master keys of a configuration, now and while the data is put under another one: [`next_file`] beside the present one. Read again at each
/// look, so that a node takes up a new file without a restart.
pub(crate) struct Files {
    /// As at the start: a file that is exchanged a moment before the data must not stop anybody.
    loaded: MasterKey,
    files: Vec<PathBuf>,
}

impl Files {
    pub(crate) fn new(config: &Config, loaded: MasterKey) -> Files {
        let file = &config.master_key_file;
        Files { loaded, files: vec![file.clone(), next_file(file)] }
    }
}

impl MasterKeys for Files {
    fn candidates(&self) -> Vec<MasterKey> {
        let present = self.files.iter().filter(|file| file.exists());
        let read = present.filter_map(|file| {
            read(file).inspect_err(|error| tracing::warn!("a master key cannot be used: {error:#}")).ok()
        });
        std::iter::once(self.loaded.clone()).chain(read).collect()
    }
}

/// Where the master key lies that the data is to be put under.
pub(crate) fn next_file(present: &Path) -> PathBuf {
    beside(present, ".next")
}

/// The key in this file, which is made if it is not there.
pub(crate) fn kept(path: &Path, entropy: &dyn Entropy) -> anyhow::Result<MasterKey> {
    if !path.exists() {
        let key = MasterKey::generate(entropy)?;
        create(path, key.to_text().expose())
            .with_context(|| format!("the master key file {} cannot be made", path.display()))?;
    }
    read(path)
}

/// Makes the next master key file the present one, once the data is under it; gives where the earlier one is kept. Nothing is done where it is the
/// present one already.
pub(crate) fn take_up_next(config: &Config, now: Timestamp) -> anyhow::Result<Option<PathBuf>> {
    let present = &config.master_key_file;
    let next = next_file(present);
    if !next.exists() {
        return Ok(None);
    }
    let named = || format!("{} cannot take the place of {}", next.display(), present.display());
    let mut earlier = None;
    if present.exists() {
        let kept = beside(present, &format!(".until-{}", now.0));
        std::fs::hard_link(present, &kept).with_context(named)?;
        earlier = Some(kept);
    }
    std::fs::rename(&next, present).with_context(named)?;
    sync_directory_of(present).with_context(named)?;
    Ok(earlier)
}

/// The file beside this one, or beside this directory, whose name goes on with `suffix`.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    path.with_file_name(name)
}

/// Where the file's name lies.
pub(crate) fn directory_of(file: &Path) -> &Path {
    file.parent().filter(|directory| !directory.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes the file's name durable: it lies in the directory.
fn sync_directory_of(file: &Path) -> std::io::Result<()> {
    File::open(directory_of(file))?.sync_all()
}

fn read(path: &Path) -> anyhow::Result<MasterKey> {
    let named = || format!("master_key_file {}", path.display());
    let Ok(text) = String::from_utf8(secret_file::read("master_key_file", path)?) else {
        let message = format!("{} holds raw bytes; write them in base64, or let `keyfob serve` make the file", named());
        return Err(Exit::Refused.because(message));
    };
    MasterKey::parse(&text).map_err(|error| Exit::Refused.because(format!("{}: {error}", named())))
}

/// Makes a file for a key that only its owner can read, whole and synced before it is used: data sealed under a key that was lost with the power
/// could never be opened.
///
/// # Errors
/// It is there already, or cannot be written.
pub(crate) fn create(path: &Path, text: &str) -> std::io::Result<()> {
    std::fs::create_dir_all(directory_of(path))?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    sync_directory_of(path)
}
