//! The master key: from the environment or a file that only its owner can read (matrix KM-01).

use crate::composition::secret_file;
use crate::config::{Config, StorePlace};
use crate::exit::Exit;
use crate::output;
use anyhow::Context;
use keyfob_authority::keys::MasterKey;
use keyfob_protocol::Entropy;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

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

/// The key in this file, which is made if it is not there.
pub(crate) fn kept(path: &Path, entropy: &dyn Entropy) -> anyhow::Result<MasterKey> {
    if !path.exists() {
        let key = MasterKey::generate(entropy)?;
        create(path, key.to_text().expose())
            .with_context(|| format!("the master key file {} cannot be made", path.display()))?;
    }
    read(path)
}

fn read(path: &Path) -> anyhow::Result<MasterKey> {
    let named = || format!("master_key_file {}", path.display());
    let Ok(text) = String::from_utf8(secret_file::read("master_key_file", path)?) else {
        let message = format!("{} holds raw bytes; write them in base64, or let `keyfob serve` make the file", named());
        return Err(Exit::Refused.because(message));
    };
    MasterKey::parse(&text).map_err(|error| Exit::Refused.because(format!("{}: {error}", named())))
}

/// Whole and synced before it is used: data sealed under a key that was lost with the power could never be opened.
fn create(path: &Path, text: &str) -> std::io::Result<()> {
    let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(directory)?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    // The file's name lies in the directory.
    File::open(directory)?.sync_all()
}
