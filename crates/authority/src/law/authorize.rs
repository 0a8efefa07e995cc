//! What an app's policy says about an authorize request that is well-formed and has a registered destination.

use crate::model::AppPolicy;
use keyfob_protocol::authorize::{AuthorizeRefusal, AuthorizeRequest};
use keyfob_protocol::callback::AuthorizeErrorCode;
use keyfob_protocol::scope::Scope;

/// The scope that a consent would grant, or the refusal that goes to the redirect URI.
pub fn granted_scope(
    policy: &AppPolicy,
    audiences: &[String],
    request: &AuthorizeRequest,
) -> Result<Scope, AuthorizeRefusal> {
    let refuse = |code, description: &str| AuthorizeRefusal {
        code,
        description: description.to_owned(),
        dialect: request.dialect,
        state: request.state.clone(),
    };
    if policy.needs_pkce() && request.code_challenge.is_none() {
        return Err(refuse(AuthorizeErrorCode::InvalidRequest, "this app must send code_challenge (PKCE, S256)"));
    }
    if request.resources.iter().any(|resource| !audiences.contains(resource)) {
        return Err(refuse(AuthorizeErrorCode::InvalidTarget, "the resource is not known here"));
    }
    match &request.scope {
        None => Ok(policy.default_scope.clone()),
        Some(scope) if scope.is_empty() => Ok(policy.default_scope.clone()),
        Some(scope) if scope.within(&policy.allowed_scope) => Ok(scope.clone()),
        Some(_) => Err(refuse(AuthorizeErrorCode::InvalidScope, "the scope is unknown or not allowed for this app")),
    }
}
