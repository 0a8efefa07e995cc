//! The vault's configuration: one TOML file, checked before anything is opened.

mod app;
mod caller;
mod findings;
mod sample;
mod unread;

pub(super) use caller::hex;
pub(super) use findings::Findings;
pub(super) use sample::SAMPLE;

use app::AppFile;
use caller::CallerFile;

use crate::composition::log::LogFormat;
use crate::composition::secret_file;
use crate::config::{TlsFiles, check_transport};
use crate::exit::Exit;
use anyhow::Context;
use keyfob_client::Secret;
use keyfob_pages::Brand;
use keyfob_postgres::Address;
use keyfob_vault::AppSettings;
use keyfob_vault::callers::Caller;
use keyfob_vault::delivery::Webhook;
use keyfob_vault::store::MasterKey;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use url::Url;

const DEFAULT_FILE: &str = "vault.toml";

/// Where it listens unless the file says otherwise.
pub(super) fn default_listen() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 4400))
}

/// Everything that the service needs to know.
#[derive(Clone)]
pub(super) struct VaultSettings {
    pub(super) public_url: Url,
    pub(super) listen: SocketAddr,
    pub(super) metrics_listen: Option<SocketAddr>,
    pub(super) tls: Option<TlsFiles>,
    pub(super) store: StoreSetting,
    /// Whether a store that is not there is an error, and none is begun.
    pub(super) store_must_exist: bool,
    /// Whether one is begun whatever was there. Never in the file: it would stay there.
    pub(super) new_store: bool,
    pub(super) master_key: MasterKeyPlace,
    pub(super) log: LogFormat,
    pub(super) brand: Brand,
    pub(super) apps: Vec<AppSettings>,
    pub(super) callers: Vec<Caller>,
    pub(super) webhooks: Vec<Webhook>,
}

/// Where connections lie. Prints without a password.
#[derive(Clone)]
pub(super) enum StoreSetting {
    File(PathBuf),
    Postgres(Box<Address>),
}

impl fmt::Display for StoreSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreSetting::File(path) => path.display().fmt(f),
            StoreSetting::Postgres(address) => address.fmt(f),
        }
    }
}

/// Where the key is that the store is sealed under.
#[derive(Clone)]
pub(super) enum MasterKeyPlace {
    File(PathBuf),
    /// Of a store that is gone at the end: nothing is left that could open it, however the process ends.
    Memory(MasterKey),
}

/// The file as written. The sample explains each key.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    public_url: String,
    listen: Option<SocketAddr>,
    metrics_listen: Option<SocketAddr>,
    tls: Option<TlsFiles>,
    store: Option<String>,
    #[serde(default)]
    store_must_exist: bool,
    master_key_file: Option<PathBuf>,
    #[serde(default)]
    log: LogFormat,
    #[serde(default)]
    brand: BrandFile,
    #[serde(default)]
    apps: BTreeMap<String, AppFile>,
    #[serde(default)]
    callers: BTreeMap<String, CallerFile>,
    #[serde(default)]
    webhooks: BTreeMap<String, WebhookFile>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct BrandFile {
    name: Option<String>,
    logo_url: Option<String>,
    accent: Option<String>,
    support_url: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WebhookFile {
    url: String,
    secret_file: PathBuf,
}

fn refuse(why: impl Into<String>) -> anyhow::Error {
    Exit::Refused.because(why.into())
}

impl VaultSettings {
    /// Where this vault takes users back.
    pub(super) fn callback(&self) -> Url {
        callback(&self.public_url)
    }

    /// Reads the file and the secrets that it names. An authority that is named by its issuer is asked about itself.
    pub(super) async fn read(file: Option<&Path>) -> anyhow::Result<VaultSettings> {
        let path = file.unwrap_or(Path::new(DEFAULT_FILE));
        let text = std::fs::read_to_string(path).map_err(|error| {
            let hint = match error.kind() {
                std::io::ErrorKind::NotFound if file.is_none() => "; begin with: keyfob vault sample > vault.toml",
                _ => "",
            };
            Exit::NotFound.because(format!("configuration {}: {error}{hint}", path.display()))
        })?;
        let mut findings = Findings::default();
        let (file, unread) = unread::read::<File>(&text);
        unread.into_iter().for_each(|told| findings.refuse(format!("configuration {}: {told}", path.display())));
        let read = match file {
            Some(file) => findings.keep(checked(file).await),
            None => None,
        };
        findings.end()?;
        read.context("invariant: what was not read was told")
    }
}

async fn checked(file: File) -> anyhow::Result<VaultSettings> {
    let mut findings = Findings::default();
    let public_url = findings.keep(public_url(&file.public_url));
    let listen = file.listen.unwrap_or_else(default_listen);
    findings.keep(check_transport(listen, file.tls.is_some()));
    let store = findings.keep(store(file.store.as_deref().unwrap_or("vault.db")));
    let brand = Brand {
        name: file.brand.name.unwrap_or_else(|| Brand::default().name),
        logo_url: file.brand.logo_url,
        accent: file.brand.accent,
        support_url: file.brand.support_url,
    };
    findings.keep(brand.check().map_err(|problem| refuse(format!("brand: {problem}"))));
    if file.apps.is_empty() {
        findings.refuse("there is no app; add an [apps.NAME] section (keyfob vault sample shows one)");
    }
    let names: BTreeSet<String> = file.apps.keys().cloned().collect();
    let callback = public_url.as_ref().map(callback);
    let mut apps = Vec::new();
    for (name, app) in file.apps {
        apps.extend(findings.keep(app.read(&name, callback.as_ref()).await));
    }
    let mut callers: Vec<Caller> = Vec::new();
    for (name, caller) in file.callers {
        let Some(caller) = findings.keep(caller.read(&name, &names)) else { continue };
        // Whose rights would it have?
        if let Some(other) = callers.iter().find(|other| other.key_sha256 == caller.key_sha256) {
            findings.refuse(format!("callers.{} and callers.{name} have the same key_sha256", other.name));
        }
        callers.push(caller);
    }
    let webhooks = file.webhooks.into_iter().map(|(name, hook)| {
        let secret = secret(&format!("webhooks.{name}.secret_file"), &hook.secret_file)?;
        Webhook::new(&name, &hook.url, secret).map_err(|error| refuse(format!("webhooks.{name}: {error}")))
    });
    let webhooks = webhooks.filter_map(|webhook| findings.keep(webhook)).collect();
    findings.end()?;
    let (public_url, store) = public_url.zip(store).context("invariant: what was not found was told")?;
    let master_key_file = file.master_key_file.unwrap_or_else(|| match &store {
        StoreSetting::File(path) => path.with_extension("master-key"),
        StoreSetting::Postgres(_) => PathBuf::from("vault.master-key"),
    });
    let master_key = MasterKeyPlace::File(master_key_file);
    Ok(VaultSettings {
        webhooks,
        public_url,
        listen,
        metrics_listen: file.metrics_listen,
        tls: file.tls,
        store,
        store_must_exist: file.store_must_exist,
        new_store: false,
        master_key,
        log: file.log,
        brand,
        apps,
        callers,
    })
}

/// Where authorities send users back to, unless an app says otherwise.
fn callback(public_url: &Url) -> Url {
    public_url.join("callback").expect("invariant: a plain path")
}

fn public_url(text: &str) -> anyhow::Result<Url> {
    let refuse = |why: &str| refuse(format!("public_url {text}: {why}"));
    let url = keyfob_client::safe_url::parse(text).map_err(|error| refuse(&error.to_string()))?;
    if url.path() != "/" || url.query().is_some() {
        return Err(refuse("it must have neither a path nor a query; the routes are at the root of a host"));
    }
    Ok(url)
}

fn store(text: &str) -> anyhow::Result<StoreSetting> {
    match Address::is_meant(text) {
        true => Address::parse(text)
            .map(|address| StoreSetting::Postgres(Box::new(address)))
            .map_err(|error| refuse(format!("store: {error}"))),
        false => Ok(StoreSetting::File(PathBuf::from(text))),
    }
}

fn secret(setting: &str, path: &Path) -> anyhow::Result<Secret<String>> {
    let text = String::from_utf8(secret_file::read(setting, path)?)
        .map_err(|_| refuse(format!("{setting} {} is not text", path.display())))?;
    match text.trim() {
        "" => Err(refuse(format!("{setting} {} is empty", path.display()))),
        text => Ok(Secret::from(text)),
    }
}
