//! The doors that every request passes: who, how often, and whether the account's subscription runs.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, StatusCode};

use super::authenticate;
use super::error::ApiError;
use super::rate_limit::{self, Context};
use super::state::ApiState;
use crate::seed::AccountStatus;

/// A refusal at the first door says nothing about rates (matrix SB-01); everything behind it does, and the request that is
/// one too many is not processed.
pub(super) async fn pass(State(state): State<ApiState>, mut request: Request, next: Next) -> Response {
    let caller = match authenticate::caller(&state, request.headers()) {
        Ok(caller) => caller,
        Err(refusal) => return *refusal,
    };
    let (user, account) = (caller.user, caller.account);
    let context = Context::of(request.method(), request.uri().path());
    let standing = state.count(account, rate_limit::system(request.headers()), context);
    let mut response = if standing.retry_after.is_some() {
        ApiError { status: StatusCode::TOO_MANY_REQUESTS, message: standing.refusal() }.into_response()
    } else if state.account_status(account) == AccountStatus::Expired {
        ApiError::forbidden(
            "The account's subscription has expired; its owner can renew it. The credentials are still good.",
        )
        .into_response()
    } else {
        request.extensions_mut().insert(caller);
        next.run(request).await
    };
    standing.mark(&mut response);
    response.headers_mut().insert(HeaderName::from_static("fub-account-id"), account.into());
    response.headers_mut().insert(HeaderName::from_static("fub-user-id"), user.into());
    response
}
