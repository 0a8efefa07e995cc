//! `keyfob resource-server …`

use super::{changed, done, not_named, one_of};
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
        /// Number or name.
        server: String,
        /// As at `add`; without it, the authority's own API.
        #[arg(long, value_name = "URI")]
        resource: Option<String>,
    },
    /// List all resource servers.
    List,
    /// Give it a new secret (printed once). The earlier one stops working.
    NewSecret {
        /// Number or name.
        server: String,
    },
    /// Let it follow the revocation feed again.
    Enable {
        /// Number or name.
        server: String,
    },
    /// It can no longer follow the revocation feed.
    Disable {
        /// Number or name.
        server: String,
    },
    /// Remove it.
    Remove {
        /// Number or name.
        server: String,
    },
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
        Command::SetResource { server, resource } => {
            check(resource.as_deref())?;
            let server = replace(opened, &server, "resource", |row| ResourceServer { resource, ..row }).await?;
            changed(json, WHAT, server.id.0, "serves another resource")
        }
        Command::List => {
            let servers = opened.store.resource_servers().await?;
            output::data(json, &servers, || table(&["ID", "STATUS", "NAME", "RESOURCE"], servers.iter().map(row)))
        }
        Command::NewSecret { server } => {
            let secret = fresh_secret(opened)?;
            let secret_digest = secrets::digest(secret.expose());
            let server = replace(opened, &server, "new secret", |row| ResourceServer { secret_digest, ..row }).await?;
            with_secret(&server, &secret, json)
        }
        Command::Enable { server } => set_enabled(opened, &server, true, json).await,
        Command::Disable { server } => set_enabled(opened, &server, false, json).await,
        Command::Remove { server } => {
            let id = find(opened, &server).await?.id;
            done(authority.remove_resource_server(id, now).await?, WHAT, TAKEN)?;
            changed(json, WHAT, id.0, "removed")
        }
    }
}

fn check(resource: Option<&str>) -> anyhow::Result<()> {
    Resources::parse(resource).map(drop).map_err(|error| Exit::Refused.because(format!("--resource: {error}")))
}

/// By number or name.
async fn find(opened: &Opened, named: &str) -> anyhow::Result<ResourceServer> {
    let found = one_of(opened.store.resource_servers().await?, named, |server| (server.id.0, &server.name));
    found.ok_or_else(|| not_named(WHAT, named, "number or name"))
}

async fn set_enabled(opened: &Opened, named: &str, enabled: bool, json: bool) -> anyhow::Result<()> {
    let how = if enabled { "enabled" } else { "disabled" };
    let server = replace(opened, named, how, |row| ResourceServer { enabled, ..row }).await?;
    changed(json, WHAT, server.id.0, how)
}

async fn replace(
    opened: &Opened,
    named: &str,
    how: &str,
    change: impl FnOnce(ResourceServer) -> ResourceServer,
) -> anyhow::Result<ResourceServer> {
    let read_at = opened.store.settings_version().await?;
    let row = change(find(opened, named).await?);
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
