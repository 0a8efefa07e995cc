//! What proves an app at an authority and its system at the API, as flags: of `keyfob connect` and `keyfob record`.

use super::input::{self, Lines};
use super::kept::{KeptSystem, with_system};
use crate::exit::Exit;
use clap::Args;
use keyfob_client::{Pkce, Provider, Secret};
use std::path::PathBuf;

/// Flags about the app. Secrets come from files, the environment or standard input.
#[derive(Debug, Args)]
pub(super) struct AppFlags {
    /// A file with the app's client secret.
    #[arg(long, value_name = "FILE")]
    client_secret_file: Option<PathBuf>,
    /// The app has no secret; PKCE is always used.
    #[arg(long, conflicts_with = "client_secret_file")]
    public: bool,
    /// Send no PKCE challenge, for an authority that stumbles over it. An app without a secret sends it all the same.
    #[arg(long)]
    no_pkce: bool,
    /// The name of your system, for X-System.
    #[arg(long, value_name = "NAME")]
    system: Option<String>,
    /// A file with your system's key, for X-System-Key.
    #[arg(long, value_name = "FILE", requires = "system")]
    system_key_file: Option<PathBuf>,
}

impl AppFlags {
    /// The client secret; `None` for a public app. Whoever gave none is asked.
    pub(super) async fn client_secret(&self, lines: &mut Lines) -> anyhow::Result<Option<Secret<String>>> {
        if self.public {
            return Ok(None);
        }
        match input::secret(self.client_secret_file.as_deref(), "KEYFOB_CLIENT_SECRET")? {
            Some(secret) => Ok(Some(secret)),
            None => input::asked(lines, "client secret").await.map(Some),
        }
    }

    /// The system with its key, if one is named.
    pub(super) fn system(&self) -> anyhow::Result<Option<KeptSystem>> {
        let Some(name) = self.system.clone() else { return Ok(None) };
        match input::secret(self.system_key_file.as_deref(), "KEYFOB_SYSTEM_KEY")? {
            Some(key) => Ok(Some(KeptSystem { name, key: Some(key) })),
            None => Err(Exit::Refused.because("a system has a key: --system-key-file FILE, or KEYFOB_SYSTEM_KEY")),
        }
    }

    /// The provider as the flags want it, calling the API as `system`.
    pub(super) fn applied(&self, provider: Provider, system: Option<&KeptSystem>) -> anyhow::Result<Provider> {
        let provider = with_system(provider, system)?;
        Ok(if self.no_pkce { provider.with_pkce(Pkce::Never) } else { provider })
    }
}
