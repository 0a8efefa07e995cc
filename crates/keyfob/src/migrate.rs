//! `keyfob migrate`: all rows from one store into another; every grant, code and session goes on. What is moved and compared, and when a
//! store may be served again, is `keyfob_authority::moving`; here are the two places, their locks, and what is said about the key.

mod progress;

use crate::composition::authority::private_directory;
use crate::composition::entropy::SystemEntropy;
use crate::composition::tick_mark::FileMark;
use crate::composition::{lock, master_key, stores};
use crate::config::{Config, StoreUrl};
use crate::exit::Exit;
use crate::{output, restore};
use anyhow::Context;
use clap::Args;
use keyfob_authority::moving::{Move, MoveError, Moved, Rows, check_source};
use keyfob_authority::open::{OpenError, Opener};
use keyfob_authority::store::StoreError;
use keyfob_server::follow::TickMark;
use keyfob_store_postgres::Address;
use progress::Talk;
use serde_json::json;
use std::convert::Infallible;
use std::fmt;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

/// Which rows go where.
#[derive(Debug, Args)]
pub(crate) struct MigrateArgs {
    /// Where the rows are: sqlite:DIR (a data directory) or postgres://user:password@host/database. Rather set a URL with a password in
    /// the environment, where other users do not see it.
    #[arg(long, value_name = "STORE", env = "KEYFOB_MIGRATE_FROM", hide_env_values = true, value_parser = store_url)]
    from: StoreUrl,
    /// Where they go: a new directory, or a database without tables.
    #[arg(long, value_name = "STORE", env = "KEYFOB_MIGRATE_TO", hide_env_values = true, value_parser = store_url)]
    to: StoreUrl,
    /// Leave the source as it is, so that it can be served again: for a rehearsal. Never serve both: each would end connections that
    /// the other goes on with.
    #[arg(long)]
    keep_source: bool,
    /// The data directory of a node of this authority: without master_key_file in the configuration, its master key lies beside it. Where
    /// the source is a directory, that is it.
    #[arg(long, value_name = "DIR", env = "KEYFOB_DATA")]
    data: Option<PathBuf>,
    /// The configuration file, for issuer and master key. Default: ./keyfob.toml if it is there.
    #[arg(long, value_name = "FILE", env = "KEYFOB_CONFIG")]
    config: Option<PathBuf>,
}

fn store_url(text: &str) -> Result<StoreUrl, Infallible> {
    Ok(StoreUrl(text.to_owned()))
}

/// One end of the move. Prints without a password.
enum End {
    Directory(PathBuf),
    Database(Box<Address>),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Directory(path) => write!(f, "sqlite:{}", path.display()),
            End::Database(address) => address.fmt(f),
        }
    }
}

/// A store that is open for the move, and held by nobody else.
struct Open {
    rows: Box<dyn Rows>,
    _lock: Option<File>,
}

/// Moves all rows and says what was moved.
pub(crate) async fn run(args: MigrateArgs, json: bool) -> anyhow::Result<()> {
    let (from, to) = (End::parse("--from", &args.from)?, End::parse("--to", &args.to)?);
    let config = args.config(&from, &to)?;
    let entropy = SystemEntropy::new();
    let source = from.open_source(&config).await?;
    let master = master_key::load(&config, &entropy, Some(&from.to_string()))?;
    let master = Arc::new(master_key::Files::new(&config, master));
    let opener = Opener { master, issuer: config.issuer.clone(), sandbox: false, algorithm: config.signing_algorithm };
    let target_name = to.to_string();
    // Before the target is touched at all.
    check_source(&*source.rows, &opener, &target_name).await.map_err(told)?;
    output::say(&format!(
        "keyfob: moving the rows of {} from {from} to {to}; the source takes no writes meanwhile",
        config.issuer
    ));
    let target = to.open_target(&config).await?;
    let keep_source = args.keep_source;
    let moving = Move { source: &*source.rows, target: &*target.rows, target_name, opener: &opener, keep_source };
    let moved = moving.run(&Talk::start()).await.map_err(told)?;
    if let (End::Directory(path), false) = (&to, moved.already) {
        // Of a store that is new here; an earlier one's mark says nothing about it.
        FileMark::in_directory(path).note(moved.tick);
    }
    for open in [&source, &target] {
        open.rows.close().await;
    }
    args.say_what_is_left(&config, &from, &to, &moved)?;
    report(&config, &from, &to, keep_source, &moved, json)
}

fn report(config: &Config, from: &End, to: &End, source_kept: bool, moved: &Moved, json: bool) -> anyhow::Result<()> {
    let tables = moved.tables.iter().map(|table| {
        json!({ "name": table.name, "rows": table.rows, "sha256": table.digest, "lastNumber": table.last_number })
    });
    let document = json!({
        "from": from.to_string(),
        "to": to.to_string(),
        "alreadyDone": moved.already,
        "sourceKept": source_kept,
        "masterKeyFile": config.master_key_file,
        "tables": tables.collect::<Vec<_>>(),
    });
    output::data(json, &document, || {
        let rows = moved
            .tables
            .iter()
            .map(|table| vec![table.name.to_owned(), table.rows.to_string(), table.digest.chars().take(16).collect()]);
        output::table(&["TABLE", "ROWS", "SHA-256"], rows)
    })
}

impl MigrateArgs {
    /// The configuration, with the data directory whose master key is meant.
    fn config(&self, from: &End, to: &End) -> anyhow::Result<Config> {
        let data = match from {
            End::Directory(path) => Some(path.clone()),
            End::Database(_) => self.data.clone(),
        };
        let config = Config::read(self.config.as_deref(), data, None)?;
        match to {
            // On a machine that has never been a node, the key may lie where the new server will look for it.
            End::Directory(path) if !config.master_key_file.exists() => {
                let there = Config::read(self.config.as_deref(), Some(path.clone()), None)?.master_key_file;
                let master_key_file = if there.exists() { there } else { config.master_key_file.clone() };
                Ok(config.with_master_key_file(master_key_file))
            }
            _ => Ok(config),
        }
    }

    /// What the operator does next, and above all where the key is.
    fn say_what_is_left(&self, config: &Config, from: &End, to: &End, moved: &Moved) -> anyhow::Result<()> {
        output::say(&match (moved.already, self.keep_source) {
            (true, _) => format!("keyfob: {from} was moved to {to} before; nothing was left to do"),
            (_, true) => format!(
                "keyfob: copied and verified; {from} stays as it is. Serve only one of the two: what one of them ends or rotates from now on \
                 the other does not know"
            ),
            (_, false) => {
                format!("keyfob: moved and verified; {from} is marked as moved, and `keyfob serve` refuses it")
            }
        });
        let key = match master_key::is_in_environment() {
            true => "in KEYFOB_MASTER_KEY".to_owned(),
            false => format!("in {}", config.master_key_file.display()),
        };
        output::say(&match to {
            End::Database(_) => format!(
                "keyfob: the master key belongs to the data and is not in the database: it is {key}; every node on {to} needs the same one"
            ),
            End::Directory(path) => {
                let expected = Config::read(self.config.as_deref(), Some(path.clone()), None)?.master_key_file;
                let next = match master_key::is_in_environment() || expected == config.master_key_file {
                    true => "and stays there".to_owned(),
                    false => format!("copy it to {} (mode 0600) or set master_key_file", expected.display()),
                };
                format!("keyfob: the master key belongs to the data and is not in the directory: it is {key}; {next}")
            }
        });
        Ok(())
    }
}

impl End {
    fn parse(option: &str, StoreUrl(url): &StoreUrl) -> anyhow::Result<End> {
        if let Some(path) = url.strip_prefix("sqlite:").filter(|path| !path.is_empty()) {
            let path = std::path::absolute(path).with_context(|| format!("{option} {url}"))?;
            return Ok(End::Directory(path));
        }
        // Not repeated: it may hold a password.
        if !Address::is_meant(url) {
            let message = format!("{option} must be sqlite:DIR or postgres://user:password@host/database");
            return Err(Exit::Refused.because(message));
        }
        let address = Address::parse(url).map_err(|error| Exit::Refused.because(format!("{option}: {error}")))?;
        Ok(End::Database(Box::new(address)))
    }

    async fn open_source(&self, config: &Config) -> anyhow::Result<Open> {
        match self {
            End::Database(address) => Ok(Open { rows: stores::postgres_rows(address).await?, _lock: None }),
            End::Directory(path) => {
                let at = config.in_directory(path);
                let nothing = || Exit::NotFound.because(format!("there is no data in {}", path.display()));
                if !path.exists() {
                    return Err(nothing());
                }
                restore::finish_interrupted(&at)?;
                if !at.database().exists() {
                    return Err(nothing());
                }
                open_directory(&at)
            }
        }
    }

    async fn open_target(&self, config: &Config) -> anyhow::Result<Open> {
        match self {
            End::Database(address) => Ok(Open { rows: stores::postgres_rows(address).await?, _lock: None }),
            End::Directory(path) => {
                private_directory(path).with_context(|| format!("directory {}", path.display()))?;
                open_directory(&config.in_directory(path))
            }
        }
    }
}

fn open_directory(at: &Config) -> anyhow::Result<Open> {
    let lock = lock::alone(at)?.ok_or_else(|| {
        let message = format!("an authority or a command is running on {}; stop it first", at.data.display());
        Exit::Conflict.because(message)
    })?;
    Ok(Open { rows: stores::sqlite_rows(&at.database())?, _lock: Some(lock) })
}

/// A failed move with the exit code that it means.
fn told(error: MoveError) -> anyhow::Error {
    let exit = match &error {
        MoveError::Store { error: StoreError::Unavailable(_), .. } => Exit::Unavailable,
        MoveError::NotOurs(OpenError::Fault(fault)) if fault.is_temporary() => Exit::Unavailable,
        MoveError::Store { .. } | MoveError::NotOurs(OpenError::Fault(_)) | MoveError::Differs { .. } => {
            return error.into();
        }
        MoveError::NotOurs(_) => Exit::Refused,
        MoveError::Empty => Exit::NotFound,
        _ => Exit::Conflict,
    };
    exit.because(error.to_string())
}
