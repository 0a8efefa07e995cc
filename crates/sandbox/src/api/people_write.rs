//! `POST /v1/people` and `PUT /v1/people/{id}`.

use std::collections::BTreeSet;

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde_json::Value;

use super::answer;
use super::body::Body;
use super::caller::ApiCaller;
use super::error::ApiError;
use super::people;
use super::person_change::PersonChange;
use super::query::{Query, RecordId};
use super::state::ApiState;
use super::visibility;
use crate::seed::Role;

/// Creates a person, known or not; leads belong to `POST /v1/events`, which knows its own. Without an assignment an Agent's new
/// person is their own, or they would lose sight of it at once.
pub(super) async fn create(
    State(state): State<ApiState>,
    Extension(caller): Extension<ApiCaller>,
    body: Body,
) -> Result<Response, ApiError> {
    let user = state.user(caller.user);
    visibility::may_change_people(user)?;
    let mut change = PersonChange::read(&body, &state, user)?;
    if !change.names_somebody() {
        return Err(ApiError::bad_request(
            "A person needs at least one of \"firstName\", \"lastName\", \"emails\", \"phones\".",
        ));
    }
    if user.role == Role::Agent {
        change.assigned_user.get_or_insert(Some(user.id));
    }
    let now = state.now();
    let account = caller.account;
    let person = state.change(move |data| data.people.add(account, |id| change.into_person(id, now)).clone()).await?;
    Ok(answer::json(StatusCode::CREATED, &Value::Object(people::shown(&state, &person))))
}

/// Changes the fields that the body has. `tags` takes the place of what was there, or joins it with `mergeTags=true`.
pub(super) async fn update(
    State(state): State<ApiState>,
    Extension(caller): Extension<ApiCaller>,
    id: RecordId,
    query: Query,
    body: Body,
) -> Result<Response, ApiError> {
    let user = state.user(caller.user);
    visibility::person(&state, &state.data(), &caller, &id)?;
    visibility::may_change_people(user)?;
    let merge_tags = query.flag("mergeTags")?.unwrap_or(false);
    let change = PersonChange::read(&body, &state, user)?;
    let now = state.now();
    let account = caller.account;
    let changed = state
        .change(move |data| {
            let person = data.people.get_mut(account, id.0?)?;
            let before = person.tags.clone();
            change.apply(person, now);
            if merge_tags {
                let added = std::mem::replace(&mut person.tags, before);
                person.tags.extend(added);
                let mut seen = BTreeSet::new();
                person.tags.retain(|tag| seen.insert(tag.clone()));
            }
            Some(person.clone())
        })
        .await?;
    let person = changed.ok_or_else(|| ApiError::not_found("There is no person with this id in the account."))?;
    Ok(answer::json(StatusCode::OK, &Value::Object(people::shown(&state, &person))))
}
