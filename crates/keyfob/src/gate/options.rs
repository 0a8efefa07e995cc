//! The flags of `keyfob gate`. Each replaces what the file says.

use crate::composition::log::LogFormat;
use clap::{Args, ValueEnum};
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::PathBuf;

/// What to do without news from the authority.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Fail {
    /// Refuse with 503 once there has been no news for `max_stale` seconds.
    #[default]
    Closed,
    /// Go on with what is known; a token revoked meanwhile passes until it expires.
    Open,
}

/// Flags of `keyfob gate`.
#[derive(Debug, Args)]
#[command(after_help = "\
The secret is read from --secret-file or KEYFOB_GATE_SECRET. With --upstream the gate is a reverse proxy; without, it answers GET /check
for nginx auth_request, Traefik ForwardAuth, Caddy forward_auth and Envoy ext_authz. docs/gate.md has examples.")]
pub(crate) struct GateArgs {
    /// The configuration file. Default: ./keyfob-gate.toml if it is there.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The authority to follow: its base URL, with https.
    #[arg(long, value_name = "URL")]
    pub(crate) authority: Option<String>,
    /// Who issues the tokens. Default: the authority's URL; another where the gate reaches it by an address of its own.
    #[arg(long, value_name = "URL")]
    pub(crate) issuer: Option<String>,
    /// For whom the tokens are meant: the API. Default: the issuer, as the authority's is.
    #[arg(long)]
    pub(crate) audience: Option<String>,
    /// The name under which this resource server is registered at the authority.
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// The file with its secret; only its owner may be able to read it.
    #[arg(long, value_name = "FILE")]
    pub(crate) secret_file: Option<PathBuf>,
    /// Where to listen; port 0 takes a free one. Default: 127.0.0.1:8090.
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<SocketAddr>,
    /// The API to guard as a reverse proxy: a URL of scheme, host and port.
    #[arg(long, value_name = "URL")]
    pub(crate) upstream: Option<String>,
    /// Proxy: hand the access token on to the API.
    #[arg(long)]
    pub(crate) forward_token: bool,
    /// Proxy: keep and continue X-Forwarded-* that come from these addresses.
    #[arg(long, value_name = "CIDR", num_args = 1..)]
    pub(crate) trust_proxy: Vec<String>,
    /// Forward-auth: the status where a request may pass, 204 or 200. Envoy wants 200.
    #[arg(long, value_name = "STATUS")]
    pub(crate) ok_status: Option<u16>,
    /// What to do without news from the authority. Default: closed.
    #[arg(long)]
    pub(crate) fail: Option<Fail>,
    /// Seconds without news after which a closed gate refuses. Default: 30.
    #[arg(long, value_name = "SECONDS")]
    pub(crate) max_stale: Option<i64>,
    /// Proxy: answer an invalid token with 400, as Follow Up Boss lists it, instead of 401.
    #[arg(long)]
    pub(crate) fub_status: bool,
    /// Serve /healthz, /readyz and /metrics here.
    #[arg(long, value_name = "ADDR")]
    pub(crate) metrics_listen: Option<SocketAddr>,
    /// How a line of the log looks.
    #[arg(long, env = "KEYFOB_LOG")]
    pub(crate) log: Option<LogFormat>,
}
