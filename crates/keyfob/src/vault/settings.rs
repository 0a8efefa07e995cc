//! The vault's configuration: one TOML file, checked before anything is opened.

mod sample;

pub(super) use sample::SAMPLE;

use crate::composition::log::LogFormat;
use crate::composition::secret_file;
use crate::config::{TlsFiles, check_transport};
use crate::exit::Exit;
use crate::partner::authority::NamedAuthority;
use keyfob_client::{App, Secret, System};
use keyfob_pages::Brand;
use keyfob_postgres::Address;
use keyfob_vault::AppSettings;
use keyfob_vault::callers::{Caller, ProxyRule, Right};
use keyfob_vault::delivery::Webhook;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use url::Url;

const DEFAULT_FILE: &str = "vault.toml";
pub(super) const DEFAULT_LISTEN: &str = "127.0.0.1:4400";

/// Everything that the service needs to know.
#[derive(Clone)]
pub(super) struct VaultSettings {
    pub(super) public_url: Url,
    pub(super) listen: SocketAddr,
    pub(super) metrics_listen: Option<SocketAddr>,
    pub(super) tls: Option<TlsFiles>,
    pub(super) store: StoreSetting,
    pub(super) master_key_file: PathBuf,
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

/// The file as written. The sample explains each key.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    public_url: String,
    listen: Option<SocketAddr>,
    metrics_listen: Option<SocketAddr>,
    tls: Option<TlsFiles>,
    store: Option<String>,
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
struct AppFile {
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
    after: Option<Url>,
    #[serde(default)]
    return_prefixes: Vec<Url>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CallerFile {
    key_sha256: String,
    #[serde(default)]
    rights: BTreeSet<RightName>,
    apps: Option<BTreeSet<String>>,
    #[serde(default)]
    proxy: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RightName {
    Connect,
    Read,
    Manage,
    Token,
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
        let file: File = toml::from_str(&text).map_err(|error: toml::de::Error| {
            // It repeats the line, which may hold the password of a database.
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            refuse(format!("configuration {}: line {line}: {}", path.display(), error.message()))
        })?;
        checked(file).await
    }
}

async fn checked(file: File) -> anyhow::Result<VaultSettings> {
    let public_url = public_url(&file.public_url)?;
    let listen = file.listen.unwrap_or_else(|| DEFAULT_LISTEN.parse().expect("invariant: a constant address"));
    check_transport(listen, file.tls.is_some())?;
    let store = store(file.store.as_deref().unwrap_or("vault.db"))?;
    let brand = Brand {
        name: file.brand.name.unwrap_or_else(|| Brand::default().name),
        logo_url: file.brand.logo_url,
        accent: file.brand.accent,
        support_url: file.brand.support_url,
    };
    brand.check().map_err(|problem| refuse(format!("brand: {problem}")))?;
    if file.apps.is_empty() {
        return Err(refuse("there is no app; add an [apps.NAME] section (keyfob vault sample shows one)"));
    }
    let mut apps = Vec::new();
    for (name, app) in file.apps {
        apps.push(app_settings(&name, app, &public_url).await?);
    }
    let known: BTreeSet<&str> = apps.iter().map(|app| app.name.as_str()).collect();
    let callers = file.callers.into_iter().map(|(name, caller)| caller_of(name, caller, &known));
    let callers = callers.collect::<Result<Vec<_>, _>>()?;
    let mut keys = BTreeMap::new();
    for caller in &callers {
        // Whose rights would it have?
        if let Some(other) = keys.insert(caller.key_sha256, caller.name.as_str()) {
            return Err(refuse(format!("callers.{other} and callers.{} have the same key_sha256", caller.name)));
        }
    }
    let webhooks = file.webhooks.into_iter().map(|(name, hook)| {
        let secret = secret(&format!("webhooks.{name}.secret_file"), &hook.secret_file)?;
        Webhook::new(&name, &hook.url, secret).map_err(|error| refuse(format!("webhooks.{name}.url: {error}")))
    });
    let master_key_file = file.master_key_file.unwrap_or_else(|| match &store {
        StoreSetting::File(path) => path.with_extension("master-key"),
        StoreSetting::Postgres(_) => PathBuf::from("vault.master-key"),
    });
    Ok(VaultSettings {
        webhooks: webhooks.collect::<anyhow::Result<_>>()?,
        public_url,
        listen,
        metrics_listen: file.metrics_listen,
        tls: file.tls,
        store,
        master_key_file,
        log: file.log,
        brand,
        apps,
        callers,
    })
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

async fn app_settings(name: &str, app: AppFile, public_url: &Url) -> anyhow::Result<AppSettings> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if name.is_empty() || !name.bytes().all(fits) || name.starts_with('.') {
        return Err(refuse(format!("apps.{name}: a name has letters, digits, hyphens, dots and underscores")));
    }
    let of_app = |what: &str| format!("apps.{name}.{what}");
    let client_secret = match (&app.client_secret_file, app.public) {
        (Some(path), false) => Some(secret(&of_app("client_secret_file"), path)?),
        (None, true) => None,
        (None, false) => {
            return Err(refuse(format!(
                "{} is missing; an app without a secret says public = true",
                of_app("client_secret_file")
            )));
        }
        (Some(_), true) => return Err(refuse(format!("{} contradicts public = true", of_app("client_secret_file")))),
    };
    let callback = public_url.join("callback").expect("invariant: a plain path");
    let credentials = App {
        client_id: app.client_id,
        client_secret,
        redirect_uri: app.redirect_uri.unwrap_or_else(|| String::from(callback)),
    };
    let named = NamedAuthority::new(app.authority, app.issuer, app.sandbox, app.api);
    let authority = named.find().await.map_err(|error| refuse(format!("apps.{name}: {error}")))?;
    let mut provider = authority.provider(&credentials)?;
    match (app.system, &app.system_key_file) {
        (Some(system), Some(path)) => {
            let key = secret(&of_app("system_key_file"), path)?;
            let system = System::new(&system, key).map_err(|error| refuse(format!("{}: {error}", of_app("system"))))?;
            provider = provider.with_system(system);
        }
        (None, None) => {}
        _ => return Err(refuse(format!("apps.{name}: system and system_key_file go together"))),
    }
    for prefix in &app.return_prefixes {
        if !prefix.path().ends_with('/') || prefix.query().is_some() || prefix.fragment().is_some() {
            return Err(refuse(format!("{} {prefix} must end in / and have no query", of_app("return_prefixes"))));
        }
    }
    Ok(AppSettings {
        name: name.to_owned(),
        title: app.title.unwrap_or_else(|| name.to_owned()),
        provider,
        app: credentials,
        scope: app.scope,
        after: app.after,
        return_prefixes: app.return_prefixes,
    })
}

fn caller_of(name: String, caller: CallerFile, known: &BTreeSet<&str>) -> anyhow::Result<Caller> {
    let of_caller = |what: &str| format!("callers.{name}.{what}");
    let key_sha256 = hex(&caller.key_sha256).ok_or_else(|| {
        refuse(format!("{} must be 64 hexadecimal digits, as keyfob vault key prints them", of_caller("key_sha256")))
    })?;
    if let Some(unknown) = caller.apps.iter().flatten().find(|app| !known.contains(app.as_str())) {
        return Err(refuse(format!("{}: there is no app {unknown}", of_caller("apps"))));
    }
    let proxy = caller
        .proxy
        .iter()
        .map(|rule| ProxyRule::parse(rule).map_err(|error| refuse(format!("{}: {error}", of_caller("proxy")))));
    let rights = caller.rights.iter().map(|right| match right {
        RightName::Connect => Right::Connect,
        RightName::Read => Right::Read,
        RightName::Manage => Right::Manage,
        RightName::Token => Right::Token,
    });
    Ok(Caller {
        rights: rights.collect(),
        proxy: proxy.collect::<anyhow::Result<_>>()?,
        key_sha256,
        apps: caller.apps,
        name,
    })
}

pub(super) fn hex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}
