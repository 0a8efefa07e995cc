//! Who is calling: an API key as Basic, or an access token as Bearer (matrix SB-01, SB-02).

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use keyfob_gate::Challenge;
use keyfob_protocol::{basic, bearer};

use super::answer;
use super::caller::{ApiCaller, Via};
use super::error::ApiError;
use super::state::ApiState;
use crate::seed::User;

const BASIC_CHALLENGE: HeaderValue = HeaderValue::from_static("Basic realm=\"Follow Up Boss API\"");

/// The caller, or the whole refusal.
pub(super) fn caller(state: &ApiState, headers: &HeaderMap) -> Result<ApiCaller, Box<Response>> {
    let mut authorizations = headers.get_all(header::AUTHORIZATION).iter();
    let Some(authorization) = authorizations.next() else {
        return Err(unauthorized(state, "Send an API key as HTTP Basic user name, or an access token as Bearer."));
    };
    if authorizations.next().is_some() || bearer::parse(authorization.as_bytes()) != bearer::PresentedBearer::Absent {
        let token = state.gate().check(headers).map_err(|challenge| Box::new(state.gate().refuse(&challenge)))?;
        // A token may outlive what it was issued for: the data may have been reset, or restored from an older file.
        let holder = token.holder;
        let named =
            |user: &&User| holder.is_some_and(|holder| (user.id, user.account) == (holder.user, holder.account));
        return match state.seed().users.iter().find(named) {
            Some(user) => Ok(ApiCaller { user: user.id, account: user.account, via: Via::Token(token) }),
            None => {
                Err(Box::new(ApiError::not_found("The user of this access token does not exist here.").into_response()))
            }
        };
    }
    let Ok(basic) = basic::parse(authorization.as_bytes()) else {
        return Err(unauthorized(
            state,
            "The Authorization header is neither well-formed Basic, base64 of \"apiKey:\", nor Bearer.",
        ));
    };
    match state.user_of_key(&basic.id) {
        Some(user) => Ok(ApiCaller { user: user.id, account: user.account, via: Via::ApiKey }),
        None if looks_like_a_token(&basic.id) || looks_like_a_token(basic.secret.raw.expose()) => Err(unauthorized(
            state,
            "An access token does not work as HTTP Basic; send it as \"Authorization: Bearer\".",
        )),
        None => Err(unauthorized(state, "There is no such API key.")),
    }
}

/// Access tokens are JWTs, and an API key has no dots.
fn looks_like_a_token(text: &str) -> bool {
    text.split('.').count() == 3
}

fn unauthorized(state: &ApiState, message: &str) -> Box<Response> {
    let body = serde_json::json!({ "errorMessage": message });
    let mut response = answer::json(StatusCode::UNAUTHORIZED, &body);
    response.headers_mut().append(header::WWW_AUTHENTICATE, BASIC_CHALLENGE);
    let bearer: Response = state.gate().refuse(&Challenge::NoCredentials);
    for value in bearer.headers().get_all(header::WWW_AUTHENTICATE) {
        response.headers_mut().append(header::WWW_AUTHENTICATE, value.clone());
    }
    Box::new(response)
}
