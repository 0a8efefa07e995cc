//! The command line. Data goes to standard output, talk to standard error, exit codes have meanings ([`crate::exit`]).

use crate::admin::{account, app, grant, key, ledger, resource_server, system, user};
use crate::composition::authority::{Absent, Opened};
use crate::config::{Config, StoreUrl};
use crate::explain;
use crate::gate::GateArgs;
use crate::migrate::MigrateArgs;
use crate::partner::call::CallArgs;
use crate::partner::connect::ConnectArgs;
use crate::partner::connections;
use crate::partner::files::StoreDir;
use crate::partner::record::RecordArgs;
use crate::partner::token::TokenArgs;
use crate::vault::VaultArgs;
use clap::{Args as ClapArgs, Parser, Subcommand};
use clap_complete::Shell;
use keyfob_client::explain::Authority;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Delegated access, complete: third-party apps act for a platform's users without ever seeing a password.
#[derive(Debug, Parser)]
#[command(
    name = "keyfob",
    version,
    about,
    arg_required_else_help = true,
    after_help = "\
Start here:
  keyfob sandbox            the whole flow on this machine, offline, nothing to configure
  keyfob serve --data DIR   the authority for real use
  keyfob gate --help        its tokens in front of an API in any language
  keyfob explain 'URL'      what is wrong with a URL, a curl command or an answer
  keyfob connect --help     a user's account for your app, then: keyfob call GET /v1/people
  keyfob vault --help       many users' accounts, kept alive behind an HTTP API for your backend
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 refused (invalid input), 4 not found, 5 conflict, 6 unavailable (try again),
7 the user has to connect again, 8 the user declined."
)]
pub(crate) struct Args {
    /// Print JSON on standard output.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Authority, API and demo on this machine, offline, for developing and testing an integration.
    Sandbox(SandboxArgs),
    /// Say what is wrong with an authorize URL, a callback, a curl command or a reply, and what to write instead. Sends nothing.
    #[command(after_help = EXPLAIN_HELP)]
    Explain(ExplainArgs),
    /// Run the authority.
    Serve(Place),
    /// Check access tokens in front of an API: as an endpoint that a web server asks, or as a reverse proxy.
    Gate(Box<GateArgs>),
    /// Accounts: companies whose users connect apps.
    Account {
        #[command(flatten)]
        place: Place,
        #[command(subcommand)]
        command: account::Command,
    },
    /// Users: people who sign in.
    User {
        #[command(flatten)]
        place: Place,
        #[command(subcommand)]
        command: user::Command,
    },
    /// Systems: registered partners.
    System {
        #[command(flatten)]
        place: Place,
        #[command(subcommand)]
        command: system::Command,
    },
    /// Apps: OAuth clients of systems.
    App {
        #[command(flatten)]
        place: Place,
        #[command(subcommand)]
        command: app::Command,
    },
    /// Grants: what users gave apps.
    Grant {
        #[command(flatten)]
        place: Place,
        #[command(subcommand)]
        command: grant::Command,
    },
    /// Resource servers: gates and APIs that follow what is revoked.
    ResourceServer {
        #[command(flatten)]
        place: Place,
        #[command(subcommand)]
        command: resource_server::Command,
    },
    /// Keys that sign access tokens, and the master key that seals them.
    Key {
        #[command(flatten)]
        place: Place,
        #[command(subcommand)]
        command: key::Command,
    },
    /// What happened, newest first.
    Ledger {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        filter: ledger::Filter,
    },
    /// Copy the store of a running or stopped authority into a file. The master key is not in it.
    Backup {
        #[command(flatten)]
        place: Place,
        /// The file to write; it must not exist.
        to: PathBuf,
    },
    /// Put a backup in place of the store of a stopped authority. The earlier store is kept beside it.
    Restore {
        #[command(flatten)]
        place: Place,
        /// The file to read.
        from: PathBuf,
    },
    /// Move everything into another kind of store, or another database, while the source takes no writes. All tokens stay valid; the
    /// master key belongs to the data and must go where they go.
    Migrate(MigrateArgs),
    /// Connect a user's account at Follow Up Boss, a Keyfob or any OAuth authority for your app.
    Connect(Box<ConnectArgs>),
    /// Call the API as a connected user.
    Call(CallArgs),
    /// Connections that are kept on this machine.
    Connections {
        #[command(flatten)]
        store_dir: StoreDir,
        #[command(subcommand)]
        command: connections::Command,
    },
    /// Ask an authority what nobody wrote down about it, write a transcript without secrets, and compare two.
    Record(Box<RecordArgs>),
    /// Keep the connections of many users alive and call the API for them: a service for your backend, in any language.
    Vault(Box<VaultArgs>),
    /// Print a good access token of a connection. It is a secret.
    Token(TokenArgs),
    /// Look at the configuration.
    Config {
        #[command(flatten)]
        place: Place,
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Print a completion script for a shell.
    Completions {
        /// Which shell.
        shell: Shell,
    },
    /// Write man pages into a directory.
    Man {
        /// Where to.
        directory: PathBuf,
    },
}

/// Which authority a command is about.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct Place {
    /// The directory with the store. Default: `data` of the configuration, or ./keyfob-data.
    #[arg(long, global = true, value_name = "DIR", env = "KEYFOB_DATA")]
    data: Option<PathBuf>,
    /// The database of several nodes, like postgres://user:password@host/database. Rather set it in the environment or the
    /// configuration, where other users do not see the password. Default: SQLite in the data directory.
    #[arg(long, global = true, value_name = "URL", env = "KEYFOB_STORE", hide_env_values = true, value_parser = store_url)]
    store: Option<StoreUrl>,
    /// The configuration file. Default: ./keyfob.toml if it is there.
    #[arg(long, global = true, value_name = "FILE", env = "KEYFOB_CONFIG")]
    config: Option<PathBuf>,
}

impl Place {
    /// Reads the configuration.
    pub(crate) fn config(&self) -> anyhow::Result<Config> {
        Config::read(self.config.as_deref(), self.data.clone(), self.store.clone())
    }

    /// Runs a command on the authority's store with the law in front of it.
    pub(crate) async fn with(
        &self,
        absent: Absent,
        run: impl AsyncFnOnce(&Opened) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let opened = Opened::open(&self.config()?, absent).await?;
        let done = run(&opened).await;
        opened.note_tick().await?;
        done
    }
}

fn store_url(text: &str) -> Result<StoreUrl, Infallible> {
    Ok(StoreUrl(text.to_owned()))
}

const EXPLAIN_HELP: &str = "\
Examples:
  keyfob explain 'https://app.followupboss.com/oauth/authorize?response_type=code&client_id=…'
  keyfob explain 'AUTHORIZE URL' 'CALLBACK URL' 'CURL COMMAND'     compares them with each other
  curl -i … | keyfob explain                                       explains the answer
  keyfob explain < call.py                                         explains a call of requests, httpx, fetch or axios
Exit codes: 0 nothing wrong found, 3 something is wrong.";

#[derive(Debug, ClapArgs)]
pub(crate) struct ExplainArgs {
    /// A URL, a curl command, raw HTTP or JSON, each as one argument. Default, and for `-`: standard input.
    #[arg(value_name = "MESSAGE")]
    pub(crate) inputs: Vec<String>,
    /// Whose rules: followupboss, keyfob, or the authority's URL. Default: by the host.
    #[arg(long, value_name = "AUTHORITY", value_parser = explain::authority)]
    pub(crate) authority: Option<Authority>,
    /// The registered redirect URI; every other one is then named, with the byte where it differs.
    #[arg(long, value_name = "URI")]
    pub(crate) redirect_uri: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Read everything as `serve` would, and say what is wrong.
    Check,
    /// Print a configuration file with every setting, its default and the reason for it.
    Sample,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct SandboxArgs {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:4180", value_name = "ADDR")]
    pub(crate) listen: SocketAddr,
    /// Other ids, secrets, passwords and people. The same number gives the same at every start.
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) seed: u64,
    /// Register this redirect URI with every app, too. http://localhost:PORT is allowed here.
    #[arg(long = "redirect-uri", value_name = "URI")]
    pub(crate) redirect_uris: Vec<String>,
    /// Keep everything in this directory. Default: nothing is kept.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Set the faults in this file from the start, such as {"faults":[{"fault":"server-error"}]}.
    #[arg(long, value_name = "FILE")]
    pub(crate) scenario: Option<PathBuf>,
    /// Give the API and the demo ports of their own, so that a wrong host fails as it does at Follow Up Boss.
    #[arg(long)]
    pub(crate) separate_hosts: bool,
    /// Answer with the statuses that Follow Up Boss lists where they differ from the RFCs.
    #[arg(long)]
    pub(crate) fub_status: bool,
}
