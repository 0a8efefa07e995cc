//! `GET /v1/identity`: whose credentials these are (matrix BR-13).

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde_json::json;

use super::answer;
use super::caller::ApiCaller;
use super::state::ApiState;
use crate::seed::Role;

pub(super) async fn show(State(state): State<ApiState>, Extension(caller): Extension<ApiCaller>) -> Response {
    let seed = state.seed();
    let account = seed.accounts.iter().find(|account| account.id == caller.account);
    let owner = seed.users.iter().find(|user| user.account == caller.account && user.role == Role::Owner);
    let user = state.user(caller.user);
    let body = json!({
        "account": {
            "id": caller.account,
            "name": account.map(|account| &account.name),
            "domain": account.map(|account| &account.domain),
            "owner": owner.map(|owner| json!({ "name": owner.name(), "email": owner.email })),
        },
        "user": {
            "id": user.id,
            "name": user.name(),
            "email": user.email,
            "role": user.role.name(),
            "isOwner": user.role == Role::Owner,
            "isAdmin": user.role >= Role::Admin,
        },
    });
    answer::json(StatusCode::OK, &body)
}
