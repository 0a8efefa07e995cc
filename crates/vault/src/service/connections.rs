//! `/apps`, `/connections…`: what there is, and what is done with it.

use super::Service;
use super::answer::{DAMAGED, Problem, fresh};
use crate::callers::Right;
use crate::connection_id::is_id;
use crate::vault::{Removed, Shown};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use keyfob_client::{State as ConnectionState, Timestamp};
use keyfob_protocol::time::DAY;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// Rows of a list, unless it says how many.
const DEFAULT_LIMIT: usize = 100;
/// At most.
const MAX_LIMIT: usize = 1000;

/// App and id.
type ConnectionPath = Result<Path<(String, String)>, PathRejection>;

/// Both, if there can be such a connection.
fn named(path: ConnectionPath) -> Result<(String, String), Problem> {
    let Path((app, id)) = path?;
    if is_id(&id) { Ok((app, id)) } else { Err(Problem::not_connected()) }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    app: Option<String>,
    state: Option<String>,
    after: Option<String>,
    limit: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RemoveQuery {
    local: Option<bool>,
}

pub(crate) async fn apps(State(service): State<Arc<Service>>, headers: HeaderMap) -> Result<Response, Problem> {
    let caller = service.caller(&headers)?;
    let names: Vec<&str> = service.vault.app_names().filter(|app| caller.may_use(app)).collect();
    Ok(fresh(json!({ "apps": names })))
}

pub(crate) async fn list(
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    query: Result<Query<ListQuery>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Problem> {
    let caller = service.caller(&headers)?;
    // Who may not ask is not told what is wrong with the question.
    if !caller.rights.contains(&Right::Read) {
        return Err(Problem::forbidden("This caller lacks the right \"read\" in the vault's configuration."));
    }
    let Query(query) = query?;
    let app = match query.app {
        Some(app) => app,
        None => {
            let mut mine = service.vault.app_names().filter(|app| caller.may_use(app));
            match (mine.next(), mine.next()) {
                (Some(only), None) => only.to_owned(),
                _ => return Err(Problem::bad_request("Say which app by ?app=NAME; GET /apps lists yours.")),
            }
        }
    };
    service.caller_who_may(Right::Read, &app, &headers)?;
    let held = service.vault.app(&app).map_err(|_| Problem::no_such_app())?;
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(Problem::bad_request(format!("limit is 1 to {MAX_LIMIT}.")));
    }
    let known: Vec<&str> = STATES.iter().map(|state| state.name()).chain([UNREADABLE]).collect();
    if query.state.as_deref().is_some_and(|state| !known.contains(&state)) {
        return Err(Problem::bad_request(format!("state is one of {}.", known.join(", "))));
    }
    if query.after.as_deref().is_some_and(|after| !is_id(after)) {
        return Err(Problem::bad_request("after is the next of an earlier page."));
    }
    let (mut found, mut after, mut next) = (Vec::new(), query.after, None);
    // A state that is rare fills no page in one read of the store.
    loop {
        let page = held.list(after.as_deref(), limit).await?;
        let (is_last, last) = (page.len() < limit, page.last().map(|shown| shown.id.clone()));
        for shown in page {
            if found.len() == limit {
                break;
            }
            next = Some(shown.id.clone());
            let state = state_of(&shown);
            if query.state.as_deref().is_none_or(|wanted| wanted == state) {
                found.push(shown);
            }
        }
        if is_last || found.len() == limit {
            if is_last && next == last {
                next = None;
            }
            break;
        }
        after = last;
    }
    let now = service.vault.now();
    let documents: Vec<Value> = found.iter().map(|shown| document(shown, now)).collect();
    Ok(fresh(json!({ "connections": documents, "next": next })))
}

pub(crate) async fn show(
    State(service): State<Arc<Service>>,
    path: ConnectionPath,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (app, id) = named(path)?;
    service.caller_who_may(Right::Read, &app, &headers)?;
    let held = service.vault.app(&app).map_err(|_| Problem::no_such_app())?;
    let shown = held.show(&id).await?.ok_or_else(Problem::not_connected)?;
    Ok(fresh(document(&shown, service.vault.now())))
}

pub(crate) async fn remove(
    State(service): State<Arc<Service>>,
    path: ConnectionPath,
    query: Result<Query<RemoveQuery>, axum::extract::rejection::QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (app, id) = named(path)?;
    service.caller_who_may(Right::Manage, &app, &headers)?;
    let Query(query) = query?;
    let held = service.vault.app(&app).map_err(|_| Problem::no_such_app())?;
    let removed = held.remove(&id, query.local.unwrap_or(false)).await;
    let removed = match removed {
        Ok(removed) => removed,
        Err(error) => {
            let problem = Problem::of_connection(&error, held, &id, service.vault.now()).await;
            return Err(problem.with_hint("?local=true removes it here, whatever the authority says."));
        }
    };
    let ended = match removed {
        Removed::There => true,
        Removed::HereOnly => false,
        Removed::Unknown => {
            let message = "There is no connection of this id, so there is nothing to remove.";
            return Err(Problem::new(StatusCode::NOT_FOUND, "not_connected", message));
        }
        Removed::NotOffered => {
            let message = "The authority offers no way to give the connection back. ?local=true removes it here; the user can end it in their account's settings.";
            return Err(Problem::new(StatusCode::CONFLICT, "revocation_not_offered", message));
        }
    };
    service.vault.bell.ring();
    Ok(fresh(json!({ "app": app, "id": id, "removed": true, "ended_at_authority": ended })))
}

pub(crate) async fn refresh(
    State(service): State<Arc<Service>>,
    path: ConnectionPath,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (app, id) = named(path)?;
    service.caller_who_may(Right::Manage, &app, &headers)?;
    let held = service.vault.app(&app).map_err(|_| Problem::no_such_app())?;
    if let Err(error) = held.connection(&id).refresh_now().await {
        return Err(Problem::of_connection(&error, held, &id, service.vault.now()).await);
    }
    let shown = held.show(&id).await?.ok_or_else(Problem::not_connected)?;
    Ok(fresh(document(&shown, service.vault.now())))
}

/// The access token itself: for the few programs that cannot go through the proxy. Needs a right of its own.
pub(crate) async fn token(
    State(service): State<Arc<Service>>,
    path: ConnectionPath,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (app, id) = named(path)?;
    let caller = service.caller_who_may(Right::Token, &app, &headers)?;
    let held = service.vault.app(&app).map_err(|_| Problem::no_such_app())?;
    let tokens = match held.connection(&id).fresh_tokens().await {
        Ok(tokens) => tokens,
        Err(error) => return Err(Problem::of_connection(&error, held, &id, service.vault.now()).await),
    };
    tracing::info!(caller = caller.name, app, connection = id, "an access token was handed out");
    Ok(fresh(json!({
        "access_token": tokens.access_token.expose(),
        "token_type": "Bearer",
        "expires_at": tokens.expires_at.map(Timestamp::to_utc),
    })))
}

const STATES: [ConnectionState; 6] = [
    ConnectionState::Connected,
    ConnectionState::Degraded,
    ConnectionState::ReauthRequired,
    ConnectionState::LostReply,
    ConnectionState::AccountLocked,
    ConnectionState::Denied,
];

/// Of a row that is damaged.
const UNREADABLE: &str = "unreadable";

/// The state in one word.
pub(crate) fn state_of(shown: &Shown) -> &'static str {
    shown.status.as_ref().map_or(UNREADABLE, |status| status.state.name())
}

/// Whole days until the grant would die of idleness.
pub(crate) fn idle_days(shown: &Shown, now: Timestamp) -> Option<i64> {
    shown.idle_until.map(|until| until.since(now).max(0) / DAY)
}

fn document(shown: &Shown, now: Timestamp) -> Value {
    let (since, reason) = match &shown.status {
        Ok(status) => (Some(status.since.to_utc()), status.reason.clone()),
        Err(_) => (None, DAMAGED.to_owned()),
    };
    json!({
        "app": shown.app,
        "id": shown.id,
        "state": state_of(shown),
        "since": since,
        "reason": if reason.is_empty() { None } else { Some(reason) },
        "identity": shown.identity,
        "token_expires_at": shown.expires_at.map(Timestamp::to_utc),
        "days_until_idle_death": idle_days(shown, now),
        "last_call_at": shown.last_call.map(Timestamp::to_utc),
    })
}
