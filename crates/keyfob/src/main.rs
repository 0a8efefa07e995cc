//! `keyfob`: arguments to a plan, a plan to a command. The only composition root: the system's clock and randomness are read here and
//! handed to everything else.

mod admin;
mod args;
mod backup;
mod composition;
mod config;
mod exit;
mod output;
mod sandbox;
mod serve;

use args::{Args, Command};
use clap::Parser;
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
        Command::Serve(place) => serve::run(&place.config()?).await,
        Command::Account { place, command } => admin::account::run(command, &place.open().await?, json).await,
        Command::User { place, command } => admin::user::run(command, &place.open().await?, json).await,
        Command::System { place, command } => admin::system::run(command, &place.open().await?, json).await,
        Command::App { place, command } => admin::app::run(command, &place.open().await?, json).await,
        Command::Grant { place, command } => admin::grant::run(command, &place.open().await?, json).await,
        Command::Ledger { place, filter } => admin::ledger::run(filter, &place.open().await?, json).await,
        Command::Backup { place, to } => backup::backup(&place.config()?, &to, json).await,
        Command::Restore { place, from } => backup::restore(&place.config()?, &from, json).await,
        Command::Config { place, command } => config::run(command, &place, json),
        Command::Completions { shell } => output::completions(shell),
        Command::Man { directory } => output::man_pages(&directory),
    }
}
