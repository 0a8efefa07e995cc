//! `POST /sandbox/authorize`: the whole browser part without a browser.
//!
//! The request passes the same law as a browser's: it is frozen, somebody signs in for it, and decides. Only the password is not asked
//! for. A sign-in for this very request is always a fresh one, so `prompt=login` is honoured by itself.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use keyfob_authority::authorize::{AuthorizeOutcome, DestinationRefusal};
use keyfob_authority::decide::{Choice, DecisionRefusal};
use keyfob_authority::interaction::{FlowId, Interaction};
use keyfob_authority::model::User;
use keyfob_authority::session::SignedIn;
use keyfob_authority::{Decision, Fault};
use keyfob_protocol::authorize::DestinationError;
use keyfob_protocol::form::Form;
use keyfob_protocol::{Clock, Timestamp, entropy};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Control, answer, fault, read, refusal};

const EXAMPLE: &str = r#"{"url":"…/oauth/authorize?…","user":"name@example.com","decision":"approve"}"#;
const PATH: &str = "/oauth/authorize";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    url: String,
    user: String,
    decision: AskedDecision,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum AskedDecision {
    Approve,
    Deny,
}

#[derive(Serialize)]
struct Redirected {
    redirect: String,
    /// Why the app is told of an error; the redirect in Follow Up Boss's spelling has no room for it.
    #[serde(skip_serializing_if = "Option::is_none", rename = "errorDescription")]
    error_description: Option<String>,
}

impl Redirected {
    fn to(redirect: String) -> Redirected {
        Redirected { redirect, error_description: None }
    }
}

pub(super) async fn authorize(State(control): State<Arc<Control>>, headers: HeaderMap, body: Bytes) -> Response {
    let asked: Asked = match read(&headers, &body, EXAMPLE) {
        Ok(asked) => asked,
        Err(refusal) => return *refusal,
    };
    let Some(query) = query(&control, &asked.url) else {
        let message = format!("url must begin with {}{PATH}?", control.addresses.authority);
        return refusal(StatusCode::BAD_REQUEST, &message);
    };
    let Ok(form) = Form::parse(query.as_bytes()) else {
        return refusal(StatusCode::BAD_REQUEST, "The query of url is not well-formed: look at its percent-encoding.");
    };
    let choice = match asked.decision {
        AskedDecision::Approve => Choice::Approve,
        AskedDecision::Deny => Choice::Deny,
    };
    match decide(&control, &form, &asked.user, choice).await {
        Ok(response) => response,
        Err(failed) => fault(&failed),
    }
}

/// The query of an authorize URL of this sandbox, whichever of its names it is called by.
fn query<'u>(control: &Control, url: &'u str) -> Option<&'u str> {
    let url = url.split('#').next().unwrap_or_default();
    let addresses = &control.addresses;
    let localhost = addresses.authority.rsplit_once(':').map(|(_, port)| format!("http://localhost:{port}"));
    let origins = [Some(addresses.authority.as_str()), localhost.as_deref(), Some("")];
    let rest = origins.into_iter().flatten().find_map(|origin| url.strip_prefix(origin)?.strip_prefix(PATH))?;
    if rest.is_empty() { Some("") } else { rest.strip_prefix('?') }
}

async fn decide(control: &Control, form: &Form<'_>, email: &str, choice: Choice) -> Result<Response, Fault> {
    let now = control.clock.now();
    let Some(user) = control.authority.store().user_by_email(&email.trim().to_lowercase()).await? else {
        let message = "user is nobody's e-mail address here; GET /sandbox/credentials lists them.";
        return Ok(refusal(StatusCode::BAD_REQUEST, message));
    };
    let flow = FlowId(entropy::random(&*control.entropy)?);
    let begun = match control.authority.begin_authorize(form, flow, now).await? {
        AuthorizeOutcome::Page(refusal) => return Ok(page(StatusCode::BAD_REQUEST, &destination(&refusal))),
        AuthorizeOutcome::Refused { refusal, redirect } => {
            let redirected = Redirected { redirect, error_description: Some(refusal.description) };
            return Ok(answer(StatusCode::OK, &redirected));
        }
        // The browser, too, would be sent to the app with the news of our failure.
        AuthorizeOutcome::Failed { fault, redirect } => {
            tracing::error!(%fault, "an authorize request failed");
            return Ok(answer(StatusCode::OK, &Redirected::to(redirect)));
        }
        AuthorizeOutcome::Interact(begun) => *begun,
    };
    let signed_in = sign_in(control, user, now).await?;
    let decided = decide_as(control, begun.interaction, &signed_in, choice, now).await;
    // The session served one decision; nobody holds its cookie.
    control.authority.sign_out(&signed_in, now).await?;
    Ok(match decided? {
        Decision::Granted(redirect) => answer(StatusCode::OK, &Redirected::to(redirect)),
        Decision::Refused(refusal) => {
            let (status, message) = decision(refusal);
            page(status, message)
        }
    })
}

async fn sign_in(control: &Control, user: User, now: Timestamp) -> Result<SignedIn, Fault> {
    let account = control.authority.store().account(user.account).await?;
    let (_, session) = control.authority.open_session(&user, None, now).await?;
    Ok(SignedIn { session, user, account })
}

async fn decide_as(
    control: &Control,
    interaction: Interaction,
    signed_in: &SignedIn,
    choice: Choice,
    now: Timestamp,
) -> Result<Decision<String, DecisionRefusal>, Fault> {
    let interaction = interaction.signed_in_by(signed_in.session.id);
    let app = match control.authority.app_of(&interaction).await? {
        Decision::Granted(app) => app,
        Decision::Refused(refusal) => return Ok(Decision::Refused(refusal)),
    };
    // Of the form that nobody was shown.
    let csrf = control.authority.consent_csrf(&interaction, signed_in);
    control.authority.decide(&interaction, &app, &csrf, signed_in, choice, now).await
}

/// What a browser would have been shown.
fn page(status: StatusCode, message: &str) -> Response {
    answer(StatusCode::BAD_REQUEST, &json!({ "status": status.as_u16(), "errorMessage": message }))
}

fn destination(refusal: &DestinationRefusal) -> String {
    match refusal {
        DestinationRefusal::Parameter(DestinationError::Missing(name)) => format!("{name} is missing or empty."),
        DestinationRefusal::Parameter(DestinationError::Repeated(name)) => format!("{name} appears more than once."),
        DestinationRefusal::UnknownClient { client_id } => {
            format!("client_id: there is no app with the client id {client_id:?} here.")
        }
        DestinationRefusal::DisabledClient => "client_id: this app is disabled.".to_owned(),
        DestinationRefusal::RedirectUri { received, nearest: Some(nearest) } => {
            format!("redirect_uri: {received:?} is not registered for this app; the nearest that is: {nearest:?}.")
        }
        DestinationRefusal::RedirectUri { received, nearest: None } => {
            format!("redirect_uri: {received:?} is not registered for this app.")
        }
    }
}

fn decision(refusal: DecisionRefusal) -> (StatusCode, &'static str) {
    match refusal {
        DecisionRefusal::Inactive => (StatusCode::FORBIDDEN, "The user or the account is not active."),
        DecisionRefusal::AppChanged => {
            (StatusCode::BAD_REQUEST, "The app was disabled or changed while the decision was taken.")
        }
        DecisionRefusal::Decided => (StatusCode::BAD_REQUEST, "This request was decided already."),
        // Not to be reached from here: the request was frozen and signed in for a moment ago, and never left this process.
        DecisionRefusal::Interaction(_) | DecisionRefusal::ForeignForm | DecisionRefusal::SignInAgain => {
            (StatusCode::FORBIDDEN, "The request is not accepted; try again.")
        }
    }
}
