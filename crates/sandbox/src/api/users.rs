//! `GET /v1/me`, `/v1/users` and `/v1/users/{id}`.

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};

use super::answer;
use super::caller::ApiCaller;
use super::error::ApiError;
use super::page::{Collection, Paging, Shown};
use super::query::{Query, RecordId};
use super::state::ApiState;
use crate::seed::{Role, User};

const USERS: Collection = Collection {
    name: "users",
    sortable: &["id", "created", "name", "firstName", "lastName", "email", "role"],
    fields: &[],
};

/// The whole record, with the user's secrets, as Follow Up Boss answers it. Identify users by `/v1/identity` instead.
pub(super) async fn me(State(state): State<ApiState>, Extension(caller): Extension<ApiCaller>) -> Response {
    let user = state.user(caller.user);
    let mut record = shown(user);
    record.insert("account".to_owned(), json!(user.account));
    record.insert("apiKey".to_owned(), json!(user.api_key.expose()));
    record.insert("algoliaKey".to_owned(), json!(user.search_key.expose()));
    answer::json(StatusCode::OK, &Value::Object(record))
}

pub(super) async fn list(
    State(state): State<ApiState>,
    Extension(caller): Extension<ApiCaller>,
    query: Query,
) -> Result<Response, ApiError> {
    let paging = Paging::read(query)?;
    let (name, email, role) = (paging.query.one("name")?, paging.query.one("email")?, paging.query.one("role")?);
    let wanted = |user: &&User| {
        let same = |wanted: Option<&str>, value: &str| wanted.is_none_or(|wanted| wanted.eq_ignore_ascii_case(value));
        user.account == caller.account
            && same(name, &user.name())
            && same(email, &user.email)
            && same(role, user.role.name())
    };
    let users = state.seed().users.iter().filter(wanted).map(shown).collect();
    let page = paging.answer(state.origin(), &USERS, users)?;
    Ok(answer::json(StatusCode::OK, &page))
}

pub(super) async fn show(
    State(state): State<ApiState>,
    Extension(caller): Extension<ApiCaller>,
    id: RecordId,
) -> Result<Response, ApiError> {
    let users = &state.seed().users;
    let user = id.of("user", |id| users.iter().find(|user| user.id == id && user.account == caller.account))?;
    Ok(answer::json(StatusCode::OK, &Value::Object(shown(user))))
}

/// What colleagues see.
fn shown(user: &User) -> Shown {
    let record = json!({
        "id": user.id,
        "created": user.created.to_utc(),
        "updated": user.created.to_utc(),
        "name": user.name(),
        "firstName": user.first_name,
        "lastName": user.last_name,
        "email": user.email,
        "phone": user.phone,
        "role": user.role.name(),
        "isOwner": user.role == Role::Owner,
        "status": "Active",
        "timezone": user.timezone,
        "picture": null,
        "pauseLeadDistribution": false,
        "canExport": user.role >= Role::Admin,
    });
    match record {
        Value::Object(record) => record,
        _ => unreachable!("invariant: the literal above is an object"),
    }
}
