//! Which authority a connection is at, as it is named on the command line and kept in the connection's file.

use super::opened::surroundings_of;
use crate::exit::Exit;
use clap::Args;
use keyfob_client::{App, Dialect, DiscoveryError, Metadata, Provider, UnsafeUrl, discover};
use serde::{Deserialize, Serialize};
use url::Url;

/// The authority, as the command line names it.
#[derive(Debug, Clone, Args)]
pub(crate) struct NamedAuthority {
    /// followupboss, keyfob, or the issuer of an authority that publishes its metadata (RFC 8414).
    #[arg(value_name = "AUTHORITY")]
    pub(crate) authority: String,
    /// With keyfob: its issuer.
    pub(crate) url: Option<String>,
    /// With followupboss: this sandbox in its place.
    #[arg(long, value_name = "URL")]
    pub(crate) sandbox: Option<String>,
    /// The base of the API, the only place the token goes to. Needed with an issuer.
    #[arg(long, value_name = "URL")]
    pub(crate) api: Option<String>,
}

/// An authority and its API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Authority {
    /// Who.
    pub(crate) at: At,
    /// The base of its API, where it is not where such an authority has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) api: Option<String>,
}

/// Who it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(crate) enum At {
    /// Follow Up Boss, or a sandbox in its place.
    FollowUpBoss {
        /// The sandbox.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sandbox: Option<String>,
    },
    /// A Keyfob, in standard OAuth.
    Keyfob {
        /// Its issuer.
        issuer: String,
    },
    /// Any authority that publishes metadata, as they were when it was connected.
    Discovered {
        /// The checked document.
        metadata: Box<Metadata>,
    },
}

/// Why a name names no authority. What to write instead depends on where it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Misnamed {
    /// A sandbox stands in for Follow Up Boss only.
    SandboxOfAnother,
    /// Follow Up Boss with an issuer.
    TwoAddresses,
    /// `keyfob` without its issuer.
    NoIssuer,
    /// An issuer with another one.
    TwoIssuers,
    /// An issuer without its API.
    NoApi,
    /// None of the names there are.
    Unknown,
}

impl Misnamed {
    /// For whoever typed flags.
    pub(crate) fn in_flags(self) -> &'static str {
        match self {
            Misnamed::SandboxOfAnother => {
                "--sandbox stands in for Follow Up Boss; name a Keyfob by: keyfob connect keyfob URL"
            }
            Misnamed::TwoAddresses => "Follow Up Boss has one address; a sandbox is named by --sandbox URL",
            Misnamed::NoIssuer => "say where it is: keyfob connect keyfob https://id.example.com",
            Misnamed::TwoIssuers => "one issuer is enough: keyfob connect https://id.example.com",
            Misnamed::NoApi => {
                "an issuer does not say where its API is, and the token goes nowhere else: --api https://api.example.com/v1"
            }
            Misnamed::Unknown => {
                "name the authority: followupboss, keyfob URL, or an issuer like https://id.example.com"
            }
        }
    }

    /// For whoever wrote a file.
    pub(crate) fn in_settings(self) -> &'static str {
        match self {
            Misnamed::SandboxOfAnother => {
                "sandbox stands in for Follow Up Boss; a Keyfob is named by authority = \"keyfob\" and issuer = \"https://…\""
            }
            Misnamed::TwoAddresses => {
                "Follow Up Boss has one address; a sandbox is named by sandbox = \"http://…\", not by issuer"
            }
            Misnamed::NoIssuer => "authority = \"keyfob\" needs issuer = \"https://id.example.com\"",
            Misnamed::TwoIssuers => "one issuer is enough: authority = \"https://id.example.com\", without issuer",
            Misnamed::NoApi => {
                "an issuer does not say where its API is, and the token goes nowhere else: api = \"https://api.example.com/v1\""
            }
            Misnamed::Unknown => "authority is followupboss, keyfob, or an issuer like https://id.example.com",
        }
    }
}

impl NamedAuthority {
    /// Finds it; one that is named by its issuer is asked about itself. `words` are for where the name was written.
    pub(crate) async fn find(self, words: fn(Misnamed) -> &'static str) -> anyhow::Result<Authority> {
        let refuse = |why| Err(Exit::Refused.because(words(why)));
        if self.sandbox.is_some() && self.authority != "followupboss" {
            return refuse(Misnamed::SandboxOfAnother);
        }
        let at = match (self.authority.as_str(), self.url) {
            ("followupboss", None) => At::FollowUpBoss { sandbox: self.sandbox },
            ("followupboss", Some(_)) => return refuse(Misnamed::TwoAddresses),
            ("keyfob", Some(issuer)) => At::Keyfob { issuer: issuer.trim_end_matches('/').to_owned() },
            ("keyfob", None) => return refuse(Misnamed::NoIssuer),
            (_, Some(_)) => return refuse(Misnamed::TwoIssuers),
            (issuer, None) if issuer.contains("://") => {
                if self.api.is_none() {
                    return refuse(Misnamed::NoApi);
                }
                let outside = surroundings_of(issuer)?;
                let metadata = discover(issuer, outside.transport.as_ref()).await.map_err(told)?;
                At::Discovered { metadata: Box::new(metadata) }
            }
            _ => return refuse(Misnamed::Unknown),
        };
        Ok(Authority { at, api: self.api })
    }
}

impl Authority {
    /// As the client library takes it.
    pub(crate) fn provider(&self, app: &App) -> anyhow::Result<Provider> {
        let unsafe_url = |error: UnsafeUrl| Exit::Refused.because(error.to_string());
        let provider = match &self.at {
            At::FollowUpBoss { sandbox: None } => Provider::follow_up_boss(),
            At::FollowUpBoss { sandbox: Some(sandbox) } => {
                Provider::keyfob(sandbox).map_err(unsafe_url)?.speaking(Dialect::FollowUpBoss)
            }
            At::Keyfob { issuer } => Provider::keyfob(issuer).map_err(unsafe_url)?,
            At::Discovered { metadata } => {
                return metadata.provider(app, self.api.as_deref().unwrap_or_default()).map_err(told);
            }
        };
        match &self.api {
            Some(api) => provider.with_api_base(api).map_err(unsafe_url),
            None => Ok(provider),
        }
    }

    /// What a connection there is called when nobody says.
    pub(crate) fn default_name(&self) -> String {
        match &self.at {
            At::FollowUpBoss { .. } => "followupboss".to_owned(),
            At::Keyfob { .. } => "keyfob".to_owned(),
            At::Discovered { metadata } => {
                let host = Url::parse(&metadata.issuer).ok().and_then(|url| url.host_str().map(str::to_owned));
                // The brackets and colons of an IPv6 address do not fit a file's name.
                let name = host.unwrap_or_default().replace(|c: char| !c.is_ascii_alphanumeric() && c != '.', "-");
                name.trim_matches(['-', '.']).to_owned()
            }
        }
    }

    /// For a person.
    pub(crate) fn described(&self) -> String {
        match &self.at {
            At::FollowUpBoss { sandbox: None } => "Follow Up Boss".to_owned(),
            At::FollowUpBoss { sandbox: Some(sandbox) } => format!("the sandbox {sandbox}"),
            At::Keyfob { issuer } => issuer.clone(),
            At::Discovered { metadata } => metadata.issuer.clone(),
        }
    }

    /// The arguments of `keyfob connect` that name it.
    pub(crate) fn arguments(&self) -> String {
        let named = match &self.at {
            At::FollowUpBoss { sandbox: None } => "followupboss".to_owned(),
            At::FollowUpBoss { sandbox: Some(sandbox) } => format!("followupboss --sandbox {sandbox}"),
            At::Keyfob { issuer } => format!("keyfob {issuer}"),
            At::Discovered { metadata } => metadata.issuer.clone(),
        };
        let api = self.api.as_ref().map(|api| format!(" --api {api}")).unwrap_or_default();
        named + &api
    }

    /// Whether both are the same, whatever the metadata say by now.
    pub(crate) fn is_same(&self, other: &Authority) -> bool {
        self.described() == other.described() && std::mem::discriminant(&self.at) == std::mem::discriminant(&other.at)
    }

    /// Whether it refuses a redirect to this machine, so that a callback has to be pasted.
    pub(crate) fn refuses_loopback(&self) -> bool {
        matches!(self.at, At::FollowUpBoss { sandbox: None })
    }

    /// Whether callbacks are pasted unless somebody asks for a listener.
    pub(crate) fn pastes_by_default(&self) -> bool {
        matches!(self.at, At::FollowUpBoss { .. })
    }
}

fn told(error: DiscoveryError) -> anyhow::Error {
    let exit = match &error {
        DiscoveryError::NoAnswer(_) | DiscoveryError::Status { status: 429 | 500.., .. } => Exit::Unavailable,
        _ => Exit::Refused,
    };
    exit.because(error.to_string())
}
