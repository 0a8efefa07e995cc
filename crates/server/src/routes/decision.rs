//! `POST /oauth/authorize/decision`: the user's choice, once (matrix IN-03, IN-04).

use crate::cookies::{Flow, signed_in};
use crate::doorway::Doorway;
use crate::html;
use crate::pending_cookie;
use crate::refusal_pages::{self, RefusalPage};
use crate::routes::posted::{Posted, field, malformed};
use crate::routes::sign_in;
use axum::extract::{Request, State};
use axum::response::Response;
use keyfob_authority::decide::Choice;
use keyfob_authority::{Decision, Fault};
use keyfob_protocol::form::Form;
use std::sync::Arc;

/// The handler.
pub(crate) async fn decide(State(doorway): State<Arc<Doorway>>, request: Request) -> Response {
    let posted = match Posted::read(&doorway, request).await {
        Ok(posted) => posted,
        Err(response) => return response,
    };
    let form = match posted.form(&doorway) {
        Ok(form) => form,
        Err(response) => return response,
    };
    match choose(&doorway, &posted, &form).await {
        Ok(response) => response,
        Err(fault) => refusal_pages::fault(&doorway, &posted.id, &fault),
    }
}

async fn choose(doorway: &Doorway, posted: &Posted, form: &Form<'_>) -> Result<Response, Fault> {
    let choice = match field(form, "decision") {
        "approve" => Choice::Approve,
        "deny" => Choice::Deny,
        "switch" => {
            return ask_to_sign_in(doorway, posted, form, "Sign in as the person who should connect the app.").await;
        }
        _ => return Ok(malformed(doorway, &posted.id)),
    };
    let now = doorway.now();
    let Some(signed_in) = signed_in(doorway, &posted.headers, now).await? else {
        return ask_to_sign_in(doorway, posted, form, "Your session has ended. Sign in to go on.").await;
    };
    let flow = Flow::existing(doorway, &posted.headers);
    let (sealed, csrf) = (field(form, "interaction"), field(form, "csrf"));
    let (interaction, app) = match doorway.authority.open_interaction(sealed, flow, now).await? {
        Decision::Granted(opened) => opened,
        Decision::Refused(refusal) => return Ok(RefusalPage::from(refusal).answer(doorway, &posted.id)),
    };
    Ok(match doorway.authority.decide(&interaction, &app, csrf, &signed_in, choice, now).await {
        Ok(Decision::Granted(url)) => {
            let secure = doorway.options.secure_cookies;
            // Another tab may have gone to the platform since: what waits for that one stays.
            let waits = pending_cookie::read(&posted.headers, secure)
                .is_some_and(|waiting| doorway.authority.is_same_request(&waiting, &interaction, flow, now));
            html::see_other(&url, if waits { pending_cookie::clear(secure) } else { Vec::new() })
        }
        Ok(Decision::Refused(refusal)) => RefusalPage::from(refusal).answer(doorway, &posted.id),
        Err(fault) => {
            let redirect = doorway.authority.failed(&interaction, &app, &fault);
            refusal_pages::fault_to_app(&posted.id, &fault, &redirect)
        }
    })
}

/// The sign-in page for the same interaction.
async fn ask_to_sign_in(doorway: &Doorway, posted: &Posted, form: &Form<'_>, notice: &str) -> Result<Response, Fault> {
    let sealed = field(form, "interaction");
    let flow = Flow::existing(doorway, &posted.headers);
    let opened = doorway.authority.open_interaction(sealed, flow, doorway.now()).await?;
    Ok(match (opened, flow) {
        (Decision::Granted((interaction, app)), Some(flow)) => {
            let ask = sign_in::Ask {
                app: Some(&app),
                sealed: Some(sealed),
                notice: Some(notice),
                anew: true,
                ..sign_in::Ask::plain(flow)
            };
            sign_in::ask(doorway, &ask, [], &posted.id).await.unwrap_or_else(|fault| {
                let redirect = doorway.authority.failed(&interaction, &app, &fault);
                refusal_pages::fault_to_app(&posted.id, &fault, &redirect)
            })
        }
        (Decision::Refused(refusal), _) => RefusalPage::from(refusal).answer(doorway, &posted.id),
        (Decision::Granted(_), None) => malformed(doorway, &posted.id),
    })
}
