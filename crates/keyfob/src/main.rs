//! `keyfob`: arguments to a plan, a plan to a command. The only composition root: the system's clock and randomness are read here and
//! handed to everything else.

mod admin;
mod args;
mod backup;
mod composition;
mod config;
mod exit;
mod explain;
mod gate;
mod migrate;
mod output;
mod partner;
mod restore;
mod sandbox;
mod serve;
mod vault;

use args::{Args, Command};
use clap::Parser;
use composition::authority::Absent;
use exit::Exit;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args = Args::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return Exit::failed(&anyhow::anyhow!("the runtime cannot start: {error}")),
    };
    match runtime.block_on(run(args)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => Exit::failed(&error),
    }
}

async fn run(args: Args) -> anyhow::Result<()> {
    let json = args.json;
    match args.command {
        Command::Sandbox(options) => sandbox::run(options, json).await,
        Command::Explain(options) => explain::run(options, json),
        Command::Serve(place) => serve::run(&place.config()?).await,
        Command::Gate(options) => gate::run(*options).await,
        Command::Account { place, command } => {
            let absent = command.where_absent();
            place.with(absent, async |at| admin::account::run(command, at, json).await).await
        }
        Command::User { place, command } => {
            place.with(Absent::Refuse, async |at| admin::user::run(command, at, json).await).await
        }
        Command::System { place, command } => {
            let absent = command.where_absent();
            place.with(absent, async |at| admin::system::run(command, at, json).await).await
        }
        Command::App { place, command } => {
            place.with(Absent::Refuse, async |at| admin::app::run(command, at, json).await).await
        }
        Command::Grant { place, command } => {
            place.with(Absent::Refuse, async |at| admin::grant::run(command, at, json).await).await
        }
        Command::ResourceServer { place, command } => {
            place.with(Absent::Refuse, async |at| admin::resource_server::run(command, at, json).await).await
        }
        Command::Key { place, command } => {
            let config = place.config()?;
            place.with(Absent::Refuse, async |at| admin::key::run(command, at, &config, json).await).await
        }
        Command::Ledger { place, filter } => {
            place.with(Absent::Refuse, async |at| admin::ledger::run(filter, at, json).await).await
        }
        Command::Backup { place, to } => backup::backup(&place.config()?, &to, json).await,
        Command::Restore { place, from } => restore::restore(&place.config()?, &from, json).await,
        Command::Call(args) => partner::call::run(args, json).await,
        Command::Connect(args) => partner::connect::run(*args, json).await,
        Command::Connections { store_dir, command } => partner::connections::run(command, &store_dir, json).await,
        Command::Migrate(options) => migrate::run(options, json).await,
        Command::Record(args) => partner::record::run(*args, json).await,
        Command::Token(args) => partner::token::run(args, json).await,
        Command::Vault(args) => vault::run(*args, json).await,
        Command::Config { place, command } => config::run(command, &place, json).await,
        Command::Completions { shell } => output::completions(shell),
        Command::Man { directory } => output::man_pages(&directory),
    }
}
