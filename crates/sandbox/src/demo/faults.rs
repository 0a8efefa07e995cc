//! `/demo/faults`: the faults as buttons. Each is what `POST /sandbox/faults` takes, so the page can do nothing that the route cannot.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use keyfob_client::{ConnectionState as Standing, Secret};
use keyfob_pages::{DemoFaultSet, DemoFaults, Note, Tone};
use keyfob_protocol::form::Form;
use serde_json::{Value, json};

use super::sessions::{Session, Visit};
use super::{Demo, offered};
use crate::faults::{Scenario, Shown};
use crate::start::compose::brand;

const PAGE: &str = "/demo/faults";

pub(super) async fn page(State(demo): State<Arc<Demo>>, headers: HeaderMap) -> Response {
    let Ok(Visit { session, set }) = demo.sessions.visit(&headers, &demo.apps, &demo.outside) else {
        return super::pages::no_randomness(&demo);
    };
    let mut concerned: Vec<_> = demo.apps.all().map(|app| (format!("app {}", app.key), app.name.to_owned())).collect();
    for app in demo.apps.all() {
        if token(&session, app.key).await.is_some() {
            concerned
                .push((format!("connection {}", app.key), format!("{}: the connection of this browser", app.name)));
        }
    }
    let page = DemoFaults {
        brand: brand(),
        message: session.take_note(),
        set: demo.faults.all().iter().map(|shown| row(&demo, shown)).collect(),
        groups: offered::groups(),
        concerned,
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
    if let Some(length) = entry["milliseconds"].as_u64() {
        name = format!("{name} {length} ms");
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
    let added = match scenario(&form, &session).await {
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

/// The button's fault, for whom and as often as chosen. Switches stay.
async fn scenario(form: &Form<'_>, session: &Session) -> Result<Scenario, String> {
    let mut entry: Value = serde_json::from_str(field(form, "fault")).map_err(|error| error.to_string())?;
    match field(form, "concerns").split_once(' ') {
        Some(("connection", key)) => match token(session, key).await {
            Some(token) => entry["connection"] = json!(token.expose()),
            None => return Err("this browser has no such connection any more".to_owned()),
        },
        Some((_, key)) => entry["app"] = json!(key),
        None => {}
    }
    if entry["fault"] == "delay" {
        let length = field(form, "milliseconds").parse::<u64>();
        entry["milliseconds"] = json!(length.map_err(|_| "how late is a number of milliseconds".to_owned())?);
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

/// A token of what this browser has connected with an app; it names the connection and is not kept.
async fn token(session: &Session, key: &str) -> Option<Secret<String>> {
    match session.slot(key)?.connection().state().await.ok()? {
        Standing::Healthy(tokens) | Standing::Degraded { tokens, .. } | Standing::AccountLocked { tokens, .. } => {
            Some(tokens.refresh_token.unwrap_or(tokens.access_token))
        }
        Standing::NotConnected
        | Standing::Unrenewable { .. }
        | Standing::ReauthRequired(_)
        | Standing::LostReply(_)
        | Standing::Denied { .. } => None,
    }
}
