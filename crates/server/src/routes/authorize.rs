//! `GET` and `POST /oauth/authorize`: validates a request and shows the sign-in or the consent page. Nothing is approved here.

use crate::cookies::{Flow, signed_in};
use crate::doorway::Doorway;
use crate::html;
use crate::refusal_pages::{self, RefusalPage};
use crate::request_id::RequestId;
use crate::routes::posted::{Posted, malformed};
use crate::routes::{consent, sign_in};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use keyfob_authority::Fault;
use keyfob_authority::authorize::{AuthorizeOutcome, Begun};
use keyfob_protocol::Timestamp;
use keyfob_protocol::form::Form;
use std::sync::Arc;

/// `GET`, and HEAD, which only differ in the body.
pub(crate) async fn by_query(State(doorway): State<Arc<Doorway>>, request: Request) -> Response {
    let id = RequestId::of(&request);
    let (parts, _) = request.into_parts();
    match Form::parse(parts.uri.query().unwrap_or_default().as_bytes()) {
        Ok(form) => begin(&doorway, &form, &parts.headers, &id).await,
        Err(_) => malformed(&doorway, &id),
    }
}

/// `POST` with the same parameters in a form body (matrix AZ-10).
pub(crate) async fn by_form(State(doorway): State<Arc<Doorway>>, request: Request) -> Response {
    let posted = match Posted::read(&doorway, request).await {
        Ok(posted) => posted,
        Err(response) => return response,
    };
    if !posted.query.is_empty() {
        let for_user =
            "Go back to the app and connect again. Its developer should send the parameters in the body only.";
        let title = "This request has parameters in two places";
        return RefusalPage::plain(StatusCode::BAD_REQUEST, title, for_user).answer(&doorway, &posted.id);
    }
    match posted.form(&doorway) {
        Ok(form) => begin(&doorway, &form, &posted.headers, &posted.id).await,
        Err(response) => response,
    }
}

async fn begin(doorway: &Doorway, form: &Form<'_>, headers: &HeaderMap, id: &RequestId) -> Response {
    match show(doorway, form, headers, id).await {
        Ok(response) => response,
        Err(fault) => refusal_pages::fault(doorway, id, &fault),
    }
}

async fn show(doorway: &Doorway, form: &Form<'_>, headers: &HeaderMap, id: &RequestId) -> Result<Response, Fault> {
    let now = doorway.now();
    let flow = Flow::of(doorway, headers)?;
    let begun = match doorway.authority.begin_authorize(form, flow.id, now).await? {
        AuthorizeOutcome::Page(refusal) => {
            let page = RefusalPage::from(refusal);
            page.log(form.one("client_id").ok().flatten().unwrap_or_default(), id);
            return Ok(page.page(doorway, id));
        }
        AuthorizeOutcome::Refused { refusal, redirect } => {
            let (error, why) = (refusal.code.code(), &refusal.description);
            tracing::info!(request_id = %id, error, why, "authorize request refused");
            return Ok(html::see_other(&redirect, []));
        }
        AuthorizeOutcome::Failed { fault, redirect } => {
            return Ok(refusal_pages::fault_to_app(id, &fault, &redirect));
        }
        AuthorizeOutcome::Interact(begun) => begun,
    };
    match first_page(doorway, &begun, flow, headers, id, now).await {
        Ok(response) => Ok(response),
        Err(fault) => {
            let redirect = doorway.authority.failed(&begun.interaction, &begun.app, &fault);
            Ok(refusal_pages::fault_to_app(id, &fault, &redirect))
        }
    }
}

/// The consent page if somebody is signed in whom the request accepts, otherwise the sign-in page.
async fn first_page(
    doorway: &Doorway,
    begun: &Begun,
    flow: Flow,
    headers: &HeaderMap,
    id: &RequestId,
    now: Timestamp,
) -> Result<Response, Fault> {
    match signed_in(doorway, headers, now).await? {
        Some(signed_in) if begun.interaction.accepts(signed_in.session.id) => {
            consent::page(doorway, &begun.interaction, &begun.sealed, &begun.app, &signed_in, flow.set, id)
        }
        _ => {
            let ask = sign_in::Ask {
                app: Some(&begun.app),
                sealed: Some(&begun.sealed),
                notice: begun.interaction.asks_for_login().then_some("The app asks you to sign in again."),
                ..sign_in::Ask::plain(flow.id)
            };
            sign_in::ask(doorway, &ask, flow.set, id).await
        }
    }
}
