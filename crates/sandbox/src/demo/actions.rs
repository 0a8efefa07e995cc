//! The buttons of a connection: each does what an app would do, and says what came of it.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use keyfob_client::{ApiRequest, ConnectionError, HttpResponse, Transport};
use keyfob_pages::{Note, Tone};
use keyfob_protocol::form::Form;
use keyfob_protocol::time::MINUTE;
use serde_json::Value;

use super::Demo;
use super::apps::DemoApp;
use super::sessions::Session;
use super::slot::Slot;

/// What the button "Let an hour pass" adds (seconds): the life of an access token and a little.
const AN_HOUR: u32 = 61 * MINUTE as u32;

/// A form of the demo that belongs to this browser, for an app that exists.
pub(super) struct Posted<'d> {
    pub(super) session: Arc<Session>,
    pub(super) app: &'d DemoApp,
    body: Bytes,
}

impl<'d> Posted<'d> {
    pub(super) fn read(demo: &'d Demo, headers: &HeaderMap, body: &Bytes) -> Result<Posted<'d>, Box<Response>> {
        let refuse = |status, title: &str, sentence: &str| Err(Box::new(demo.answers.message(status, title, sentence)));
        let session = demo.sessions.known(headers);
        let form = Form::parse(body).unwrap_or_default();
        let Some(session) = session.filter(|session| session.is_csrf(field(&form, "csrf"))) else {
            return Err(Box::new(foreign(demo)));
        };
        match demo.apps.find(field(&form, "app")) {
            Some(app) => Ok(Posted { session, app, body: body.clone() }),
            None => refuse(StatusCode::NOT_FOUND, "There is nothing here", "The demo has no such app."),
        }
    }

    pub(super) fn slot(&self) -> &Slot {
        self.session.slot(self.app.key).expect("invariant: a session has a slot for every app")
    }

    /// A field that may be missing.
    pub(super) fn field(&self, name: &'static str) -> String {
        Form::parse(&self.body).map(|form| field(&form, name).to_owned()).unwrap_or_default()
    }

    /// The connection's page, with what happened.
    fn say(&self, demo: &Demo, tone: Tone, text: impl Into<String>) -> Response {
        self.slot().say(Note { tone, text: text.into() });
        demo.answers.see_other(&format!("/demo/connections/{}", self.app.key), None)
    }
}

/// The answer to a form that belongs to no session of this browser.
pub(super) fn foreign(demo: &Demo) -> Response {
    let sentence = "The sandbox was restarted or reset since this page was loaded, or the form came from elsewhere. Nothing was done.";
    demo.answers.message(StatusCode::FORBIDDEN, "This form does not belong to your session", sentence)
}

fn field<'f>(form: &'f Form<'_>, name: &'static str) -> &'f str {
    form.one(name).ok().flatten().unwrap_or_default()
}

pub(super) async fn call(State(demo): State<Arc<Demo>>, headers: HeaderMap, body: Bytes) -> Response {
    let posted = match Posted::read(&demo, &headers, &body) {
        Ok(posted) => posted,
        Err(refusal) => return *refusal,
    };
    // Two are enough to see; the sandbox has hundreds.
    let target = if posted.field("path") == "/v1/people" { "/v1/people?limit=2" } else { "/v1/identity" };
    match posted.slot().connection().get(target).await {
        Ok(response) if response.is_success() => {
            posted.say(&demo, Tone::Good, format!("The API answered {}.", response.status))
        }
        Ok(response) => posted.say(&demo, Tone::Warn, format!("The API answered {}.", refusal(&response))),
        Err(error) => posted.say(&demo, Tone::Bad, told(&error)),
    }
}

pub(super) async fn refresh(State(demo): State<Arc<Demo>>, headers: HeaderMap, body: Bytes) -> Response {
    let posted = match Posted::read(&demo, &headers, &body) {
        Ok(posted) => posted,
        Err(refusal) => return *refusal,
    };
    match posted.slot().connection().refresh_now().await {
        Ok(()) => posted.say(&demo, Tone::Good, "The app has a fresh access token."),
        Err(error) => posted.say(&demo, Tone::Bad, told(&error)),
    }
}

pub(super) async fn present_code_again(State(demo): State<Arc<Demo>>, headers: HeaderMap, body: Bytes) -> Response {
    let posted = match Posted::read(&demo, &headers, &body) {
        Ok(posted) => posted,
        Err(refusal) => return *refusal,
    };
    let Some(request) = posted.slot().steps.exchange() else {
        return posted.say(&demo, Tone::Warn, "The code of this connection is no longer at hand. Connect again first.");
    };
    match posted.slot().transport.send(&request).await {
        Ok(response) if response.is_success() => {
            posted.say(&demo, Tone::Bad, "The authority took the code a second time. It should not have.")
        }
        Ok(response) => posted.say(
            &demo,
            Tone::Good,
            format!(
                "The authority refused the code with {}. It was the same request, bound to this app, so the connection goes on.",
                response.status
            ),
        ),
        Err(failure) => posted.say(&demo, Tone::Bad, format!("There was no answer: {failure}.")),
    }
}

pub(super) async fn advance(State(demo): State<Arc<Demo>>, headers: HeaderMap, body: Bytes) -> Response {
    let posted = match Posted::read(&demo, &headers, &body) {
        Ok(posted) => posted,
        Err(refusal) => return *refusal,
    };
    match demo.clock.advance(AN_HOUR) {
        Ok(_) => posted.say(
            &demo,
            Tone::Info,
            "61 minutes have passed in the sandbox: the access token has expired. Call the API and see what the app does.",
        ),
        Err(error) => posted.say(&demo, Tone::Bad, format!("The clock stands: {error}.")),
    }
}

pub(super) async fn revoke(State(demo): State<Arc<Demo>>, headers: HeaderMap, body: Bytes) -> Response {
    let posted = match Posted::read(&demo, &headers, &body) {
        Ok(posted) => posted,
        Err(refusal) => return *refusal,
    };
    match posted.slot().connection().send(&ApiRequest::delete("/v1/oauthApps/revokeAccess")).await {
        Ok(response) if response.is_success() => posted.say(
            &demo,
            Tone::Good,
            "The grant is taken back. The app still holds its tokens: call the API and see that they are worth nothing.",
        ),
        Ok(response) => posted.say(&demo, Tone::Warn, format!("The authority answered {}.", refusal(&response))),
        Err(error) => posted.say(&demo, Tone::Bad, told(&error)),
    }
}

pub(super) async fn disconnect(State(demo): State<Arc<Demo>>, headers: HeaderMap, body: Bytes) -> Response {
    let posted = match Posted::read(&demo, &headers, &body) {
        Ok(posted) => posted,
        Err(refusal) => return *refusal,
    };
    posted.slot().disconnect(posted.app);
    let text = format!("{} has forgotten its tokens. At the authority the grant is still there.", posted.app.name);
    posted.session.say_at_home(Note { tone: Tone::Good, text });
    demo.answers.see_other("/demo", None)
}

fn refusal(response: &HttpResponse) -> String {
    let body: Value = response.json().unwrap_or_default();
    match body["errorMessage"].as_str() {
        Some(message) => format!("{}, {}", response.status, message.trim_end_matches('.')),
        None => response.status.to_string(),
    }
}

/// The client library's own words, as a sentence.
fn told(error: &ConnectionError) -> String {
    let text = error.to_string();
    let mut letters = text.chars();
    let first: String = letters.next().map(|first| first.to_uppercase().collect()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}
