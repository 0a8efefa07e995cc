//! `[sign_in.…]`: where people sign in, if not here with a password. One place at a time, since the ids that the places give people are kept
//! in one.

use crate::composition::{back_channel, secret_file};
use crate::exit::Exit;
use keyfob_authority::hand_off::openid::rules::{AccountRule, NamedAccount, RoleRule};
use keyfob_authority::hand_off::openid::{OpenId, OpenIdSettings, SwitchPrompt};
use keyfob_authority::hand_off::{Platform, key::PlatformKey};
use keyfob_authority::model::Role;
use keyfob_authority::sign_in::SignInPlace;
use keyfob_protocol::Secret;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// As written. The sample explains each key.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct SignInFile {
    platform: Option<PlatformFile>,
    openid: Option<OpenIdFile>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlatformFile {
    url: String,
    public_key_file: PathBuf,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OpenIdFile {
    issuer: String,
    client_id: String,
    client_secret_file: Option<PathBuf>,
    scopes: Option<Vec<String>>,
    #[serde(default)]
    switch_prompt: SwitchPrompt,
    account: Option<NamedAccount>,
    account_claim: Option<String>,
    account_name_claim: Option<String>,
    role_claim: Option<String>,
    #[serde(default)]
    roles: BTreeMap<String, Role>,
    default_role: Option<Role>,
}

/// What every provider knows, and enough to make a person of.
const DEFAULT_SCOPES: [&str; 3] = ["openid", "email", "profile"];

impl SignInFile {
    /// The one place.
    pub(super) fn read(self) -> anyhow::Result<SignInPlace> {
        match (self.platform, self.openid) {
            (None, None) => Ok(SignInPlace::Here),
            (Some(file), None) => platform(file),
            (None, Some(file)) => openid(file),
            (Some(_), Some(_)) => Err(Exit::Refused.because(
                "sign_in: platform and openid are both there; people sign in at one place, and its ids are theirs here",
            )),
        }
    }
}

fn platform(file: PlatformFile) -> anyhow::Result<SignInPlace> {
    let PlatformFile { url, public_key_file } = file;
    let refuse = |why: String| Exit::Refused.because(format!("sign_in.platform: {why}"));
    let place = public_key_file.display();
    let text = std::fs::read_to_string(&public_key_file).map_err(|error| refuse(format!("{place}: {error}")))?;
    let key = PlatformKey::parse(&text).map_err(|problem| refuse(format!("{place}: {problem}")))?;
    let platform = Platform::new(&url, key).map(|platform| SignInPlace::Platform(Arc::new(platform)));
    platform.ok_or_else(|| refuse(format!("url {url}: it must be https and have no fragment")))
}

fn openid(file: OpenIdFile) -> anyhow::Result<SignInPlace> {
    let refuse = |why: String| Exit::Refused.because(format!("sign_in.openid: {why}"));
    let client_secret = match &file.client_secret_file {
        Some(path) => {
            let bytes = Secret::new(secret_file::read("sign_in.openid: client_secret_file", path)?);
            let text = std::str::from_utf8(bytes.expose()).map(str::trim_ascii).unwrap_or_default();
            if text.is_empty() || text.contains(char::is_control) {
                let place = path.display();
                return Err(refuse(format!("client_secret_file {place}: it must hold the secret alone, on one line")));
            }
            Some(Secret::from(text))
        }
        None => None,
    };
    let account = match (file.account, file.account_claim) {
        (Some(account), None) if file.account_name_claim.is_none() => AccountRule::One(account),
        (None, Some(id)) => AccountRule::Claim { id, name: file.account_name_claim },
        _ => {
            return Err(refuse(
                "whose people they are must be said once: account_claim (and account_name_claim), if the provider knows several companies, or \
                 [sign_in.openid.account] with id, name and domain, if they are all of one"
                    .to_owned(),
            ));
        }
    };
    let settings = OpenIdSettings {
        issuer: file.issuer,
        client_id: file.client_id,
        client_secret,
        scopes: file.scopes.unwrap_or_else(|| DEFAULT_SCOPES.map(str::to_owned).to_vec()),
        switch_prompt: file.switch_prompt,
        account,
        role: RoleRule { claim: file.role_claim, roles: file.roles, otherwise: file.default_role },
    };
    let channel = back_channel::driver(&settings.issuer).map_err(|error| refuse(error.to_string()))?;
    let openid = OpenId::new(settings, Arc::new(channel)).map_err(|problem| refuse(problem.to_string()))?;
    Ok(SignInPlace::OpenId(Arc::new(openid)))
}

#[cfg(test)]
mod tests;
