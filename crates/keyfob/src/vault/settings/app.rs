//! `[apps.NAME]`: an app whose users connect, with its authority and its credentials there.

use super::findings::Findings;
use super::{refuse, secret};
use crate::exit::Exit;
use crate::partner::authority::{Misnamed, NamedAuthority};
use anyhow::Context;
use keyfob_client::{App, System};
use keyfob_vault::AppSettings;
use serde::Deserialize;
use std::path::PathBuf;
use url::Url;

/// The client id of the sample.
const PLACEHOLDER: &str = "your client id";

/// The section as written. The sample explains each key.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AppFile {
    authority: String,
    issuer: Option<String>,
    sandbox: Option<String>,
    api: Option<String>,
    client_id: String,
    client_secret_file: Option<PathBuf>,
    #[serde(default)]
    public: bool,
    redirect_uri: Option<String>,
    scope: Option<String>,
    system: Option<String>,
    system_key_file: Option<PathBuf>,
    title: Option<String>,
    after: Option<String>,
    #[serde(default)]
    return_prefixes: Vec<String>,
}

impl AppFile {
    /// Its settings, with the secrets that it names. An authority that is named by its issuer is asked about itself.
    pub(super) async fn read(self, name: &str, callback: Option<&Url>) -> anyhow::Result<AppSettings> {
        let mut findings = Findings::default();
        let of_app = |what: &str| format!("apps.{name}.{what}");
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if name.is_empty() || !name.bytes().all(fits) || name.starts_with('.') {
            findings.refuse(format!("apps.{name}: a name has letters, digits, hyphens, dots and underscores"));
        }
        if self.client_id == PLACEHOLDER || self.client_id.is_empty() {
            findings.refuse(format!(
                "{} is empty or still the sample's; the authority gives every app one",
                of_app("client_id")
            ));
        }
        let secret_setting = of_app("client_secret_file");
        let client_secret = match (&self.client_secret_file, self.public) {
            (Some(path), false) => findings.keep(secret(&secret_setting, path)),
            (None, true) => None,
            (None, false) => {
                findings.refuse(format!("{secret_setting} is missing; an app without a secret says public = true"));
                None
            }
            (Some(_), true) => {
                findings.refuse(format!("{secret_setting} contradicts public = true"));
                None
            }
        };
        let system = match (&self.system, &self.system_key_file) {
            (Some(system), Some(path)) => findings.keep(secret(&of_app("system_key_file"), path).and_then(|key| {
                System::new(system, key).map_err(|error| refuse(format!("{}: {error}", of_app("system"))))
            })),
            (None, None) => None,
            _ => {
                findings.refuse(format!("apps.{name}: system and system_key_file go together"));
                None
            }
        };
        let mut place = |setting: String, text: &str| {
            let url = Url::parse(text).map_err(|error| {
                refuse(format!(
                    "{setting} {text}: {error}; it is a whole address, like https://app.example.com/connected"
                ))
            });
            findings.keep(url)
        };
        let after = self.after.as_deref().and_then(|text| place(of_app("after"), text));
        let return_prefixes: Vec<Url> =
            self.return_prefixes.iter().filter_map(|text| place(of_app("return_prefixes"), text)).collect();
        for prefix in &return_prefixes {
            if !prefix.path().ends_with('/') || prefix.query().is_some() || prefix.fragment().is_some() {
                findings.refuse(format!("{} {prefix} must end in / and have no query", of_app("return_prefixes")));
            }
        }
        let credentials = App {
            client_id: self.client_id,
            client_secret,
            redirect_uri: self.redirect_uri.or(callback.map(|url| url.as_str().to_owned())).unwrap_or_default(),
        };
        let named =
            NamedAuthority { authority: self.authority, url: self.issuer, sandbox: self.sandbox, api: self.api };
        let provider = match named.find(Misnamed::in_settings).await {
            Ok(authority) => authority.provider(&credentials),
            Err(error) => Err(error),
        };
        let provider = findings.keep(provider.map_err(|error| named_app(name, &error)));
        findings.end()?;
        let provider = provider.context("invariant: what was not found was told")?;
        Ok(AppSettings {
            name: name.to_owned(),
            title: self.title.unwrap_or_else(|| name.to_owned()),
            provider: match system {
                Some(system) => provider.with_system(system),
                None => provider,
            },
            app: credentials,
            scope: self.scope,
            after,
            return_prefixes,
        })
    }
}

/// The same error, with the section in front.
fn named_app(name: &str, error: &anyhow::Error) -> anyhow::Error {
    Exit::of(error).unwrap_or(Exit::Refused).because(format!("apps.{name}: {error:#}"))
}
