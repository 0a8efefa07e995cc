//! What an app's policy says about an authorize request that is well-formed and has a registered destination.

use crate::model::AppPolicy;
use keyfob_protocol::authorize::{AuthorizeRefusal, AuthorizeRequest};
use keyfob_protocol::callback::AuthorizeErrorCode;
use keyfob_protocol::resource::Resources;
use keyfob_protocol::scope::Scope;

/// The scope that a consent would grant, or the refusal that goes to the redirect URI.
pub fn granted_scope(
    policy: &AppPolicy,
    known: &Resources,
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
    if !request.resources.within(known) {
        return Err(refuse(AuthorizeErrorCode::InvalidTarget, "the resource is not known here"));
    }
    let asked = request.scope.as_ref().filter(|scope| !scope.is_empty());
    let scope = asked.unwrap_or(&policy.default_scope);
    match is_allowed(policy, scope) {
        true => Ok(scope.clone()),
        false if asked.is_none() => {
            Err(refuse(AuthorizeErrorCode::InvalidScope, "this app has no default scope; ask for one (scope)"))
        }
        false => Err(refuse(AuthorizeErrorCode::InvalidScope, "the scope is unknown or not allowed for this app")),
    }
}

/// Whether a grant to this app may have this scope (matrix AZ-11). No scope at all is the user's whole role, so an app that is held to
/// scopes never gets it.
pub fn is_allowed(policy: &AppPolicy, scope: &Scope) -> bool {
    if scope.is_empty() { policy.allowed_scope.is_empty() } else { scope.within(&policy.allowed_scope) }
}
