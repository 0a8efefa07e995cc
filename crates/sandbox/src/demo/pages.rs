//! The demo's pages: the apps, one connection, and what came of an attempt that gave none.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use keyfob_client::{ConnectionState as Standing, TokenSet};
use keyfob_pages::{
    ConnectionState, DemoAction, DemoApp, DemoConnection, DemoDenied, DemoHome, DemoPerson, DemoProblem, Link, Note,
    Tone,
};
use keyfob_protocol::time::{DAY, HOUR, MINUTE};
use keyfob_protocol::{Clock, Timestamp};

use super::Demo;
use super::apps;
use super::sessions::{Session, Visit};
use super::slot::{Outcome, Slot};
use crate::seed::AccountStatus;
use crate::start::compose::brand;

const BANNER: &str = "Everything here runs on this machine and is made up. Connect an app, sign in as one of the people below, and see every message that goes over the wire.";

pub(super) async fn home(State(demo): State<Arc<Demo>>, headers: HeaderMap) -> Response {
    let Visit { session, set } = match demo.sessions.visit(&headers, &demo.apps, &demo.outside) {
        Ok(visit) => visit,
        Err(_) => return no_randomness(&demo),
    };
    let mut apps = Vec::new();
    for app in demo.apps.all() {
        apps.push(DemoApp {
            id: app.key.to_owned(),
            name: app.name.to_owned(),
            dialect: app.provider.dialect().name().to_owned(),
            description: app.description.to_owned(),
            connected_as: earlier(&session, app.key).await,
            connection_url: format!("/demo/connections/{}", app.key),
        });
    }
    let page = DemoHome {
        brand: brand(),
        banner: Some(BANNER.to_owned()),
        message: session.take_note(),
        people: people(&demo),
        apps,
        links: links(&demo),
        csrf: Some(session.csrf().to_owned()),
    };
    demo.answers.page(StatusCode::OK, page.render(), set)
}

pub(super) async fn connection(State(demo): State<Arc<Demo>>, Path(key): Path<String>, headers: HeaderMap) -> Response {
    let Some(app) = demo.apps.find(&key) else { return nothing(&demo) };
    let Visit { session, set } = match demo.sessions.visit(&headers, &demo.apps, &demo.outside) {
        Ok(visit) => visit,
        Err(_) => return no_randomness(&demo),
    };
    let Some(slot) = session.slot(&key) else { return nothing(&demo) };
    let (state, facts) = standing(&demo, slot).await;
    let mut actions = actions(app, state);
    for action in &mut actions {
        action.fields.push(("csrf".to_owned(), session.csrf().to_owned()));
    }
    let page = DemoConnection {
        brand: brand(),
        app_name: app.name.to_owned(),
        dialect: app.provider.dialect().name().to_owned(),
        state,
        facts,
        message: slot.note().or_else(|| not_connected(state)),
        actions,
        steps: slot.steps.all(),
        home_url: "/demo".to_owned(),
    };
    demo.answers.page(StatusCode::OK, page.render(), set)
}

pub(super) async fn outcome(State(demo): State<Arc<Demo>>, Path(key): Path<String>, headers: HeaderMap) -> Response {
    let Some(app) = demo.apps.find(&key) else { return nothing(&demo) };
    let session = demo.sessions.known(&headers);
    let slot = session.as_ref().and_then(|session| session.slot(&key));
    let (Some(session), Some(outcome)) = (&session, slot.and_then(Slot::outcome)) else {
        let sentence = "No attempt of this browser is waiting for an answer. Begin at the list of apps, in this browser. If you wrote the \
             authorize URL yourself, let the answer come to an address of your own: start the sandbox with \
             --redirect-uri http://localhost:3000/callback, and the code stands in the address bar even if nothing listens there.";
        return demo.answers.message(StatusCode::OK, "Nobody here asked for this answer", sentence);
    };
    let (app_key, app_name, csrf) = (app.key.to_owned(), app.name.to_owned(), Some(session.csrf().to_owned()));
    let (earlier_connection, home_url) = (earlier(session, &key).await, "/demo".to_owned());
    let html = match outcome {
        Outcome::Denied { steps } => {
            DemoDenied { brand: brand(), app: app_key, app_name, earlier_connection, steps, csrf, home_url }.render()
        }
        Outcome::Problem { title, sentence, steps } => DemoProblem {
            brand: brand(),
            app: app_key,
            app_name,
            title: title.to_owned(),
            sentence,
            earlier_connection,
            steps,
            csrf,
            home_url,
        }
        .render(),
    };
    demo.answers.page(StatusCode::OK, html, None)
}

fn nothing(demo: &Demo) -> Response {
    demo.answers.message(StatusCode::NOT_FOUND, "There is nothing here", "The demo has no such app.")
}

pub(super) fn no_randomness(demo: &Demo) -> Response {
    let sentence = "There is no randomness for a session. Nothing was changed.";
    demo.answers.message(StatusCode::SERVICE_UNAVAILABLE, "Not available at the moment", sentence)
}

fn people(demo: &Demo) -> Vec<DemoPerson> {
    let person = |user: &crate::seed::User| {
        let account = demo.seed.accounts.iter().find(|account| account.id == user.account);
        let expired = account.is_some_and(|account| account.status == AccountStatus::Expired);
        let name = account.map(|account| account.name.clone()).unwrap_or_default();
        DemoPerson {
            email: user.email.clone(),
            password: user.password.expose().clone(),
            role: user.role.name().to_owned(),
            account: if expired { format!("{name} (subscription expired)") } else { name },
        }
    };
    demo.seed.users.iter().map(person).collect()
}

fn links(demo: &Demo) -> Vec<Link> {
    let link =
        |text: &str, path: &str| Link { text: text.to_owned(), href: format!("{}{path}", demo.addresses.authority) };
    let faults = Link { text: "Make something fail".to_owned(), href: "/demo/faults".to_owned() };
    vec![
        faults,
        link("What the signed-in user has connected, and can take back", "/connections"),
        link("The authority's metadata", "/.well-known/oauth-authorization-server"),
        link("These credentials as JSON", "/sandbox/credentials"),
    ]
}

/// Whom the app is connected as, while it holds tokens.
async fn earlier(session: &Session, key: &str) -> Option<String> {
    let slot = session.slot(key)?;
    match slot.connection().state().await {
        Ok(Standing::Healthy(_) | Standing::Degraded { .. } | Standing::AccountLocked { .. }) => {
            Some(slot.who().map_or_else(|| "somebody whom the API does not name".to_owned(), |who| who.user))
        }
        Ok(_) | Err(_) => None,
    }
}

async fn standing(demo: &Demo, slot: &Slot) -> (ConnectionState, Vec<(String, String)>) {
    let fact = |name: &str, value: String| (name.to_owned(), value);
    let now = demo.clock.now();
    let mut facts = Vec::new();
    if let Some(who) = slot.who() {
        facts = vec![fact("User", who.user), fact("Role", who.role), fact("Account", who.account)];
    }
    let state = match slot.connection().state().await {
        Ok(Standing::Healthy(tokens) | Standing::Degraded { tokens, .. } | Standing::AccountLocked { tokens, .. }) => {
            facts.push(fact("Access token", expiry(&tokens, now)));
            facts.push(fact("Refresh token", "good while used every 90 days".to_owned()));
            ConnectionState::Connected
        }
        Ok(Standing::Unrenewable { since }) => {
            facts.push(fact("Ended", time(since)));
            ConnectionState::Ended
        }
        Ok(Standing::ReauthRequired(why)) => {
            facts.push(fact("Ended", time(why.since)));
            ConnectionState::Ended
        }
        Ok(Standing::LostReply(why)) => {
            facts.push(fact("Ended", time(why.since)));
            ConnectionState::Ended
        }
        Ok(Standing::NotConnected | Standing::Denied { .. }) | Err(_) => ConnectionState::NotConnected,
    };
    let offset = demo.clock.offset();
    let ahead = if offset > 0 { format!(" ({} ahead)", span(offset)) } else { String::new() };
    facts.push(fact("Sandbox time", format!("{}{ahead}", time(now))));
    (state, facts)
}

fn expiry(tokens: &TokenSet, now: Timestamp) -> String {
    match tokens.expires_at.map(|expires_at| expires_at.since(now)) {
        None => "lasts until the API says no".to_owned(),
        Some(left) if left <= 0 => "expired; the next call refreshes it".to_owned(),
        Some(left) => format!("expires in {}", span(left)),
    }
}

/// A time for people, with hyphens that do not break.
fn time(at: Timestamp) -> String {
    at.to_utc().replace('T', " ").replace('Z', " UTC").replace('-', "\u{2011}")
}

/// A length of time in its largest whole unit.
fn span(seconds: i64) -> String {
    let (number, unit) = match seconds {
        ..MINUTE => (seconds, "second"),
        MINUTE..HOUR => (seconds / MINUTE, "minute"),
        HOUR..DAY => (seconds / HOUR, "hour"),
        _ => (seconds / DAY, "day"),
    };
    format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
}

fn not_connected(state: ConnectionState) -> Option<Note> {
    (state == ConnectionState::NotConnected).then(|| Note {
        tone: Tone::Info,
        text: "The app is not connected. Connect it, and every message stands below.".to_owned(),
    })
}

fn actions(app: &apps::DemoApp, state: ConnectionState) -> Vec<DemoAction> {
    let action = |verb: &str, label: &str, explanation: &str, tone| DemoAction {
        label: label.to_owned(),
        explanation: explanation.to_owned(),
        action: format!("/demo/{verb}"),
        fields: vec![("app".to_owned(), app.key.to_owned())],
        tone,
    };
    match state {
        ConnectionState::NotConnected => vec![DemoAction::connect(app.key, "Connect")],
        ConnectionState::Ended => vec![
            DemoAction::connect(app.key, "Connect again"),
            action("disconnect", "Disconnect", "Forgets what is left of the connection.", Tone::Bad),
        ],
        ConnectionState::Connected => {
            let mut actions = DemoAction::usual(app.key);
            let an_hour = action(
                "advance",
                "Let an hour pass",
                "Moves the sandbox's clock by 61 minutes, so that the access token expires.",
                Tone::Info,
            );
            let mut switch = action(
                "connect",
                "Connect as somebody else",
                "Starts the flow with prompt=login, which asks for a new sign-in.",
                Tone::Info,
            );
            switch.fields.push(("prompt".to_owned(), "login".to_owned()));
            // Behind "Refresh", and before what takes something away.
            actions.insert(3, an_hour);
            actions.insert(actions.len() - 2, switch);
            actions
        }
    }
}
