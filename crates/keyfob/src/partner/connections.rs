//! `keyfob connections …`

use super::file_store::FileTokenStore;
use super::files::{Files, StoreDir};
use super::kept::Kept;
use super::opened::Opened;
use super::standing::KeptStanding;
use crate::exit::Exit;
use crate::output::{self, table};
use clap::Subcommand;
use keyfob_client::{ConnectionError, Identity, Revoked, Timestamp, TokenStore};
use serde_json::{Value, json};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the connections that are kept here. Asks nobody.
    List,
    /// Show one connection without its secrets. Asks nobody.
    Show {
        /// Its name. Default: the only one.
        name: Option<String>,
    },
    /// Refresh its tokens now.
    Refresh {
        /// Its name. Default: the only one.
        name: Option<String>,
    },
    /// Give it back: the authority ends the grant, and its tokens and the client secret are erased here.
    Revoke {
        /// Its name.
        name: String,
        /// Erase it here also where the authority offers no way or does not answer; the grant may live on there.
        #[arg(long)]
        local: bool,
    },
    /// Forget a connection that was given back.
    Remove {
        /// Its name.
        name: String,
    },
}

pub(crate) async fn run(command: Command, store_dir: &StoreDir, json: bool) -> anyhow::Result<()> {
    match command {
        Command::List => list(&store_dir.open()?, json),
        Command::Show { name } => {
            let (name, kept) = store_dir.open()?.meant(name)?;
            output::data(json, &document(&name, &kept), || shown(&name, &kept))
        }
        Command::Refresh { name } => {
            let opened = Opened::open(store_dir, name)?;
            let refreshed = opened.told(opened.connection.refresh_now().await);
            opened.finish(refreshed).await?;
            let (name, kept) = opened.files.meant(Some(opened.name))?;
            output::data(json, &document(&name, &kept), || sentence(&name, &kept))
        }
        Command::Revoke { name, local } => revoke(Opened::open(store_dir, Some(name))?, local, json).await,
        Command::Remove { name } => remove(&store_dir.open()?, &name, json).await,
    }
}

fn list(files: &Files, json: bool) -> anyhow::Result<()> {
    let (mut documents, mut rows) = (Vec::new(), Vec::new());
    for name in files.names()? {
        match files.read(&name) {
            Ok(Some(kept)) => {
                rows.push(row(&name, &kept));
                documents.push(document(&name, &kept));
            }
            // Removed a moment ago.
            Ok(None) => {}
            Err(error) => {
                output::say(&format!("keyfob: {error:#}"));
                documents.push(json!({ "name": name, "state": "unreadable" }));
                rows.push(vec![name, "unreadable".to_owned(), String::new(), String::new(), String::new()]);
            }
        }
    }
    output::data(json, &documents, || table(&["NAME", "STATE", "AT", "OF", "TOKEN EXPIRES"], rows.into_iter()))
}

async fn revoke(opened: Opened, local: bool, json: bool) -> anyhow::Result<()> {
    let how = match opened.connection.revoke().await {
        Ok(Revoked::Ended) => "revoked",
        // Nothing is left that the authority could end.
        Ok(Revoked::NothingToEnd)
        | Err(ConnectionError::ReauthRequired(_) | ConnectionError::LostReply(_) | ConnectionError::Denied { .. }) => {
            "revoked"
        }
        Ok(Revoked::NotOffered) if !local => {
            let system = match opened.kept.place.system {
                None => "; Follow Up Boss wants --system at the connect",
                Some(_) => "",
            };
            return Err(Exit::Refused.because(format!(
                "the authority offers no way to give connection {} back{system}. The user can end it in the account's settings; --local erases it here only",
                opened.name
            )));
        }
        Ok(Revoked::NotOffered) => "erased here only; the grant lives on at the authority",
        Err(error) if local => {
            output::say(&format!("keyfob: {error}"));
            "erased here only; the grant may live on at the authority"
        }
        Err(error) => return opened.finish(opened.told(Err(error))).await,
    };
    let now = opened.now();
    opened.store.give_back(&opened.name, now).await?;
    let name = &opened.name;
    output::data(json, &json!({ "name": name, "changed": how }), || format!("connection {name}: {how}"))
}

async fn remove(files: &Files, name: &str, json: bool) -> anyhow::Result<()> {
    let (_, kept) = files.meant(Some(name.to_owned()))?;
    if matches!(kept.standing, KeptStanding::Connected { .. }) {
        return Err(Exit::Conflict
            .because(format!("connection {name} is live: give it back first by: keyfob connections revoke {name}")));
    }
    FileTokenStore::new(files.clone(), kept.place).remove(name).await?;
    output::data(json, &json!({ "name": name, "changed": "removed" }), || format!("connection {name}: removed"))
}

/// As JSON, without its secrets.
pub(crate) fn document(name: &str, kept: &Kept) -> Value {
    let mut document = json!({
        "name": name,
        "state": state(kept),
        "authority": kept.place.authority,
        "clientId": kept.place.client_id,
        "redirectUri": kept.place.redirect_uri,
        "system": kept.place.system.as_ref().map(|system| &system.name),
        "identity": kept.identity,
        "generation": kept.generation,
    });
    match &kept.standing {
        KeptStanding::Connected { expires_at, obtained_at, scope, .. } => {
            document["obtainedAt"] = json!(obtained_at.to_utc());
            document["expiresAt"] = json!(expires_at.map(Timestamp::to_utc));
            document["scope"] = json!(scope);
            if let Some(status) = kept.row().map(|row| row.status()) {
                document["since"] = json!(status.since.to_utc());
                document["reason"] = json!(Some(status.reason).filter(|reason| !reason.is_empty()));
            }
        }
        KeptStanding::ReauthRequired { since, evidence, .. } | KeptStanding::LostReply { since, evidence, .. } => {
            document["since"] = json!(since.to_utc());
            let (status, error, description) = (evidence.status, &evidence.error, &evidence.description);
            document["evidence"] = json!({ "status": status, "error": error, "description": description });
        }
        KeptStanding::Denied { since } | KeptStanding::Revoked { since } => document["since"] = json!(since.to_utc()),
    }
    document
}

/// In one sentence.
pub(crate) fn sentence(name: &str, kept: &Kept) -> String {
    let of = kept.identity.as_ref().map(|identity| format!(", {}", whose(identity))).unwrap_or_default();
    format!("connection {name}: {}{of} ({})", state(kept).replace('_', " "), kept.place.authority.described())
}

/// Who an identity is, for a person.
pub(crate) fn whose(identity: &Identity) -> String {
    let (account, user) = (&identity.account, &identity.user);
    let account = account.name.clone().or_else(|| account.domain.clone()).unwrap_or_else(|| account.id.to_string());
    let name = user.name.clone().unwrap_or_else(|| format!("user {}", user.id));
    let email = user.email.as_ref().map(|email| format!(" <{email}>")).unwrap_or_default();
    keyfob_pages::visible(&format!("{name}{email} at {account}"))
}

fn state(kept: &Kept) -> &'static str {
    kept.row().map_or("revoked", |row| row.status().state.name())
}

fn expires(kept: &Kept) -> String {
    match &kept.standing {
        KeptStanding::Connected { expires_at, .. } => expires_at.map_or("unknown".to_owned(), Timestamp::to_utc),
        _ => "-".to_owned(),
    }
}

fn row(name: &str, kept: &Kept) -> Vec<String> {
    let of = kept.identity.as_ref().map_or("unknown".to_owned(), whose);
    vec![name.to_owned(), state(kept).to_owned(), kept.place.authority.described(), of, expires(kept)]
}

fn shown(name: &str, kept: &Kept) -> String {
    let mut lines = vec![
        sentence(name, kept),
        format!("client id:     {}", kept.place.client_id),
        format!("redirect URI:  {}", kept.place.redirect_uri),
        format!("token expires: {}", expires(kept)),
    ];
    lines.extend(kept.place.system.as_ref().map(|system| format!("system:        {}", system.name)));
    if let Some(status) = kept.row().map(|row| row.status()) {
        let reason = if status.reason.is_empty() { String::new() } else { format!(" ({})", status.reason) };
        lines.push(format!("since:         {}{reason}", status.since.to_utc()));
    }
    if let KeptStanding::Revoked { since } = &kept.standing {
        lines.push(format!("since:         {}", since.to_utc()));
    }
    if !matches!(kept.standing, KeptStanding::Connected { .. }) {
        lines.push(format!("connect again: {}", kept.place.connect_again(name)));
    }
    lines.join("\n")
}
