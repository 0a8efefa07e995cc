//! What `keyfob gate` does: flags over one TOML file, checked. Unknown keys are refused.

use super::options::{Fail, GateArgs};
use super::refused;
use crate::composition::log::LogFormat;
use crate::composition::secret_file;
use crate::config::{TlsFiles, check_transport};
use crate::exit::Exit;
use axum::http::StatusCode;
use keyfob_gate::follow::FollowConfig;
use keyfob_gate::front::ProxyConfig;
use keyfob_gate::front::proxy::{ScopedPaths, Upstream};
use keyfob_gate::{GateConfig, ProtectedResource, WithoutNews};
use keyfob_protocol::Secret;
use keyfob_protocol::scope::Scope;
use serde::Deserialize;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

const DEFAULT_FILE: &str = "keyfob-gate.toml";
const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8090);
/// The variable that may hold the secret.
const SECRET: &str = "KEYFOB_GATE_SECRET";
/// What the gate knows is one to two seconds old while all is well; less than this would refuse for a moment's delay.
const LEAST_MAX_STALE: i64 = 5;

/// Everything that the command needs to know.
#[derive(Debug)]
pub(super) struct GateSettings {
    pub(super) gate: GateConfig,
    pub(super) follow: FollowConfig,
    pub(super) mode: Mode,
    pub(super) listen: SocketAddr,
    pub(super) metrics_listen: Option<SocketAddr>,
    pub(super) tls: Option<TlsFiles>,
    pub(super) connections: usize,
    pub(super) log: LogFormat,
}

/// What it is to the requests that it checks.
#[derive(Debug)]
pub(super) enum Mode {
    /// An endpoint that a web server asks.
    ForwardAuth { passed: StatusCode },
    /// A proxy that they pass through.
    Proxy(Box<ProxyConfig>),
}

/// The file as written. docs/gate.md explains each key.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    authority: Option<String>,
    issuer: Option<String>,
    audience: Option<String>,
    name: Option<String>,
    secret_file: Option<PathBuf>,
    listen: Option<SocketAddr>,
    upstream: Option<String>,
    forward_token: bool,
    trust_proxy: Vec<String>,
    ok_status: Option<u16>,
    fail: Option<Fail>,
    max_stale: Option<i64>,
    fub_status: bool,
    metrics_listen: Option<SocketAddr>,
    connections: Option<usize>,
    log: Option<LogFormat>,
    tls: Option<TlsFiles>,
    paths: Vec<ScopedPath>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScopedPath {
    prefix: String,
    scope: String,
}

impl GateSettings {
    /// Reads the file and the secret, and checks that they are safe to start with.
    pub(super) fn read(args: GateArgs) -> anyhow::Result<GateSettings> {
        let file = match &args.config {
            Some(path) => parse(path)?,
            None if Path::new(DEFAULT_FILE).exists() => parse(Path::new(DEFAULT_FILE))?,
            None => File::default(),
        };
        let file = over(file, args);
        let missing = |what: &str| Exit::Refused.because(format!("{what} is missing; see `keyfob gate --help`"));
        let listen = file.listen.unwrap_or(DEFAULT_LISTEN);
        check_transport(listen, file.tls.is_some())?;
        let connections = file.connections.unwrap_or(4096);
        if connections == 0 {
            return Err(Exit::Refused.because("connections must be at least 1"));
        }
        let authority = file.authority.clone().ok_or_else(|| missing("authority"))?;
        let issuer = file.issuer.clone().unwrap_or_else(|| authority.trim_end_matches('/').to_owned());
        let audience = file.audience.clone().unwrap_or_else(|| issuer.clone());
        let gate = GateConfig {
            // The issuer's own URL is where the authority is, not this API.
            announced: ProtectedResource::new(&issuer, &audience, &[]).filter(|_| audience != issuer),
            audience,
            issuer,
            fub_status: file.fub_status,
            without_news: without_news(&file)?,
        };
        let name = file.name.clone().ok_or_else(|| missing("name"))?;
        let follow = FollowConfig { authority, name, secret: secret(file.secret_file.as_deref())? };
        Ok(GateSettings {
            gate,
            follow,
            listen,
            metrics_listen: file.metrics_listen,
            connections,
            log: file.log.unwrap_or_default(),
            tls: file.tls.clone(),
            mode: mode(file)?,
        })
    }
}

fn over(file: File, args: GateArgs) -> File {
    File {
        authority: args.authority.or(file.authority),
        issuer: args.issuer.or(file.issuer),
        audience: args.audience.or(file.audience),
        name: args.name.or(file.name),
        secret_file: args.secret_file.or(file.secret_file),
        listen: args.listen.or(file.listen),
        upstream: args.upstream.or(file.upstream),
        forward_token: args.forward_token || file.forward_token,
        trust_proxy: if args.trust_proxy.is_empty() { file.trust_proxy } else { args.trust_proxy },
        ok_status: args.ok_status.or(file.ok_status),
        fail: args.fail.or(file.fail),
        max_stale: args.max_stale.or(file.max_stale),
        fub_status: args.fub_status || file.fub_status,
        metrics_listen: args.metrics_listen.or(file.metrics_listen),
        log: args.log.or(file.log),
        ..file
    }
}

fn parse(path: &Path) -> anyhow::Result<File> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        let exit = if error.kind() == std::io::ErrorKind::NotFound { Exit::NotFound } else { Exit::Refused };
        exit.because(format!("configuration {}: {error}", path.display()))
    })?;
    toml::from_str(&text).map_err(|error| Exit::Refused.because(format!("configuration {}: {error}", path.display())))
}

fn without_news(file: &File) -> anyhow::Result<WithoutNews> {
    match (file.fail.unwrap_or_default(), file.max_stale) {
        (Fail::Open, None) => Ok(WithoutNews::KeepServing),
        (Fail::Open, Some(_)) => {
            Err(Exit::Refused.because("max_stale is for fail = \"closed\"; an open gate never refuses"))
        }
        (Fail::Closed, Some(seconds)) if seconds < LEAST_MAX_STALE => {
            Err(Exit::Refused.because(format!("max_stale must be at least {LEAST_MAX_STALE} seconds")))
        }
        (Fail::Closed, seconds) => Ok(WithoutNews::RefuseAfter(seconds.unwrap_or(30))),
    }
}

fn secret(file: Option<&Path>) -> anyhow::Result<Secret<String>> {
    let text = match (std::env::var(SECRET), file) {
        (Ok(text), None) => text,
        (Ok(_), Some(_)) => {
            return Err(Exit::Refused.because(format!("{SECRET} and secret_file are both set; keep one")));
        }
        (Err(_), Some(path)) => String::from_utf8(secret_file::read("secret_file", path)?)
            .map_err(|_| Exit::Refused.because(format!("secret_file {} is not text", path.display())))?,
        (Err(_), None) => {
            return Err(
                Exit::Refused.because(format!("the secret is missing; name a file by secret_file, or set {SECRET}"))
            );
        }
    };
    match text.trim() {
        "" => Err(Exit::Refused.because("the secret is empty")),
        secret => Ok(Secret::from(secret)),
    }
}

fn mode(file: File) -> anyhow::Result<Mode> {
    let Some(upstream) = file.upstream else {
        if file.forward_token || !file.trust_proxy.is_empty() || !file.paths.is_empty() || file.fub_status {
            let message = "forward_token, trust_proxy, fub_status and [[paths]] are for the proxy; set upstream, or leave them to the web server";
            return Err(Exit::Refused.because(message));
        }
        let passed = match file.ok_status {
            None | Some(204) => StatusCode::NO_CONTENT,
            Some(200) => StatusCode::OK,
            Some(_) => return Err(Exit::Refused.because("ok_status must be 204 or 200")),
        };
        return Ok(Mode::ForwardAuth { passed });
    };
    if file.ok_status.is_some() {
        return Err(Exit::Refused.because("ok_status is for forward-auth; the proxy answers what the upstream answers"));
    }
    let network = |text: &String| {
        let address = text.parse::<IpAddr>().map(ipnet::IpNet::from);
        let network = text.parse().or(address);
        network.map_err(|_| Exit::Refused.because(format!("trust_proxy {text}: it is not like 10.0.0.0/8")))
    };
    let rules = file.paths.into_iter().map(|ScopedPath { prefix, scope }| match Scope::parse(&scope) {
        Ok(scope) if !scope.is_empty() => Ok((prefix, scope)),
        _ => Err(Exit::Refused.because(format!("paths: \"{scope}\" is not a scope"))),
    });
    Ok(Mode::Proxy(Box::new(ProxyConfig {
        upstream: Upstream::new(&upstream).map_err(refused("upstream"))?,
        forward_token: file.forward_token,
        trusted_proxies: file.trust_proxy.iter().map(network).collect::<Result<_, _>>()?,
        scoped_paths: ScopedPaths::new(rules.collect::<Result<Vec<_>, _>>()?).map_err(refused("paths"))?,
        tls: file.tls.is_some(),
    })))
}

#[cfg(test)]
mod tests;
