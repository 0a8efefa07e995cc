//! `GET` and `POST /v1/notes`, `GET /v1/notes/{id}`.

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};

use super::answer;
use super::body::Body;
use super::caller::ApiCaller;
use super::error::ApiError;
use super::page::{self, Collection, Paging, Shown};
use super::query::{Query, RecordId};
use super::state::ApiState;
use super::visibility;
use crate::seed::Note;

const NOTES: Collection =
    Collection { name: "notes", sortable: &["id", "created", "updated", "personId"], fields: &[] };

/// Longest text of a note, in characters.
const LONGEST: usize = 100_000;

pub(super) async fn list(
    State(state): State<ApiState>,
    Extension(caller): Extension<ApiCaller>,
    query: Query,
) -> Result<Response, ApiError> {
    let paging = Paging::read(query)?;
    let person = paging.query.whole("personId", 1, i64::MAX)?;
    let notes = {
        let data = state.data();
        let visible = |note: &&Note| visibility::about(&state, &data, &caller, person, note.person_id);
        data.notes.of_account(caller.account).filter(visible).map(|note| shown(&state, note)).collect()
    };
    let page = paging.answer(state.origin(), &NOTES, notes)?;
    Ok(answer::json(StatusCode::OK, &page))
}

pub(super) async fn show(
    State(state): State<ApiState>,
    Extension(caller): Extension<ApiCaller>,
    id: RecordId,
) -> Result<Response, ApiError> {
    let data = state.data();
    let note = id.of("note", |id| data.notes.get(caller.account, id))?;
    visibility::person(&state, &data, &caller, &RecordId(Some(note.person_id)))?;
    Ok(answer::json(StatusCode::OK, &Value::Object(shown(&state, note))))
}

pub(super) async fn create(
    State(state): State<ApiState>,
    Extension(caller): Extension<ApiCaller>,
    body: Body,
) -> Result<Response, ApiError> {
    let person_id = body.whole("personId")?.ok_or_else(|| body.refuse("personId", "the id of a person"))?;
    let subject = body.text("subject")?.unwrap_or_default();
    let text = body.text_up_to("body", LONGEST)?.filter(|text| !text.trim().is_empty());
    let text = text.ok_or_else(|| body.refuse("body", "given and not empty"))?;
    let is_html = body.flag("isHtml")?.unwrap_or(false);
    visibility::person(&state, &state.data(), &caller, &RecordId(Some(person_id)))?;
    let now = state.now();
    let (account, user) = (caller.account, caller.user);
    let note = state
        .change(move |data| {
            if let Some(person) = data.people.get_mut(account, person_id) {
                person.last_activity = now;
            }
            let note = data.notes.add(account, |id| Note {
                id,
                created: now,
                updated: now,
                created_by_id: user,
                updated_by_id: user,
                person_id,
                subject,
                body: text,
                is_html,
            });
            note.clone()
        })
        .await?;
    Ok(answer::json(StatusCode::CREATED, &Value::Object(shown(&state, &note))))
}

fn shown(state: &ApiState, note: &Note) -> Shown {
    let mut record = page::shown(note);
    record.insert("createdBy".to_owned(), json!(state.user_name(Some(note.created_by_id))));
    record.insert("updatedBy".to_owned(), json!(state.user_name(Some(note.updated_by_id))));
    record.insert("type".to_owned(), json!("Note"));
    record.insert("isExternal".to_owned(), json!(false));
    record
}
