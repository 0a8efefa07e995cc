//! `GET`, `POST` and `DELETE /v1/webhooks`: the owner's subscriptions. They are kept and listed; nothing is sent to them.

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use serde_json::Value;
use url::{Host, Url};

use super::answer;
use super::body::Body;
use super::caller::ApiCaller;
use super::data::Webhook;
use super::error::ApiError;
use super::page::{self, Collection, Paging};
use super::query::{Query, RecordId};
use super::rate_limit;
use super::state::ApiState;
use super::visibility::may_manage_webhooks;

const WEBHOOKS: Collection = Collection { name: "webhooks", sortable: &["id", "created", "event"], fields: &[] };

const EVENTS: [&str; 14] = [
    "peopleCreated",
    "peopleUpdated",
    "peopleDeleted",
    "peopleTagsCreated",
    "peopleStageUpdated",
    "notesCreated",
    "notesUpdated",
    "notesDeleted",
    "tasksCreated",
    "tasksUpdated",
    "eventsCreated",
    "callsCreated",
    "textMessagesCreated",
    "emailsCreated",
];

pub(super) async fn list(
    State(state): State<ApiState>,
    Extension(caller): Extension<ApiCaller>,
    query: Query,
) -> Result<Response, ApiError> {
    may_manage_webhooks(state.user(caller.user))?;
    let paging = Paging::read(query)?;
    let webhooks = state.data().webhooks.of_account(caller.account).map(page::shown).collect();
    let page = paging.answer(state.origin(), &WEBHOOKS, webhooks)?;
    Ok(answer::json(StatusCode::OK, &page))
}

pub(super) async fn show(
    State(state): State<ApiState>,
    Extension(caller): Extension<ApiCaller>,
    id: RecordId,
) -> Result<Response, ApiError> {
    may_manage_webhooks(state.user(caller.user))?;
    let data = state.data();
    let webhook = id.of("webhook", |id| data.webhooks.get(caller.account, id))?;
    Ok(answer::json(StatusCode::OK, &Value::Object(page::shown(webhook))))
}

pub(super) async fn create(
    State(state): State<ApiState>,
    Extension(caller): Extension<ApiCaller>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    may_manage_webhooks(state.user(caller.user))?;
    let event = body.one_of("event", &EVENTS)?;
    let event = event.ok_or_else(|| body.refuse("event", &format!("one of {}", EVENTS.join(", "))))?;
    let url = body.needed_text("url")?;
    if !may_be_called(&url) {
        return Err(body.refuse("url", "an https URL, or http on this machine"));
    }
    let (account, created, system) = (caller.account, state.now(), rate_limit::system(&headers));
    let webhook = state
        .change(move |data| {
            let status = "Active".to_owned();
            data.webhooks.add(account, |id| Webhook { id, created, event, url, status, system }).clone()
        })
        .await?;
    Ok(answer::json(StatusCode::CREATED, &Value::Object(page::shown(&webhook))))
}

pub(super) async fn remove(
    State(state): State<ApiState>,
    Extension(caller): Extension<ApiCaller>,
    id: RecordId,
) -> Result<Response, ApiError> {
    may_manage_webhooks(state.user(caller.user))?;
    let account = caller.account;
    let removed = match id.0 {
        Some(id) => state.change(move |data| data.webhooks.remove(account, id)).await?,
        None => false,
    };
    id.of("webhook", |_| removed.then_some(()))?;
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

/// As with redirect URIs, plain http is for the developer's own machine.
fn may_be_called(url: &str) -> bool {
    let Ok(url) = Url::parse(url) else { return false };
    match url.scheme() {
        "https" => url.has_host(),
        "http" => match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        },
        _ => false,
    }
}
