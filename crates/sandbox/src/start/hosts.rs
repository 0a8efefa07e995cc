//! Which part of the sandbox a listener serves. With hosts of their own, a request to the wrong one fails, as it does at Follow Up Boss.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use keyfob_gate::protected_resource::WELL_KNOWN;

use super::Addresses;
use crate::control;

/// What a listener serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Everything.
    Whole,
    /// `/oauth`, the pages and `/sandbox`.
    Authority,
    /// `/v1`, and where it is announced.
    Api,
    /// `/demo` and its style sheets.
    Demo,
}

impl Part {
    fn serves(self, path: &str) -> bool {
        let below = |root: &str| path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        match self {
            Part::Whole => true,
            Part::Authority => !below("/v1") && !below("/demo") && !below(WELL_KNOWN),
            Part::Api => below("/v1") || below(WELL_KNOWN),
            Part::Demo => below("/demo") || below("/assets"),
        }
    }
}

/// The part's routes: those of the whole, and 404 for the others'.
pub(super) fn only(part: Part, whole: Router, addresses: &Arc<Addresses>) -> Router {
    whole.layer(middleware::from_fn_with_state((part, addresses.clone()), pass))
}

async fn pass(State((part, addresses)): State<(Part, Arc<Addresses>)>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if path == "/" && part != Part::Api {
        return Redirect::to(&format!("{}/demo", addresses.demo)).into_response();
    }
    if part.serves(path) {
        return next.run(request).await;
    }
    let Addresses { authority, api, demo, .. } = &*addresses;
    let message = format!("Wrong host: the authority is at {authority}, the API at {api}, the demo at {demo}.");
    control::refusal(StatusCode::NOT_FOUND, &message)
}
