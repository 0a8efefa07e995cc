//! `keyfob system …`

use super::{changed, done, not_named, one_of};
use crate::composition::authority::{Absent, Opened};
use crate::output::{self, table};
use clap::Subcommand;
use keyfob_authority::Fault;
use keyfob_authority::model::{System, SystemId};
use keyfob_authority::secrets;
use keyfob_authority::store::Replacement;
use keyfob_protocol::{Secret, entropy};
use serde_json::json;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Add a system and print its key, once.
    Add {
        /// The value of X-System, unique.
        #[arg(long)]
        name: String,
    },
    /// List all systems.
    List,
    /// Show one system.
    Show {
        /// Number or name.
        system: String,
    },
    /// Rename a system, or give it a new key (printed once; the earlier one stops working).
    Update {
        /// Number or name.
        system: String,
        #[arg(long)]
        name: Option<String>,
        #[arg(long)]
        new_key: bool,
    },
    /// Let it manage its apps again.
    Enable {
        /// Number or name.
        system: String,
    },
    /// It can no longer manage its apps. The apps themselves go on.
    Disable {
        /// Number or name.
        system: String,
    },
    /// Remove a system that has no apps.
    Remove {
        /// Number or name.
        system: String,
    },
}

impl Command {
    /// The first of its kind may begin the data.
    pub(crate) fn where_absent(&self) -> Absent {
        if matches!(self, Command::Add { .. }) { Absent::Make } else { Absent::Refuse }
    }
}

const TAKEN: &str = "a system with this name exists already";

pub(crate) async fn run(command: Command, opened: &Opened, json: bool) -> anyhow::Result<()> {
    let (authority, now) = (&opened.authority, opened.now());
    match command {
        Command::Add { name } => {
            let key = fresh_key(opened)?;
            let system = System {
                id: SystemId(0),
                name,
                key_digest: secrets::digest(key.expose()),
                enabled: true,
                created_at: now,
            };
            let id = done(authority.add_system(system.clone(), now).await?, "system", TAKEN)?;
            with_key(&System { id: SystemId(id), ..system }, &key, json)
        }
        Command::List => {
            let systems = opened.store.systems().await?;
            output::data(json, &systems, || table(&["ID", "STATUS", "NAME"], systems.iter().map(row)))
        }
        Command::Show { system } => {
            let system = find(opened, &system).await?;
            output::data(json, &system, || row(&system).join("  "))
        }
        Command::Update { system, name, new_key } => {
            let read_at = opened.store.settings_version().await?;
            let system = find(opened, &system).await?;
            let key = if new_key { Some(fresh_key(opened)?) } else { None };
            let key_digest = key.as_ref().map_or(system.key_digest, |key| secrets::digest(key.expose()));
            let system = System { name: name.unwrap_or(system.name), key_digest, ..system };
            let what = if new_key { "new key" } else { "renamed" };
            done(
                authority.update_system(Replacement { row: system.clone(), read_at }, what, now).await?,
                "system",
                TAKEN,
            )?;
            match key {
                Some(key) => with_key(&system, &key, json),
                None => output::data(json, &system, || row(&system).join("  ")),
            }
        }
        Command::Enable { system } => set_enabled(opened, &system, true, json).await,
        Command::Disable { system } => set_enabled(opened, &system, false, json).await,
        Command::Remove { system } => {
            let id = find(opened, &system).await?.id;
            let in_use = "this system has apps; remove them first, or disable the system";
            done(authority.remove_system(id, now).await?, "system", in_use)?;
            changed(json, "system", id.0, "removed")
        }
    }
}

/// By number or name.
pub(super) async fn find(opened: &Opened, named: &str) -> anyhow::Result<System> {
    let found = one_of(opened.store.systems().await?, named, |system| (system.id.0, &system.name));
    found.ok_or_else(|| not_named("system", named, "number or name"))
}

async fn set_enabled(opened: &Opened, named: &str, enabled: bool, json: bool) -> anyhow::Result<()> {
    let read_at = opened.store.settings_version().await?;
    let row = System { enabled, ..find(opened, named).await? };
    let id = row.id.0;
    let how = if enabled { "enabled" } else { "disabled" };
    done(opened.authority.update_system(Replacement { row, read_at }, how, opened.now()).await?, "system", TAKEN)?;
    changed(json, "system", id, how)
}

fn fresh_key(opened: &Opened) -> anyhow::Result<Secret<String>> {
    let bytes = entropy::random(&*opened.entropy).map_err(Fault::from)?;
    Ok(secrets::system_key(&bytes))
}

fn with_key(system: &System, key: &Secret<String>, json: bool) -> anyhow::Result<()> {
    let document = json!({ "id": system.id, "name": system.name, "enabled": system.enabled, "key": key.expose() });
    output::data(json, &document, || {
        format!(
            "system {}: {}\nX-System: {}\nX-System-Key: {}\nThe key is shown this once.",
            system.id,
            system.name,
            system.name,
            key.expose()
        )
    })
}

fn row(system: &System) -> Vec<String> {
    let status = if system.enabled { "enabled" } else { "disabled" };
    vec![system.id.to_string(), status.to_owned(), system.name.clone()]
}
