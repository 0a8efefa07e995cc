//! `GET /demo/callback/{app}`: the browser comes back, once (matrix CL-10, CL-14).
//!
//! Whatever came, the answer is a redirect to an address without it. A second visit sends nothing and says so.

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use keyfob_client::{CallbackOutcome, Connection, ConnectionError, FirstVisit, ReadyExchange};
use keyfob_pages::{Exchange, Note, Tone};
use keyfob_protocol::Clock;
use serde_json::Value;

use super::apps::DemoApp;
use super::slot::{Outcome, Slot, Who};
use super::{Demo, shown};

pub(super) async fn callback(
    State(demo): State<Arc<Demo>>,
    Path(key): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let Some(app) = demo.apps.find(&key) else {
        return demo.answers.message(StatusCode::NOT_FOUND, "There is nothing here", "The demo has no such app.");
    };
    let query = query.unwrap_or_default();
    let outcome_page = format!("/demo/outcome/{key}");
    // A browser that never was at the demo began nothing; it gets no session for knocking here.
    let Some(session) = demo.sessions.known(&headers) else {
        return demo.answers.see_other(&outcome_page, None);
    };
    let Some(slot) = session.slot(&key) else { return demo.answers.see_other("/demo", None) };
    let came = |location: &str| shown::callback(&app.app.redirect_uri, &query, location);
    let ready = match app.attempts.accept(&query, session.browser(), demo.clock.now()) {
        Ok(ready) => ready,
        Err(CallbackOutcome::Denied) => {
            slot.steps.add(came(&outcome_page));
            slot.set_outcome(Outcome::Denied { steps: slot.steps.all() });
            return demo.answers.see_other(&outcome_page, None);
        }
        Err(outcome) => {
            slot.set_outcome(problem(&outcome, came(&outcome_page)));
            return demo.answers.see_other(&outcome_page, None);
        }
    };
    let connection_page = format!("/demo/connections/{key}");
    slot.steps.add(came(&connection_page));
    match exchange(slot, app, ready).await {
        Ok(()) => demo.answers.see_other(&connection_page, None),
        Err(outcome) => {
            slot.set_outcome(outcome);
            demo.answers.see_other(&outcome_page, None)
        }
    }
}

/// Tokens for the code, and at once a call that says whom they act for: an app has to know whom it connected.
async fn exchange(slot: &Slot, app: &DemoApp, ready: ReadyExchange) -> Result<(), Outcome> {
    let connected = slot.connections().connect(slot.id(), ready).await;
    let connection = connected.map_err(|error| Outcome::Problem {
        title: "The code gave no tokens",
        sentence: format!("{error}."),
        steps: slot.steps.all(),
    })?;
    let note = match identity(&connection).await {
        Ok(who) => {
            let text = format!("{} is connected as {} of {}.", app.name, who.user, who.account);
            slot.set_who(Some(who));
            Note { tone: Tone::Good, text }
        }
        Err(why) => {
            slot.set_who(None);
            Note { tone: Tone::Warn, text: format!("Connected, but the API does not say as whom: {why}") }
        }
    };
    slot.say(note);
    Ok(())
}

async fn identity(connection: &Connection) -> Result<Who, String> {
    let response = connection.get("/v1/identity").await.map_err(|error: ConnectionError| format!("{error}."))?;
    let body: Value = response.json().unwrap_or_default();
    if response.status != 200 {
        let message = body["errorMessage"].as_str().unwrap_or("no reason given.");
        return Err(format!("{}, {message}", response.status));
    }
    let text = |value: &Value| value.as_str().unwrap_or("somebody without a name").to_owned();
    Ok(Who {
        user: text(&body["user"]["name"]),
        account: text(&body["account"]["name"]),
        role: text(&body["user"]["role"]),
    })
}

/// What went wrong before anything was sent, in words for whoever looks at the page.
fn problem(outcome: &CallbackOutcome, came: Exchange) -> Outcome {
    let (title, sentence) = match outcome {
        CallbackOutcome::AlreadyUsed(first) => {
            let first = match first {
                FirstVisit::Approved => "The first time, the user had approved and the code went to the authority.",
                FirstVisit::Denied => "The first time, the user had declined.",
                FirstVisit::Refused => "The first time, it was refused.",
            };
            ("This answer was already used", format!("{first} The app did nothing this time and sent no code to the authority."))
        }
        CallbackOutcome::Denied => ("Nothing was connected", "The user declined.".to_owned()),
        CallbackOutcome::ProtocolError(error) => (
            "The authority refused the request",
            format!("{error}. That is for the app's developer to mend; the app sent no code to the authority."),
        ),
        CallbackOutcome::Expired => (
            "That took too long",
            "More than 15 minutes have passed since Connect was pressed, so the app no longer takes the answer. Try again.".to_owned(),
        ),
        CallbackOutcome::StateMismatch
        | CallbackOutcome::Unknown
        | CallbackOutcome::WrongSession
        | CallbackOutcome::WrongIssuer { .. } => (
            "Nobody here asked for this answer",
            "No attempt of this browser is waiting for it: somebody else began it, or nobody did. The app sent no code to the authority.".to_owned(),
        ),
    };
    Outcome::Problem { title, sentence, steps: vec![came] }
}
