//! What a connection's file holds: everything a call needs, so that its name is enough.

use super::authority::Authority;
use super::standing::{KeptStanding, KeptTrouble, in_clear};
use crate::exit::Exit;
use keyfob_client::{App, Identity, Provider, Secret, StoredConnection, System, Timestamp};
use serde::{Deserialize, Serialize};

/// The version of the file's form.
const VERSION: u32 = 1;

/// A connection with what stands around it.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Kept {
    version: u32,
    #[serde(flatten)]
    pub(crate) place: Place,
    /// Whose it is, where the API says that.
    #[serde(default)]
    pub(crate) identity: Option<Identity>,
    /// Grows by one at every write of tokens.
    pub(crate) generation: u64,
    /// How it stands.
    pub(crate) standing: KeptStanding,
    /// Since when it is live.
    #[serde(default)]
    since: Option<Timestamp>,
    /// What is wrong at present although the tokens are good.
    #[serde(default)]
    trouble: Option<KeptTrouble>,
}

/// Where a connection is, and as which app.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Place {
    /// Where.
    pub(crate) authority: Authority,
    /// As which app.
    pub(crate) client_id: String,
    /// Its secret; none for a public client, and none once the connection was given back.
    #[serde(with = "in_clear", default)]
    pub(crate) client_secret: Option<Secret<String>>,
    /// As registered.
    pub(crate) redirect_uri: String,
    /// For `X-System` and `X-System-Key`.
    #[serde(default)]
    pub(crate) system: Option<KeptSystem>,
}

/// A registered partner.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct KeptSystem {
    /// `X-System`.
    pub(crate) name: String,
    /// `X-System-Key`.
    #[serde(with = "in_clear")]
    pub(crate) key: Option<Secret<String>>,
}

impl Place {
    /// The app.
    pub(crate) fn app(&self) -> App {
        App {
            client_id: self.client_id.clone(),
            client_secret: self.client_secret.clone(),
            redirect_uri: self.redirect_uri.clone(),
        }
    }

    /// The authority, with the system's headers.
    pub(crate) fn provider(&self) -> anyhow::Result<Provider> {
        with_system(self.authority.provider(&self.app())?, self.system.as_ref())
    }

    /// How to connect it again.
    pub(crate) fn connect_again(&self, name: &str) -> String {
        let system = self.system.as_ref().map(|system| format!(" --system '{}'", system.name)).unwrap_or_default();
        format!(
            "keyfob connect {} --client-id {} --redirect-uri '{}'{system} --as {name}",
            self.authority.arguments(),
            self.client_id,
            self.redirect_uri
        )
    }
}

impl Kept {
    /// A connection of this app.
    pub(crate) fn new(place: Place, row: &StoredConnection) -> Kept {
        Kept {
            version: VERSION,
            place,
            identity: row.identity.clone(),
            generation: row.generation,
            standing: KeptStanding::of(row),
            since: Some(row.since),
            trouble: row.trouble.as_ref().map(KeptTrouble::of),
        }
    }

    /// Reads a file's text. Its mistakes are told by place, never by content.
    pub(crate) fn read(text: &str) -> Result<Kept, String> {
        let place = |error: serde_json::Error| format!("line {}, column {}", error.line(), error.column());
        let version: serde_json::Value = serde_json::from_str(text).map_err(place)?;
        match version.get("version").and_then(serde_json::Value::as_u64) {
            Some(version) if version == u64::from(VERSION) => serde_json::from_str(text).map_err(place),
            Some(version) => Err(format!("its version is {version}, this program knows {VERSION}")),
            None => Err("it is not a connection".to_owned()),
        }
    }

    /// The file's text.
    pub(crate) fn to_text(&self) -> Secret<String> {
        let text = serde_json::to_string_pretty(self).expect("invariant: strings, numbers and lists");
        Secret::new(format!("{text}\n"))
    }

    /// The row that the client library works with; `None` once it was given back.
    pub(crate) fn row(&self) -> Option<StoredConnection> {
        let standing = self.standing.to_library()?;
        let since = match &self.standing {
            KeptStanding::Connected { obtained_at, .. } => self.since.unwrap_or(*obtained_at),
            KeptStanding::ReauthRequired { since, .. }
            | KeptStanding::LostReply { since, .. }
            | KeptStanding::Denied { since }
            | KeptStanding::Revoked { since } => self.since.unwrap_or(*since),
        };
        let trouble = self.trouble.as_ref().map(KeptTrouble::to_library);
        Some(StoredConnection {
            generation: self.generation,
            standing,
            since,
            trouble,
            identity: self.identity.clone(),
        })
    }

    /// The next row.
    pub(crate) fn put(&mut self, row: &StoredConnection) {
        *self = Kept::new(self.place.clone(), row);
    }

    /// Takes out everything that is secret.
    pub(crate) fn give_back(&mut self, now: Timestamp) {
        self.place.client_secret = None;
        if let Some(system) = &mut self.place.system {
            system.key = None;
        }
        self.generation += 1;
        (self.standing, self.since, self.trouble) = (KeptStanding::Revoked { since: now }, None, None);
    }
}

/// The system's headers with every call.
pub(crate) fn with_system(provider: Provider, system: Option<&KeptSystem>) -> anyhow::Result<Provider> {
    match system {
        Some(KeptSystem { name, key: Some(key) }) => {
            let system = System::new(name, key.clone()).map_err(|error| Exit::Refused.because(error.to_string()))?;
            Ok(provider.with_system(system))
        }
        _ => Ok(provider),
    }
}

#[cfg(test)]
impl Place {
    /// An app at some Keyfob.
    pub(crate) fn sample() -> Place {
        let at = super::authority::At::Keyfob { issuer: "https://id.example.com".to_owned() };
        Place {
            authority: Authority { at, api: None },
            client_id: "app".to_owned(),
            client_secret: Some(Secret::from("secret")),
            redirect_uri: "http://127.0.0.1/callback".to_owned(),
            system: None,
        }
    }
}
