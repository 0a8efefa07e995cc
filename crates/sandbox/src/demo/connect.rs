//! `POST /demo/connect` and `/demo/deny`: the first step. Both begin the same attempt; what the user decides is the user's.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use keyfob_client::{Attempt, AuthorizeOptions, Prompt};
use keyfob_protocol::Clock;

use super::actions::Posted;
use super::{Demo, shown};

pub(super) async fn connect(State(demo): State<Arc<Demo>>, headers: HeaderMap, body: Bytes) -> Response {
    let posted = match Posted::read(&demo, &headers, &body) {
        Ok(posted) => posted,
        Err(refusal) => return *refusal,
    };
    let prompt = if posted.field("prompt") == "login" { Prompt::Login } else { Prompt::IfNeeded };
    let options = AuthorizeOptions { prompt, scope: None };
    let (app, now) = (posted.app, demo.clock.now());
    let browser = posted.session.browser();
    match Attempt::begin_with(&options, &app.provider, &app.app, browser, now, &*demo.outside.entropy) {
        Ok(attempt) => {
            app.attempts.keep(attempt.pending, now);
            let steps = &posted.slot().steps;
            steps.clear();
            steps.add(shown::authorize(attempt.url.expose()));
            demo.answers.see_other(attempt.url.expose(), None)
        }
        Err(_) => demo.answers.message(
            StatusCode::SERVICE_UNAVAILABLE,
            "Not available at the moment",
            "There is no randomness for a state. Nothing was sent.",
        ),
    }
}
