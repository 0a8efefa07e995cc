//! `keyfob grant …`

use super::{changed, missing};
use crate::composition::authority::Opened;
use crate::exit::Exit;
use crate::output::{self, table};
use clap::Subcommand;
use keyfob_authority::model::{EndReason, Grant, GrantState};
use keyfob_authority::revoke::Ended;
use keyfob_authority::store::GrantFilter;
use keyfob_protocol::Timestamp;
use keyfob_protocol::token_name::GrantId;
use serde_json::{Value, json};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List grants, newest first.
    List {
        /// Of this user (number or e-mail address) only.
        #[arg(long)]
        user: Option<String>,
        /// To this app (number or client id) only.
        #[arg(long)]
        app: Option<String>,
        /// Ended ones, too.
        #[arg(long)]
        all: bool,
        /// At most this many.
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Show one grant.
    Show { id: String },
    /// End a grant. Its tokens are refused within a second.
    Revoke { id: String },
}

pub(crate) async fn run(command: Command, opened: &Opened, json: bool) -> anyhow::Result<()> {
    match command {
        Command::List { user, app, all, limit } => {
            let app = match app {
                Some(named) => Some(super::app::find(opened, &named).await?.id),
                None => None,
            };
            let user = match user {
                Some(named) => Some(super::user::id(opened, &named).await?),
                None => None,
            };
            let filter = GrantFilter { user, app, live: !all };
            let grants = opened.store.grants(filter, limit).await?;
            let documents: Vec<Value> = grants.iter().map(document).collect();
            output::data(json, &documents, || {
                table(&["ID", "STATE", "USER", "APP", "SINCE", "LAST USED"], grants.iter().map(row))
            })
        }
        Command::Show { id } => {
            let held = opened.store.held_grant(parse(&id)?).await?.ok_or_else(|| missing("grant"))?;
            output::data(json, &document(&held.grant), || row(&held.grant).join("  "))
        }
        Command::Revoke { id } => {
            match opened.authority.end_grant(parse(&id)?, EndReason::RevokedByAdmin, opened.now()).await? {
                Ended::Now => changed(json, "grant", id, "revoked"),
                Ended::NothingToEnd => Err(Exit::NotFound.because("there is no live grant with this id")),
            }
        }
    }
}

pub(super) fn parse(id: &str) -> anyhow::Result<GrantId> {
    GrantId::parse(id)
        .ok_or_else(|| Exit::Refused.because(format!("{id:?} is not the id of a grant; see `keyfob grant list`")))
}

fn state(grant: &Grant) -> (String, Option<Timestamp>) {
    match &grant.state {
        GrantState::Approved(_) => ("approved".to_owned(), None),
        GrantState::Active(active) => ("active".to_owned(), Some(active.last_used_at)),
        GrantState::Ended { reason, .. } => (format!("ended: {}", reason.name()), None),
    }
}

fn document(grant: &Grant) -> Value {
    let (state, last_used_at) = state(grant);
    json!({
        "id": grant.id.to_text(),
        "state": state,
        "user": grant.user,
        "app": grant.app,
        "scope": grant.scope.to_string(),
        "createdAt": grant.created_at.to_utc(),
        "lastUsedAt": last_used_at.map(Timestamp::to_utc),
    })
}

fn row(grant: &Grant) -> Vec<String> {
    let (state, last_used_at) = state(grant);
    vec![
        grant.id.to_text(),
        state,
        grant.user.to_string(),
        grant.app.to_string(),
        grant.created_at.to_utc(),
        last_used_at.map_or("-".to_owned(), Timestamp::to_utc),
    ]
}
