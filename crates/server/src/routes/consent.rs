//! The consent page: who asks, for whom, for what (matrix IN-02).

use crate::doorway::Doorway;
use crate::html;
use crate::refusal_pages::RefusalPage;
use crate::request_id::RequestId;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use keyfob_authority::Fault;
use keyfob_authority::decide::{DecisionRefusal, is_active};
use keyfob_authority::interaction::Interaction;
use keyfob_authority::model::App;
use keyfob_authority::session::SignedIn;
use keyfob_authority::sign_in::SignInWay;
use keyfob_pages::{Consent, Permission};
use keyfob_protocol::redirect_uri::RegisteredRedirectUri;
use keyfob_protocol::scope::Scope;

/// Renders the page for this user.
pub(crate) fn page(
    doorway: &Doorway,
    interaction: &Interaction,
    sealed: &str,
    app: &App,
    signed_in: &SignedIn,
    cookies: impl IntoIterator<Item = HeaderValue>,
    id: &RequestId,
) -> Result<Response, Fault> {
    if !is_active(signed_in) {
        return Ok(RefusalPage::from(DecisionRefusal::Inactive).answer(doorway, id));
    }
    let redirect_uri = RegisteredRedirectUri::from_store(interaction.redirect_uri.clone());
    let user = &signed_in.user;
    let page = Consent {
        brand: doorway.options.brand.clone(),
        app_name: app.name.clone(),
        system_name: app.system_name.clone(),
        redirect_host: redirect_uri.host_for_display(),
        account_name: signed_in.account.as_ref().map(|account| account.name.clone()).unwrap_or_default(),
        user_name: user.name.clone(),
        user_email: user.email.clone(),
        user_role: user.role.name().to_owned(),
        granted: permissions(doorway, &interaction.scope),
        resources: interaction.resources.iter().map(str::to_owned).collect(),
        interaction: sealed.to_owned(),
        csrf: doorway.authority.consent_csrf(interaction, signed_in),
        action: "/oauth/authorize/decision".to_owned(),
    };
    // "Sign in as somebody else" is a form, too, and leads to where people sign in.
    let target = match &doorway.sign_in {
        SignInWay::Passwords(_) => redirect_uri.origin(),
        SignInWay::Platform(platform) => format!("{} {}", redirect_uri.origin(), platform.origin()),
        SignInWay::OpenId(openid) => format!("{} {}", redirect_uri.origin(), openid.origins().join(" ")),
    };
    Ok(html::page(StatusCode::OK, page.render(), Some(&target), cookies))
}

/// What the declared scopes say of themselves (decision D18).
pub(crate) fn permissions(doorway: &Doorway, scope: &Scope) -> Vec<Permission> {
    let declared = &doorway.authority.settings().scopes;
    scope
        .tokens()
        .map(|token| match declared.iter().find(|scope| scope.name == token) {
            Some(scope) => Permission { title: scope.title.clone(), sentence: scope.sentence.clone() },
            None => Permission { title: token.to_owned(), sentence: String::new() },
        })
        .collect()
}
