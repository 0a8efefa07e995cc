//! `keyfob resource-server …`

use super::{changed, done, missing};
use crate::composition::authority::Opened;
use crate::exit::Exit;
use crate::output::{self, table};
use clap::Subcommand;
use keyfob_authority::Fault;
use keyfob_authority::model::{ResourceServer, ResourceServerId};
use keyfob_authority::secrets;
use keyfob_authority::store::Replacement;
use keyfob_protocol::resource::Resources;
use keyfob_protocol::{Secret, entropy};
use serde_json::json;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Add a resource server, such as a gate on its own, and print its secret, once.
    Add {
        /// What it authenticates as: letters, digits, - and _; unique.
        #[arg(long)]
        name: String,
        /// The resource that it serves (RFC 8707), like <https://api.example.com>: apps may then ask for tokens for it, and it may ask about
        /// those. Default: the authority's own API (api_audience).
        #[arg(long, value_name = "URI")]
        resource: Option<String>,
    },
    /// Say which resource it serves. Grants for the earlier one get no more tokens for it.
    SetResource {
        id: i64,
        /// As at `add`; without it, the authority's own API.
        #[arg(long, value_name = "URI")]
        resource: Option<String>,
    },
    /// List all resource servers.
    List,
    /// Give it a new secret (printed once). The earlier one stops working.
    NewSecret { id: i64 },
    /// Let it follow the revocation feed again.
    Enable { id: i64 },
    /// It can no longer follow the revocation feed.
    Disable { id: i64 },
    /// Remove it.
    Remove { id: i64 },
}

const WHAT: &str = "resource server";
const TAKEN: &str = "a resource server with this name exists already";

pub(crate) async fn run(command: Command, opened: &Opened, json: bool) -> anyhow::Result<()> {
    let (authority, now) = (&opened.authority, opened.now());
    match command {
        Command::Add { name, resource } => {
            check(resource.as_deref())?;
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
            if name.is_empty() || !name.bytes().all(plain) {
                return Err(Exit::Refused.because("--name must be letters, digits, - and _"));
            }
            let secret = fresh_secret(opened)?;
            let secret_digest = secrets::digest(secret.expose());
            let server = ResourceServer {
                id: ResourceServerId(0),
                name,
                secret_digest,
                enabled: true,
                resource,
                created_at: now,
            };
            let id = done(authority.add_resource_server(server.clone(), now).await?, WHAT, TAKEN)?;
            with_secret(&ResourceServer { id: ResourceServerId(id), ..server }, &secret, json)
        }
        Command::SetResource { id, resource } => {
            check(resource.as_deref())?;
            replace(opened, id, "resource", |row| ResourceServer { resource, ..row }).await?;
            changed(json, WHAT, id, "serves another resource")
        }
        Command::List => {
            let servers = opened.store.resource_servers().await?;
            output::data(json, &servers, || table(&["ID", "STATUS", "NAME", "RESOURCE"], servers.iter().map(row)))
        }
        Command::NewSecret { id } => {
            let secret = fresh_secret(opened)?;
            let secret_digest = secrets::digest(secret.expose());
            let server = replace(opened, id, "new secret", |row| ResourceServer { secret_digest, ..row }).await?;
            with_secret(&server, &secret, json)
        }
        Command::Enable { id } => set_enabled(opened, id, true, json).await,
        Command::Disable { id } => set_enabled(opened, id, false, json).await,
        Command::Remove { id } => {
            done(authority.remove_resource_server(ResourceServerId(id), now).await?, WHAT, TAKEN)?;
            changed(json, WHAT, id, "removed")
        }
    }
}

fn check(resource: Option<&str>) -> anyhow::Result<()> {
    Resources::parse(resource).map(drop).map_err(|error| Exit::Refused.because(format!("--resource: {error}")))
}

async fn set_enabled(opened: &Opened, id: i64, enabled: bool, json: bool) -> anyhow::Result<()> {
    let how = if enabled { "enabled" } else { "disabled" };
    replace(opened, id, how, |row| ResourceServer { enabled, ..row }).await?;
    changed(json, WHAT, id, how)
}

async fn replace(
    opened: &Opened,
    id: i64,
    how: &str,
    change: impl FnOnce(ResourceServer) -> ResourceServer,
) -> anyhow::Result<ResourceServer> {
    let read_at = opened.store.settings_version().await?;
    let servers = opened.store.resource_servers().await?;
    let row = servers.into_iter().find(|server| server.id == ResourceServerId(id)).ok_or_else(|| missing(WHAT))?;
    let row = change(row);
    let replacement = Replacement { row: row.clone(), read_at };
    done(opened.authority.update_resource_server(replacement, how, opened.now()).await?, WHAT, TAKEN)?;
    Ok(row)
}

fn fresh_secret(opened: &Opened) -> anyhow::Result<Secret<String>> {
    let bytes = entropy::random(&*opened.entropy).map_err(Fault::from)?;
    Ok(secrets::client_secret(&bytes))
}

fn with_secret(server: &ResourceServer, secret: &Secret<String>, json: bool) -> anyhow::Result<()> {
    let document =
        json!({ "id": server.id, "name": server.name, "resource": server.resource, "secret": secret.expose() });
    output::data(json, &document, || {
        format!(
            "resource server {}: {}\nsecret: {}\nThe secret is shown this once.",
            server.id,
            server.name,
            secret.expose()
        )
    })
}

fn row(server: &ResourceServer) -> Vec<String> {
    let status = if server.enabled { "enabled" } else { "disabled" };
    let resource = server.resource.clone().unwrap_or_else(|| "-".to_owned());
    vec![server.id.to_string(), status.to_owned(), server.name.clone(), resource]
}
