//! `keyfob token`: the access token itself, for a program that makes its calls alone.

use super::files::StoreDir;
use super::opened::Opened;
use crate::output;
use clap::Args;
use keyfob_client::Timestamp;
use serde_json::json;

#[derive(Debug, Args)]
pub(crate) struct TokenArgs {
    /// Which connection. Default: the only one.
    #[arg(long, value_name = "NAME")]
    connection: Option<String>,
    #[command(flatten)]
    store_dir: StoreDir,
}

pub(crate) async fn run(args: TokenArgs, json: bool) -> anyhow::Result<()> {
    let opened = Opened::open(&args.store_dir, args.connection)?;
    let tokens = opened.told(opened.connection.fresh_tokens().await);
    let tokens = opened.finish(tokens).await?;
    let expires_at = tokens.expires_at.map(Timestamp::to_utc);
    let until = expires_at.as_ref().map(|at| format!(" until {at}")).unwrap_or_default();
    output::say(&format!("keyfob: this is a secret: whoever has it acts as the user{until}"));
    let token = tokens.access_token.expose();
    output::data(json, &json!({ "accessToken": token, "expiresAt": expires_at }), || token.clone())
}
