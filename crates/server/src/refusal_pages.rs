//! Refusals and faults as pages: what a person can do, and what a developer has to change.

use crate::doorway::Doorway;
use crate::html;
use crate::request_id::RequestId;
use axum::http::StatusCode;
use axum::response::Response;
use keyfob_authority::Fault;
use keyfob_authority::authorize::DestinationRefusal;
use keyfob_authority::decide::DecisionRefusal;
use keyfob_authority::interaction::InteractionProblem;
use keyfob_pages::{DeveloperHint, ErrorPage, first_difference};
use keyfob_protocol::authorize::DestinationError;

/// A page that says no.
pub(crate) struct RefusalPage {
    pub(crate) status: StatusCode,
    pub(crate) title: &'static str,
    pub(crate) for_user: &'static str,
    pub(crate) for_developer: Option<DeveloperHint>,
}

const BACK_TO_APP: &str =
    "Go back to the app and connect again. If it happens again, tell the people who make the app.";

impl RefusalPage {
    /// One that concerns no parameter.
    pub(crate) fn plain(status: StatusCode, title: &'static str, for_user: &'static str) -> RefusalPage {
        RefusalPage { status, title, for_user, for_developer: None }
    }

    /// Says in the log which parameter is wrong, for who operates this and gets the request id. Of an address without its query, which may hold a secret.
    pub(crate) fn log(&self, client_id: &str, request: &RequestId) {
        let Some(hint) = &self.for_developer else { return };
        let received = hint.received.as_deref().unwrap_or_default();
        let received: String = received.split(['?', '#']).next().unwrap_or_default().chars().take(200).collect();
        let client_id: String = client_id.chars().take(100).collect();
        let (parameter, expected, why) = (&hint.parameter, hint.expected.as_deref(), &hint.explanation);
        tracing::info!(request_id = %request, client_id, parameter, received, expected, why, "authorize request shown as an error page");
    }

    /// The page, and in the log why, for who gets its request id.
    pub(crate) fn answer(self, doorway: &Doorway, request: &RequestId) -> Response {
        tracing::info!(request_id = %request, why = self.title, "answered by an error page");
        self.page(doorway, request)
    }

    /// The page alone, where the log has said more.
    pub(crate) fn page(self, doorway: &Doorway, request: &RequestId) -> Response {
        let page = ErrorPage {
            brand: doorway.options.brand.clone(),
            status: self.status.as_u16(),
            title: self.title.to_owned(),
            for_user: self.for_user.to_owned(),
            for_developer: self.for_developer,
            request_id: request.to_string(),
        };
        html::page(self.status, page.render(), None, [])
    }
}

/// A fault as a page; logged here, once. As a string and not by its `Display`: that is what every log format escapes (matrix LG-02).
pub(crate) fn fault(doorway: &Doorway, request: &RequestId, fault: &Fault) -> Response {
    tracing::error!(request_id = %request, reason = fault.reason(), fault = fault.to_string(), "a request failed");
    let page = match fault.is_temporary() {
        true => RefusalPage::plain(
            StatusCode::SERVICE_UNAVAILABLE,
            "Not available at the moment",
            "Nothing was changed. Please try again in a moment.",
        ),
        false => RefusalPage::plain(
            StatusCode::INTERNAL_SERVER_ERROR,
            "Something went wrong here",
            "Nothing was changed. Please try again; if it happens again, tell support the request id below.",
        ),
    };
    let temporary = fault.is_temporary();
    let mut response = page.page(doorway, request);
    if temporary {
        response.headers_mut().insert(axum::http::header::RETRY_AFTER, axum::http::HeaderValue::from_static("1"));
    }
    response
}

/// More work than can be done soon (matrix RL-03).
pub(crate) fn overloaded(doorway: &Doorway, request: &RequestId) -> Response {
    let for_user = "Nothing was changed. Please try again in a moment.";
    let page = RefusalPage::plain(StatusCode::SERVICE_UNAVAILABLE, "Very busy at the moment", for_user);
    let mut response = page.answer(doorway, request);
    response.headers_mut().insert(axum::http::header::RETRY_AFTER, axum::http::HeaderValue::from_static("1"));
    response
}

/// A fault as an answer to the app, once its redirect URI is validated (matrix AZ-16); logged here, once.
pub(crate) fn fault_to_app(request: &RequestId, fault: &Fault, redirect: &str) -> Response {
    tracing::error!(request_id = %request, reason = fault.reason(), fault = fault.to_string(), "a request failed, and its app is told");
    html::see_other(redirect, [])
}

impl From<DestinationRefusal> for RefusalPage {
    fn from(refusal: DestinationRefusal) -> Self {
        let hint = |parameter: &str, explanation: &str| DeveloperHint {
            parameter: parameter.to_owned(),
            expected: None,
            received: None,
            differs_at_byte: None,
            explanation: explanation.to_owned(),
        };
        let for_developer = match refusal {
            DestinationRefusal::Parameter(DestinationError::Missing(name)) => {
                hint(name, "It is missing or empty. Every authorize request needs it.")
            }
            DestinationRefusal::Parameter(DestinationError::Repeated(name)) => {
                hint(name, "It appears more than once. Send it exactly once.")
            }
            DestinationRefusal::UnknownClient { client_id } => DeveloperHint {
                received: Some(client_id),
                ..hint(
                    "client_id",
                    "There is no app with this client id here. Compare it with the one you were given at registration.",
                )
            },
            DestinationRefusal::DisabledClient => {
                hint("client_id", "This app is disabled. Its owner or the operator can enable it.")
            }
            DestinationRefusal::RedirectUri { received, nearest } => DeveloperHint {
                differs_at_byte: nearest.as_deref().and_then(|nearest| first_difference(nearest, &received)),
                expected: nearest,
                received: Some(received),
                ..hint(
                    "redirect_uri",
                    "It is not registered for this app. It must equal a registered one byte for byte, after URL decoding; \
                     nothing is normalised. Send the registered one or register this one.",
                )
            },
        };
        RefusalPage {
            status: StatusCode::BAD_REQUEST,
            title: "This app sent a request that cannot be answered",
            for_user: "You cannot continue from here; nothing was connected. Tell the people who make the app what this page says.",
            for_developer: Some(for_developer),
        }
    }
}

impl From<DecisionRefusal> for RefusalPage {
    fn from(refusal: DecisionRefusal) -> Self {
        let (status, title, for_user) = match refusal {
            DecisionRefusal::Interaction(InteractionProblem::Invalid) => {
                (StatusCode::BAD_REQUEST, "This request is not valid", BACK_TO_APP)
            }
            DecisionRefusal::Interaction(InteractionProblem::Expired) => {
                (StatusCode::BAD_REQUEST, "This request has expired", "Go back to the app and connect again.")
            }
            DecisionRefusal::Interaction(InteractionProblem::OtherBrowser) => (
                StatusCode::FORBIDDEN,
                "This page was opened in another browser",
                "Start again from the app, in the browser that you want to use. Cookies must be allowed for this site.",
            ),
            DecisionRefusal::ForeignForm => (
                StatusCode::FORBIDDEN,
                "This form does not belong to your session",
                "You may have signed in again in another tab. Nothing was decided. Go back to the app and connect again.",
            ),
            DecisionRefusal::SignInAgain => (
                StatusCode::FORBIDDEN,
                "Please sign in again",
                "The app asks for a fresh sign-in. Go back to it and connect again.",
            ),
            DecisionRefusal::AppChanged => (
                StatusCode::BAD_REQUEST,
                "This app cannot be connected any more",
                "It was disabled or changed while this page was open. Nothing was connected.",
            ),
            DecisionRefusal::Inactive => (
                StatusCode::FORBIDDEN,
                "Your account cannot connect apps",
                "Your user or your company's account is not active. Ask the owner of the account.",
            ),
            DecisionRefusal::Decided => (
                StatusCode::BAD_REQUEST,
                "This was decided already",
                "Each request is decided once. Go back to the app; if it is not connected, connect again.",
            ),
        };
        RefusalPage::plain(status, title, for_user)
    }
}
