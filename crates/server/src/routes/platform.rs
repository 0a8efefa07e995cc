//! `PUT /platform/users/{id}` and `/platform/accounts/{id}`: the platform suspends and reopens what is its own (matrix RF-10), and
//! gives users their roles.

use crate::doorway::Doorway;
use crate::limits;
use crate::request_id::RequestId;
use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use keyfob_authority::hand_off::change::{Change, ChangeRefusal};
use keyfob_authority::model::Role;
use keyfob_authority::sign_in::SignInWay;
use keyfob_authority::{Decision, Fault};
use keyfob_protocol::bearer::{self, PresentedBearer};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::sync::Arc;

/// What the platform sends about a user, and gets back; one of the two at least.
#[derive(Clone, Copy, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct OfUser {
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<Role>,
}

/// The same about an account.
#[derive(Clone, Copy, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct OfAccount {
    status: Status,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Active,
    Suspended,
}

/// `PUT /platform/users/{id}`
pub(crate) async fn user(State(doorway): State<Arc<Doorway>>, Path(id): Path<String>, request: Request) -> Response {
    let form = "{\"status\": \"suspended\" or \"active\", \"role\": \"Owner\", \"Admin\", \"Agent\" or \"Lender\"}, one of the two at least";
    let change = |body: &OfUser| {
        let active = body.status.map(|status| status == Status::Active);
        (active.is_some() || body.role.is_some()).then_some(Change::User { id: &id, active, role: body.role })
    };
    answered(&doorway, request, form, change).await
}

/// `PUT /platform/accounts/{id}`
pub(crate) async fn account(State(doorway): State<Arc<Doorway>>, Path(id): Path<String>, request: Request) -> Response {
    let form = "{\"status\": \"suspended\" or \"active\"}";
    let change = |body: &OfAccount| Some(Change::Account { id: &id, active: body.status == Status::Active });
    answered(&doorway, request, form, change).await
}

/// `form` is how the body looks, for whoever sends another; `change` is what it asks for, if anything.
async fn answered<'c, B: DeserializeOwned + Serialize>(
    doorway: &Doorway,
    request: Request,
    form: &str,
    change: impl FnOnce(&B) -> Option<Change<'c>>,
) -> Response {
    let SignInWay::Platform(platform) = &doorway.sign_in else { return StatusCode::NOT_FOUND.into_response() };
    let request_id = RequestId::of(&request);
    let (parts, body) = request.into_parts();
    let mut presented = parts.headers.get_all(AUTHORIZATION).iter();
    let token = match (presented.next().map(|header| bearer::parse(header.as_bytes())), presented.next()) {
        (Some(PresentedBearer::Token(token)), None) => token,
        _ => return unauthorized(&request_id, "no_token", None),
    };
    let body = match limits::read_body(body).await {
        Ok(body) => body,
        Err(status) => return status.into_response(),
    };
    let asked = serde_json::from_slice::<B>(&body).ok().and_then(|body| Some((change(&body)?, body)));
    let Some((change, body)) = asked else {
        let message = format!("The body is not {form}.");
        return refused(&request_id, StatusCode::BAD_REQUEST, "invalid_request", ("malformed_body", None), &message);
    };
    match doorway.authority.change_by_platform(platform, token, change, doorway.now()).await {
        Ok(Decision::Granted(())) => ([(CACHE_CONTROL, "no-store")], Json(body)).into_response(),
        Ok(Decision::Refused(refusal @ ChangeRefusal::Unknown)) => {
            let message = "Nobody with this id has signed in here yet. Repeat it after five minutes: an assertion may be on its way.";
            refused(&request_id, StatusCode::NOT_FOUND, "not_found", (refusal.reason(), None), message)
        }
        Ok(Decision::Refused(refusal @ ChangeRefusal::Overtaken)) => {
            let message = "An assertion or a change with a later iat has said otherwise since. Nothing was changed.";
            refused(&request_id, StatusCode::CONFLICT, "conflict", (refusal.reason(), None), message)
        }
        Ok(Decision::Refused(refusal)) => unauthorized(&request_id, refusal.reason(), refusal.claim()),
        Err(failed) => fault(failed),
    }
}

fn refused(
    request_id: &RequestId,
    status: StatusCode,
    error: &str,
    (reason, claim): (&'static str, Option<&'static str>),
    message: &str,
) -> Response {
    tracing::info!(%request_id, reason, claim, "a change by the platform was refused");
    answer(status, error, reason, message)
}

fn unauthorized(request_id: &RequestId, reason: &'static str, claim: Option<&'static str>) -> Response {
    let message = "The Bearer token does not authorize this change. Sign a fresh one for it, with a new jti.";
    let mut response = refused(request_id, StatusCode::UNAUTHORIZED, "invalid_token", (reason, claim), message);
    let challenge = HeaderValue::from_static("Bearer error=\"invalid_token\"");
    response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    response
}

/// `reason` is a stable word for programs, `message` a sentence for whoever reads it.
fn answer(status: StatusCode, error: &str, reason: &'static str, message: &str) -> Response {
    let body = json!({ "error": error, "reason": reason, "message": message });
    (status, [(CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

/// Logged once, where every answer passes by.
fn fault(failed: Fault) -> Response {
    let (status, reason) = match failed.is_temporary() {
        true => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
        false => (StatusCode::INTERNAL_SERVER_ERROR, "fault"),
    };
    let message = "Perhaps nothing was changed. Try again with another token.";
    let mut response = answer(status, "server_error", reason, message);
    if failed.is_temporary() {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response.extensions_mut().insert(failed);
    response
}
