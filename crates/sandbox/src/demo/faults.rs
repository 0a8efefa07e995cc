//! `/demo/faults`: the faults as buttons. Each is what `POST /sandbox/faults` takes, so the page can do nothing that the route cannot.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use keyfob_pages::{DemoFault, DemoFaultSet, DemoFaults, Note, Tone};
use keyfob_protocol::form::Form;
use serde_json::{Value, json};

use super::Demo;
use super::sessions::{Session, Visit};
use crate::faults::{Scenario, Shown};
use crate::start::compose::brand;

const PAGE: &str = "/demo/faults";

/// What stands on a button, what it means, and what it sets.
const FAULTS: &[(&str, &str, &str)] = &[
    (
        "Lose the reply to a token request",
        "The request is carried out, and the connection breaks instead of the answer.",
        r#"{"fault":"drop-reply"}"#,
    ),
    (
        "Lose the reply to a call",
        "The same at the API: the app cannot know whether the call was carried out.",
        r#"{"fault":"drop-reply","at":"api"}"#,
    ),
    ("Answer a token request late", "The answer takes three seconds.", r#"{"fault":"delay","milliseconds":3000}"#),
    (
        "Fail at the token endpoint",
        "500; nothing is carried out, and another try succeeds.",
        r#"{"fault":"server-error"}"#,
    ),
    (
        "Limit the token endpoint",
        "429 with Retry-After: 5; nothing is carried out.",
        r#"{"fault":"rate-limited","retryAfter":5}"#,
    ),
    (
        "Limit the API",
        "429 with Retry-After: 5; the app holds its calls back for that long.",
        r#"{"fault":"rate-limited","at":"api","retryAfter":5}"#,
    ),
    (
        "Put a broken proxy in front",
        "502 with a page instead of JSON at the token endpoint.",
        r#"{"fault":"bad-gateway"}"#,
    ),
    (
        "Answer a POST as a GET",
        "The token endpoint wraps its answer in the legacy envelope, with ttl as a string.",
        r#"{"fault":"legacy-envelope"}"#,
    ),
    ("Decline for the user", "Whoever approves next is taken to have declined.", r#"{"fault":"deny"}"#),
    (
        "Send the browser twice",
        "The callback is visited twice: prefetch, a double click, a restored tab.",
        r#"{"fault":"double-callback"}"#,
    ),
    (
        "Let the subscription expire",
        "The API answers 403 while the token is good: no reason to connect again.",
        r#"{"fault":"expired-account"}"#,
    ),
    (
        "Let the client secret expire",
        "The token endpoint refuses the app itself; no user is at fault.",
        r#"{"fault":"expired-secret"}"#,
    ),
    (
        "Refresh tokens work once",
        "A switch: the second use of one ends the connection, as at strict authorities.",
        r#"{"fault":"refresh","mode":"strict"}"#,
    ),
    (
        "Compare the state",
        "A switch: the exchange fails if its state is another one.",
        r#"{"fault":"state","mode":"compared"}"#,
    ),
    (
        "One connection per user",
        "A switch: a second authorization by the same user ends the first.",
        r#"{"fault":"second-authorization"}"#,
    ),
    (
        "Refuse bare",
        "A switch: the API's 401 for a bad token has no challenge and no body.",
        r#"{"fault":"bearer-refusal","mode":"bare"}"#,
    ),
];

pub(super) async fn page(State(demo): State<Arc<Demo>>, headers: HeaderMap) -> Response {
    let Ok(Visit { session, set }) = demo.sessions.visit(&headers, &demo.apps, &demo.outside) else {
        return super::pages::no_randomness(&demo);
    };
    let fault = |(label, explanation, value): &(&str, &str, &str)| DemoFault {
        value: (*value).to_owned(),
        label: (*label).to_owned(),
        explanation: (*explanation).to_owned(),
    };
    let page = DemoFaults {
        brand: brand(),
        message: session.take_note(),
        set: demo.faults.all().iter().map(|shown| row(&demo, shown)).collect(),
        faults: FAULTS.iter().map(fault).collect(),
        apps: demo.apps.all().map(|app| (app.key.to_owned(), app.name.to_owned())).collect(),
        csrf: session.csrf().to_owned(),
        home_url: "/demo".to_owned(),
    };
    demo.answers.page(StatusCode::OK, page.render(), set)
}

fn row(demo: &Demo, shown: &Shown) -> DemoFaultSet {
    let entry = serde_json::to_value(shown).unwrap_or_default();
    let text = |key: &str| entry[key].as_str().map(str::to_owned);
    let mut name = text("fault").unwrap_or_default();
    for word in ["mode", "at"].into_iter().filter_map(text) {
        name = format!("{name} {word}");
    }
    let app = text("app").map(|app| demo.apps.find(&app).map_or(app, |known| known.name.to_owned()));
    let concerns = match (text("connection"), app) {
        (Some(grant), _) => format!("the connection {grant}"),
        (None, Some(app)) => app,
        (None, None) => "every app".to_owned(),
    };
    let left = shown.left.map_or_else(|| "until it is ended".to_owned(), |left| left.to_string());
    DemoFaultSet { name, concerns, fired: shown.fired, left }
}

pub(super) async fn set(State(demo): State<Arc<Demo>>, headers: HeaderMap, body: Bytes) -> Response {
    let form = Form::parse(&body).unwrap_or_default();
    let session = match own(&demo, &headers, &form) {
        Ok(session) => session,
        Err(refusal) => return *refusal,
    };
    let added = match scenario(&form) {
        Ok(scenario) => demo.faults.add(scenario).await,
        Err(what) => Err(what),
    };
    let note = match added {
        Ok(()) => Note { tone: Tone::Good, text: "Set. Now do something that it meets.".to_owned() },
        Err(what) => Note { tone: Tone::Bad, text: format!("Nothing was set: {what}.") },
    };
    session.say_at_home(note);
    demo.answers.see_other(PAGE, None)
}

pub(super) async fn end(State(demo): State<Arc<Demo>>, headers: HeaderMap, body: Bytes) -> Response {
    let form = Form::parse(&body).unwrap_or_default();
    let session = match own(&demo, &headers, &form) {
        Ok(session) => session,
        Err(refusal) => return *refusal,
    };
    let note = match demo.faults.clear().await {
        Ok(()) => Note { tone: Tone::Good, text: "Everything works as it should again.".to_owned() },
        Err(error) => Note { tone: Tone::Bad, text: format!("The faults could not be ended: {error}.") },
    };
    session.say_at_home(note);
    demo.answers.see_other(PAGE, None)
}

/// `GET /demo/faults/scenario.json`: what is set, as a file for `keyfob sandbox --scenario`.
pub(super) async fn saved(State(demo): State<Arc<Demo>>) -> Response {
    let scenario = serde_json::to_string_pretty(&demo.faults.scenario()).unwrap_or_default();
    demo.answers.file("scenario.json", scenario + "\n")
}

/// The session whose form it is.
fn own(demo: &Demo, headers: &HeaderMap, form: &Form<'_>) -> Result<Arc<Session>, Box<Response>> {
    let session = demo.sessions.known(headers).filter(|session| session.is_csrf(field(form, "csrf")));
    session.ok_or_else(|| Box::new(super::actions::foreign(demo)))
}

fn field<'f>(form: &'f Form<'_>, name: &'static str) -> &'f str {
    form.one(name).ok().flatten().unwrap_or_default()
}

/// The button's fault, for the chosen app and as often as chosen. Switches stay.
fn scenario(form: &Form<'_>) -> Result<Scenario, String> {
    let mut entry: Value = serde_json::from_str(field(form, "fault")).map_err(|error| error.to_string())?;
    if !field(form, "app").is_empty() {
        entry["app"] = json!(field(form, "app"));
    }
    let scenario = |entry: &Value| Scenario::parse(json!({ "faults": [entry] }).to_string().as_bytes());
    if scenario(&entry)?.faults.iter().all(|entry| entry.is_switch()) {
        return scenario(&entry);
    }
    entry["times"] = match field(form, "times").parse::<u32>() {
        Ok(times) => json!(times),
        Err(_) => json!("always"),
    };
    scenario(&entry)
}
