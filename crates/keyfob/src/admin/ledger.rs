//! `keyfob ledger`: what happened, newest first.

use crate::composition::authority::Opened;
use crate::exit::Exit;
use crate::output::{self, table};
use clap::Args;
use keyfob_authority::model::LedgerEntry;
use keyfob_authority::store::LedgerFilter;
use keyfob_protocol::token_name::GrantId;
use serde_json::{Value, json};
use std::collections::BTreeSet;

#[derive(Debug, Args)]
pub(crate) struct Filter {
    /// Of this grant only.
    #[arg(long)]
    grant: Option<String>,
    /// Of this user (number or e-mail address) only.
    #[arg(long)]
    user: Option<String>,
    /// Of this app (number or client id) only.
    #[arg(long)]
    app: Option<String>,
    /// What the request with this id wrote, and the rest of the story of each grant that it was about. The id stands in the answer's X-Request-Id and in the log.
    #[arg(long, value_name = "ID", conflicts_with_all = ["grant", "user", "app"])]
    request: Option<String>,
    /// At most this many.
    #[arg(long, default_value_t = 50)]
    limit: u32,
}

pub(crate) async fn run(filter: Filter, opened: &Opened, json: bool) -> anyhow::Result<()> {
    let app = match &filter.app {
        Some(named) => Some(super::app::find(opened, named).await?.id),
        None => None,
    };
    let user = match &filter.user {
        Some(named) => Some(super::user::id(opened, named).await?),
        None => None,
    };
    let grant = filter.grant.as_deref().map(super::grant::parse).transpose()?;
    let wanted = LedgerFilter { grant, app, user };
    let entries = match &filter.request {
        Some(request) => story(opened, request, filter.limit).await?,
        None => opened.store.ledger(wanted, filter.limit).await?,
    };
    let documents: Vec<Value> = entries.iter().map(document).collect();
    output::data(json, &documents, || {
        table(&["AT", "WHAT", "GRANT", "APP", "USER", "ACCOUNT", "REQUEST", "DETAIL"], entries.iter().map(row))
    })
}

/// The entries of the request, then the rest of the story of each grant that they are about, newest first. What was asked for is never cut off.
async fn story(opened: &Opened, request: &str, limit: u32) -> anyhow::Result<Vec<LedgerEntry>> {
    let mut entries = opened.store.ledger_of_request(request).await?;
    if entries.is_empty() {
        output::say(
            "no entry was written by a request with this id. An ordinary refresh writes none; a refusal is written once per grant, reason and hour, and one that is \
             about no grant not at all. The node's log has the id of what was refused, with the reason and the grant (keyfob ledger --grant GRANT).",
        );
        return Err(Exit::NotFound.because(format!("nothing is recorded of request {request}")));
    }
    let grants: BTreeSet<GrantId> = entries.iter().filter_map(|entry| entry.grant).collect();
    for grant in grants {
        let filter = LedgerFilter { grant: Some(grant), ..LedgerFilter::default() };
        let rest = opened.store.ledger(filter, limit).await?;
        entries.extend(rest.into_iter().filter(|entry| entry.request.as_deref() != Some(request)));
    }
    Ok(entries)
}

fn document(entry: &LedgerEntry) -> Value {
    json!({
        "at": entry.at.to_utc(),
        "kind": entry.kind,
        "grant": entry.grant.map(GrantId::to_text),
        "app": entry.app,
        "user": entry.user,
        "account": entry.account,
        "system": entry.system,
        "request": entry.request,
        "detail": entry.detail,
    })
}

fn row(entry: &LedgerEntry) -> Vec<String> {
    let number = |id: Option<i64>| id.map_or("-".to_owned(), |id| id.to_string());
    vec![
        entry.at.to_utc(),
        entry.kind.name().to_owned(),
        entry.grant.map_or("-".to_owned(), GrantId::to_text),
        number(entry.app.map(|id| id.0)),
        number(entry.user.map(|id| id.0)),
        number(entry.account.map(|id| id.0)),
        entry.request.clone().unwrap_or("-".to_owned()),
        entry.detail.clone(),
    ]
}
