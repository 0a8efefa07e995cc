//! One TOML file plus `KEYFOB_*`. Unknown keys are refused; every default has a reason beside it.

mod sample;
mod sign_in;

use crate::args::{ConfigCommand, Place};
use crate::composition::authority::{Absent, Data, ours};
use crate::composition::entropy::SystemEntropy;
use crate::composition::log::LogFormat;
use crate::composition::master_key;
use crate::exit::Exit;
use crate::output;
use ipnet::IpNet;
use keyfob_authority::Settings;
use keyfob_authority::authority::DeclaredScope;
use keyfob_authority::sign_in::SignInPlace;
use keyfob_pages::Brand;
use keyfob_protocol::access_token::SigningAlgorithm;
use keyfob_protocol::time::DAY;
use keyfob_server::{MAX_STALE, Options, WithoutNews};
use keyfob_store_postgres::Address;
use serde::Deserialize;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use url::{Host, Url};

/// Everything that `serve` needs to know, checked.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) issuer: String,
    pub(crate) listen: SocketAddr,
    pub(crate) data: PathBuf,
    pub(crate) store: StorePlace,
    pub(crate) master_key_file: PathBuf,
    pub(crate) metrics_listen: Option<SocketAddr>,
    pub(crate) tls: Option<TlsFiles>,
    pub(crate) signing_algorithm: SigningAlgorithm,
    pub(crate) connections: usize,
    pub(crate) log: LogFormat,
    pub(crate) doorway: Options,
    api_audience: Option<String>,
    code_lifetime: i64,
    signing_key_lifetime: Option<i64>,
    scopes: Vec<DeclaredScope>,
    sign_in: SignInPlace,
}

/// Where the rows lie. Prints without the password of a database.
#[derive(Clone, Debug)]
pub(crate) enum StorePlace {
    /// SQLite in the data directory.
    Data,
    /// A database that several nodes may share.
    Postgres(Box<Address>),
}

/// A URL that may hold a password.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub(crate) struct StoreUrl(pub(crate) String);

impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreUrl(_)")
    }
}

/// Where TLS finds its certificate.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TlsFiles {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// The file as written. The sample explains each key.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    issuer: Option<String>,
    listen: Option<SocketAddr>,
    data: Option<PathBuf>,
    store: Option<StoreUrl>,
    master_key_file: Option<PathBuf>,
    metrics_listen: Option<SocketAddr>,
    tls: Option<TlsFiles>,
    signing_algorithm: Option<SigningAlgorithm>,
    signing_key_days: Option<u16>,
    connections: Option<usize>,
    requests_at_once: Option<usize>,
    trusted_proxies: Vec<IpNet>,
    log: LogFormat,
    fub_status: bool,
    legacy_get: Option<bool>,
    api_audience: Option<String>,
    code_lifetime: Option<i64>,
    brand: BrandFile,
    scopes: Vec<DeclaredScope>,
    sign_in: sign_in::SignInFile,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct BrandFile {
    name: Option<String>,
    logo_url: Option<String>,
    accent: Option<String>,
    support_url: Option<String>,
}

const DEFAULT_FILE: &str = "keyfob.toml";
const DEFAULT_LISTEN: &str = "127.0.0.1:8080";
const DEFAULT_DATA: &str = "keyfob-data";

impl Config {
    /// Reads the file and the environment, and checks that they are safe to start with.
    pub(crate) fn read(file: Option<&Path>, data: Option<PathBuf>, store: Option<StoreUrl>) -> anyhow::Result<Config> {
        let file = match file {
            Some(path) => parse(path)?,
            None if Path::new(DEFAULT_FILE).exists() => parse(Path::new(DEFAULT_FILE))?,
            None => File::default(),
        };
        let file = with_environment(file)?;
        let data = data.or(file.data).unwrap_or_else(|| PathBuf::from(DEFAULT_DATA));
        let store = store_place(store.or(file.store))?;
        let listen = file.listen.unwrap_or_else(|| DEFAULT_LISTEN.parse().expect("invariant: a constant address"));
        let issuer = file.issuer.unwrap_or_else(|| format!("http://{listen}"));
        let https = check_issuer(&issuer)?;
        check_transport(listen, file.tls.is_some())?;
        let brand = Brand {
            name: file.brand.name.unwrap_or_else(|| Brand::default().name),
            logo_url: file.brand.logo_url,
            accent: file.brand.accent,
            support_url: file.brand.support_url,
        };
        brand.check().map_err(|problem| Exit::Refused.because(format!("brand: {problem}")))?;
        let code_lifetime = file.code_lifetime.unwrap_or(900);
        if !(60..=900).contains(&code_lifetime) {
            return Err(Exit::Refused.because("code_lifetime must be 60 to 900 seconds"));
        }
        let connections = file.connections.unwrap_or(4096);
        if connections == 0 {
            return Err(Exit::Refused.because("connections must be at least 1"));
        }
        let most_requests = file.requests_at_once.unwrap_or(1024);
        if most_requests == 0 {
            return Err(Exit::Refused.because("requests_at_once must be at least 1"));
        }
        let without_news = without_news(&store);
        // A listener without TLS is a loopback one, and an https issuer is reached through something that has it.
        let unnamed_proxy = https && file.tls.is_none() && file.trusted_proxies.is_empty();
        Ok(Config {
            issuer,
            listen,
            // Beside the data directory, so that a copy of the one is not a copy of both.
            master_key_file: file.master_key_file.unwrap_or_else(|| master_key::beside(&data, ".master-key")),
            data,
            store,
            metrics_listen: file.metrics_listen,
            tls: file.tls,
            signing_algorithm: file.signing_algorithm.unwrap_or(SigningAlgorithm::EdDsa),
            connections,
            log: file.log,
            doorway: Options {
                brand,
                without_news,
                fub_status: file.fub_status,
                legacy_get: file.legacy_get.unwrap_or(true),
                trusted_proxies: file.trusted_proxies,
                unnamed_proxy,
                most_requests,
                ..if https { Options::default() } else { Options::plain_loopback() }
            },
            api_audience: file.api_audience,
            code_lifetime,
            signing_key_lifetime: match file.signing_key_days.unwrap_or(90) {
                0 => None,
                days => Some(i64::from(days) * DAY),
            },
            scopes: file.scopes,
            sign_in: file.sign_in.read()?,
        })
    }

    /// The database file.
    pub(crate) fn database(&self) -> PathBuf {
        self.data.join("keyfob.db")
    }

    /// The same authority with its rows in this data directory.
    pub(crate) fn in_directory(&self, data: &Path) -> Config {
        Config { data: data.to_owned(), store: StorePlace::Data, ..self.clone() }
    }

    /// The same authority with its master key in this file.
    pub(crate) fn with_master_key_file(self, master_key_file: PathBuf) -> Config {
        Config { master_key_file, ..self }
    }

    /// The law's settings.
    pub(crate) fn settings(&self) -> Settings {
        let settings = Settings::new(&self.issuer);
        Settings {
            audience: self.api_audience.clone().unwrap_or(settings.audience),
            code_lifetime: self.code_lifetime,
            signing_key_lifetime: self.signing_key_lifetime,
            scopes: self.scopes.clone(),
            sign_in: self.sign_in.clone(),
            issuer: settings.issuer,
            ..settings
        }
    }

    /// What to do about a proxy that must be there and is not named, if it is so.
    pub(crate) fn advice_on_proxy(&self) -> Option<&'static str> {
        self.doorway.unnamed_proxy.then_some(
            "the issuer is https and this listener is plain, so a proxy stands before it that trusted_proxies does not name: nobody is told apart \
             by address, and whoever guesses at somebody's password holds up their sign-in in a new browser. Name it, for example trusted_proxies = [\"127.0.0.1/32\"], and \
             have it add the client's address to X-Forwarded-For",
        )
    }

    /// Whether a copy of the data directory would hold the key, too.
    pub(crate) fn key_lies_with_data(&self) -> bool {
        self.master_key_file.starts_with(&self.data)
    }
}

/// `keyfob config …`
pub(crate) async fn run(command: ConfigCommand, place: &Place, json: bool) -> anyhow::Result<()> {
    match command {
        ConfigCommand::Sample => output::data(false, &(), || sample::SAMPLE.to_owned()),
        ConfigCommand::Check => {
            let config = place.config()?;
            if let Some(tls) = &config.tls {
                keyfob_server::listen::tls::Tls::load(&tls.certificate, &tls.key)
                    .map_err(|error| Exit::Refused.because(format!("tls: {error}")))?;
            }
            let unscoped = check_data(&config).await?;
            if !unscoped.is_empty() {
                output::say(&format!(
                    "note: scopes are declared, and these apps are held to none, so they get their users' whole role: {}. \
                     `keyfob app update APP --scope` holds an app to some.",
                    unscoped.join(", ")
                ));
            }
            if let Some(advice) = config.advice_on_proxy() {
                output::say(&format!("note: {advice}."));
            }
            let found = serde_json::json!({
                "issuer": config.issuer,
                "listen": config.listen,
                "tls": config.tls.is_some(),
                "data": config.data,
                "store": config.store.to_string(),
                "masterKeyFile": config.master_key_file,
                "appsWithoutScope": unscoped,
            });
            output::data(json, &found, || {
                format!(
                    "issuer {}\nlisten {} ({})\ndata {}\nstore {}\nmaster key {}",
                    config.issuer,
                    config.listen,
                    if config.tls.is_some() { "TLS" } else { "plain, for a proxy on this machine" },
                    config.data.display(),
                    config.store,
                    config.master_key_file.display()
                )
            })
        }
    }
}

/// The master key opens the data, and both belong to this issuer. Where there is no data, nothing is made. Returns the client ids of enabled
/// apps that are held to no scope although scopes are declared.
async fn check_data(config: &Config) -> anyhow::Result<Vec<String>> {
    match Data::open(config, Absent::Refuse).await {
        Ok(Data { store, opener, .. }) => {
            // A store that nobody claimed yet has nothing to check.
            let checked = match store.identity().await? {
                Some(identity) => ours(opener.fits(&identity)).and(ours(opener.keys(&*store).await).map(drop)),
                None => Ok(()),
            };
            let apps = match checked.is_ok() && !config.scopes.is_empty() {
                true => store.apps(None).await?,
                false => Vec::new(),
            };
            store.close().await;
            let unscoped = apps.into_iter().filter(|app| app.enabled && app.policy.allowed_scope.is_empty());
            checked.map(|()| unscoped.map(|app| app.client_id).collect())
        }
        Err(error) if Exit::of(&error) == Some(Exit::NotFound) && config.master_key_file.exists() => {
            master_key::kept(&config.master_key_file, &SystemEntropy::new()).map(|_| Vec::new())
        }
        Err(error) if Exit::of(&error) == Some(Exit::NotFound) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn parse(path: &Path) -> anyhow::Result<File> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        let exit = if error.kind() == std::io::ErrorKind::NotFound { Exit::NotFound } else { Exit::Refused };
        exit.because(format!("configuration {}: {error}", path.display()))
    })?;
    toml::from_str(&text).map_err(|error: toml::de::Error| {
        let mut told = error.to_string();
        if told.contains("://") || told.contains("secret") {
            // It repeats the line, which may hold the password of a database or a client's secret.
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            told = format!("line {}: {}", before.matches('\n').count() + 1, error.message());
        }
        Exit::Refused.because(format!("configuration {}: {told}", path.display()))
    })
}

/// `KEYFOB_ISSUER` and its like replace what the file says. An unknown one is refused as an unknown key is.
fn with_environment(mut file: File) -> anyhow::Result<File> {
    for (name, value) in std::env::vars() {
        let Some(key) = name.strip_prefix("KEYFOB_") else { continue };
        let refuse = |why: String| Exit::Refused.because(format!("{name}: {why}"));
        match key {
            "ISSUER" => file.issuer = Some(value),
            "LISTEN" => {
                file.listen = Some(value.parse().map_err(|_| refuse("it is not like 127.0.0.1:8080".to_owned()))?)
            }
            "METRICS_LISTEN" => {
                file.metrics_listen =
                    Some(value.parse().map_err(|_| refuse("it is not like 127.0.0.1:9100".to_owned()))?);
            }
            "MASTER_KEY_FILE" => file.master_key_file = Some(PathBuf::from(value)),
            "LOG" => {
                file.log = match value.as_str() {
                    "text" => LogFormat::Text,
                    "json" => LogFormat::Json,
                    _ => return Err(refuse("it must be text or json".to_owned())),
                };
            }
            // Read elsewhere: the key itself, the gate's secret, the place, what the tests set, and the partner's side.
            "MASTER_KEY" | "GATE_SECRET" | "DATA" | "STORE" | "CONFIG" | "MIGRATE_FROM" | "MIGRATE_TO" | "LONG"
            | "TEST_POSTGRES" | "FAULT_MINUTES" | "FAULT_SEED" => {}
            "CLIENT_ID" | "CLIENT_SECRET" | "SYSTEM_KEY" | "CONNECTIONS" => {}
            _ => return Err(refuse("there is no such setting; see `keyfob config sample`".to_owned())),
        }
    }
    Ok(file)
}

/// Reads where the store is, without ever repeating what may hold a password.
fn store_place(url: Option<StoreUrl>) -> anyhow::Result<StorePlace> {
    let Some(StoreUrl(url)) = url else { return Ok(StorePlace::Data) };
    if !Address::is_meant(&url) {
        return Err(Exit::Refused.because(
            "store: it must be like postgres://user:password@host/database; without it the store is SQLite in the data directory",
        ));
    }
    Address::parse(&url)
        .map(|address| StorePlace::Postgres(Box::new(address)))
        .map_err(|error| Exit::Refused.because(format!("store: {error}")))
}

impl fmt::Display for StorePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StorePlace::Data => f.write_str("SQLite in the data directory"),
            StorePlace::Postgres(address) => address.fmt(f),
        }
    }
}

/// The gate of a node that shares its database learns of the other nodes' revocations by following it only, so it refuses once it has been
/// cut off for the gate's usual bound (matrix BR-11). What is done on the SQLite file of this machine this process learns of while it can
/// serve at all.
fn without_news(store: &StorePlace) -> WithoutNews {
    match store {
        StorePlace::Data => WithoutNews::KeepServing,
        StorePlace::Postgres(_) => WithoutNews::RefuseAfter(MAX_STALE),
    }
}

/// Whether the issuer is https. Plain http is for loopback only (matrix SE-03, MD-02).
fn check_issuer(issuer: &str) -> anyhow::Result<bool> {
    let refuse = |why: &str| Exit::Refused.because(format!("issuer {issuer}: {why}"));
    let url = Url::parse(issuer).map_err(|_| refuse("it is not a URL"))?;
    if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() || issuer.ends_with('/') {
        return Err(refuse("it must have no query, fragment, user or trailing slash"));
    }
    if url.path() != "/" {
        return Err(refuse("it must have no path; the routes are at the root of a host"));
    }
    let loopback = match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    match url.scheme() {
        "https" => Ok(true),
        "http" if loopback => Ok(false),
        _ => Err(refuse("it must be https, since people send passwords there")),
    }
}

/// A plain listener outside loopback would send passwords and tokens in clear.
pub(crate) fn check_transport(listen: SocketAddr, tls: bool) -> anyhow::Result<()> {
    if tls || listen.ip().is_loopback() {
        return Ok(());
    }
    let message = format!(
        "listen {listen}: this address can be reached from elsewhere, so it needs [tls]; or listen on 127.0.0.1 behind a proxy"
    );
    Err(Exit::Refused.because(message))
}

#[cfg(test)]
mod tests;
