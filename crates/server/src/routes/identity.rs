//! `GET /v1/identity`: the account and user that a token acts for (matrix BR-13).

use crate::doorway::Doorway;
use crate::request_id::RequestId;
use crate::routes::oauth_apps;
use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use keyfob_authority::Fault;
use keyfob_authority::model::{AccountId, AccountStatus, Role, UserId, UserStatus};
use serde_json::{Value, json};
use std::sync::Arc;

/// The handler.
pub(crate) async fn identity(State(doorway): State<Arc<Doorway>>, request: Request) -> Response {
    let caller = match doorway.gate.check(request.headers()) {
        Ok(caller) => caller,
        Err(challenge) => {
            let request_id = RequestId::of(&request);
            tracing::info!(%request_id, why = challenge.why(), "an access token does not pass");
            return doorway.gate.refuse(&challenge);
        }
    };
    let Some(holder) = caller.holder else {
        return oauth_apps::error(StatusCode::FORBIDDEN, "This access token is the app's own: it acts for no user.");
    };
    match who(&doorway, UserId(holder.user), AccountId(holder.account)).await {
        Ok(Some(identity)) => Json(identity).into_response(),
        Ok(None) => {
            oauth_apps::error(StatusCode::FORBIDDEN, "The user or the account behind this token is not active.")
        }
        Err(fault) => oauth_apps::fault(&fault),
    }
}

async fn who(doorway: &Doorway, user: UserId, account: AccountId) -> Result<Option<Value>, Fault> {
    let store = doorway.authority.store();
    let (Some(user), Some(account)) = (store.user(user).await?, store.account(account).await?) else { return Ok(None) };
    if user.status != UserStatus::Active || account.status != AccountStatus::Active {
        return Ok(None);
    }
    let owner = store.users(Some(account.id)).await?.into_iter().find(|user| user.role == Role::Owner);
    Ok(Some(json!({
        "account": {
            "id": account.id,
            "name": account.name,
            "domain": account.domain,
            "owner": owner.map(|owner| json!({ "name": owner.name, "email": owner.email })),
        },
        "user": {
            "id": user.id,
            "name": user.name,
            "email": user.email,
            "role": user.role.name(),
            "isOwner": user.role == Role::Owner,
            "isAdmin": user.role >= Role::Admin,
        },
    })))
}
