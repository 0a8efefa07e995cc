//! What a connection's file holds: everything a call needs, so that its name is enough.

use super::authority::Authority;
use crate::exit::Exit;
use keyfob_client::{
    App, Evidence, Identity, Provider, ReauthRequired, Secret, Standing, StoredConnection, System, Timestamp, TokenSet,
};
use keyfob_protocol::token_reply::ReceivedError;
use serde::{Deserialize, Serialize};

/// The version of the file's form.
const VERSION: u32 = 1;

/// A connection with what stands around it.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Kept {
    version: u32,
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
    /// Whose it is, where the API says that.
    #[serde(default)]
    pub(crate) identity: Option<Identity>,
    /// Grows by one at every write of tokens.
    pub(crate) generation: u64,
    /// How it stands.
    pub(crate) standing: KeptStanding,
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

/// How a connection stands.
#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub(crate) enum KeptStanding {
    /// It has tokens.
    Connected {
        #[serde(with = "in_clear")]
        access_token: Option<Secret<String>>,
        #[serde(with = "in_clear", default)]
        refresh_token: Option<Secret<String>>,
        expires_at: Option<Timestamp>,
        obtained_at: Timestamp,
        scope: Option<String>,
    },
    /// The authority no longer takes its refresh token.
    ReauthRequired {
        /// When that was found out.
        since: Timestamp,
        /// What it said.
        status: u16,
        error: Option<String>,
        description: Option<String>,
    },
    /// Given back from here; all that was secret is gone.
    Revoked {
        /// When.
        since: Timestamp,
    },
}

impl Kept {
    /// A connection as it comes out of a consent.
    pub(crate) fn new(
        authority: Authority,
        app: &App,
        system: Option<KeptSystem>,
        identity: Option<Identity>,
        row: &StoredConnection,
    ) -> Kept {
        Kept {
            version: VERSION,
            authority,
            client_id: app.client_id.clone(),
            client_secret: app.client_secret.clone(),
            redirect_uri: app.redirect_uri.clone(),
            system,
            identity,
            generation: row.generation,
            standing: KeptStanding::of(&row.standing),
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

    /// The row that the client library works with; `None` once it was given back.
    pub(crate) fn row(&self) -> Option<StoredConnection> {
        Some(StoredConnection { generation: self.generation, standing: self.standing.to_library()? })
    }

    /// The next row.
    pub(crate) fn put(&mut self, row: &StoredConnection) {
        self.generation = row.generation;
        self.standing = KeptStanding::of(&row.standing);
    }

    /// Takes out everything that is secret.
    pub(crate) fn give_back(&mut self, now: Timestamp) {
        self.client_secret = None;
        if let Some(system) = &mut self.system {
            system.key = None;
        }
        self.generation += 1;
        self.standing = KeptStanding::Revoked { since: now };
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

impl KeptStanding {
    fn of(standing: &Standing) -> KeptStanding {
        match standing {
            Standing::Live(tokens) => KeptStanding::Connected {
                access_token: Some(tokens.access_token.clone()),
                refresh_token: tokens.refresh_token.clone(),
                expires_at: tokens.expires_at,
                obtained_at: tokens.obtained_at,
                scope: tokens.scope.clone(),
            },
            Standing::ReauthRequired(ReauthRequired { since, evidence }) => KeptStanding::ReauthRequired {
                since: *since,
                status: evidence.status,
                error: evidence.error.as_ref().map(|error| error.code.clone()),
                description: evidence.error.as_ref().and_then(|error| error.description.clone()),
            },
        }
    }

    fn to_library(&self) -> Option<Standing> {
        match self {
            KeptStanding::Connected { access_token, refresh_token, expires_at, obtained_at, scope } => {
                Some(Standing::Live(TokenSet {
                    access_token: access_token.clone()?,
                    refresh_token: refresh_token.clone(),
                    expires_at: *expires_at,
                    obtained_at: *obtained_at,
                    scope: scope.clone(),
                }))
            }
            KeptStanding::ReauthRequired { since, status, error, description } => {
                let error = error.as_ref().map(|code| ReceivedError {
                    code: code.clone(),
                    description: description.clone(),
                    details: Vec::new(),
                });
                let evidence = Evidence { status: *status, error, reply: None };
                Some(Standing::ReauthRequired(ReauthRequired { since: *since, evidence }))
            }
            KeptStanding::Revoked { .. } => None,
        }
    }
}

/// A secret as the file holds it, which nobody but its owner can read.
mod in_clear {
    use keyfob_client::Secret;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(secret: &Option<Secret<String>>, to: S) -> Result<S::Ok, S::Error> {
        secret.as_ref().map(|secret| secret.expose()).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Secret<String>>, D::Error> {
        Ok(Option::<String>::deserialize(from)?.map(Secret::new))
    }
}
