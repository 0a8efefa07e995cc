//! What goes wrong, for a program to read: a status, a stable code, a sentence with the next step.

use super::Service;
use crate::callers::{self, Caller, Right};
use crate::connecting::StartProblem;
use crate::vault::AppHeld;
use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{FromRequest, Request};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use keyfob_client::{ConnectionError, SendFailure, StoreUnavailable, Timestamp};
use serde_json::{Value, json};

/// Marks answers of the vault's own on the proxy's paths, where the API's answers come as well.
pub(crate) const VAULT_ERROR: HeaderName = HeaderName::from_static("keyfob-vault-error");

/// What there is to do about a damaged row.
pub(crate) const DAMAGED: &str = "The row is damaged; a new consent replaces it.";

/// A considered "no", or a fault of ours or of others.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) retry_after: Option<i64>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Problem {
        Problem { status, code, message: message.into(), retry_after: None }
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, "invalid_request", message)
    }

    pub(crate) fn forbidden(message: impl Into<String>) -> Problem {
        Problem::new(StatusCode::FORBIDDEN, "forbidden", message)
    }

    pub(crate) fn no_such_app() -> Problem {
        Problem::new(StatusCode::NOT_FOUND, "no_such_app", "There is no app of this name; GET /apps lists yours.")
    }

    pub(crate) fn not_connected() -> Problem {
        let message = "There is no connection of this id; start one by POST /connections/start.";
        Problem::new(StatusCode::NOT_FOUND, "not_connected", message)
    }

    fn until(self, retry_at: Timestamp, now: Timestamp) -> Problem {
        Problem { retry_after: Some(retry_at.since(now).max(1)), ..self }
    }

    /// What became of a call on a connection.
    pub(crate) fn of(error: &ConnectionError, now: Timestamp) -> Problem {
        let (conflict, unavailable) = (StatusCode::CONFLICT, StatusCode::SERVICE_UNAVAILABLE);
        let told = |status, code| Problem::new(status, code, sentence(&error.to_string()));
        match error {
            ConnectionError::NotConnected => Problem::not_connected(),
            ConnectionError::ReauthRequired(_) | ConnectionError::NoRefreshToken(_) => {
                told(conflict, "reauth_required")
            }
            ConnectionError::LostReply(_) => told(conflict, "lost_reply"),
            ConnectionError::Denied { since } => {
                let message = format!(
                    "The user declined on {}. When they want to connect after all, start them a new link.",
                    since.to_utc()
                );
                Problem::new(conflict, "denied", message)
            }
            ConnectionError::RefreshElsewhere { retry_at } => told(unavailable, "refreshing").until(*retry_at, now),
            ConnectionError::RefreshFailed { retry_at, .. } => {
                told(unavailable, "refresh_failed").until(*retry_at, now)
            }
            ConnectionError::AppRefused { retry_at, .. } => {
                told(StatusCode::BAD_GATEWAY, "app_refused").until(*retry_at, now)
            }
            ConnectionError::Unauthorized(_) => told(StatusCode::BAD_GATEWAY, "token_refused"),
            ConnectionError::RateLimited { retry_at } => {
                told(StatusCode::TOO_MANY_REQUESTS, "rate_limited").until(*retry_at, now)
            }
            ConnectionError::OtherOrigin { .. } => told(StatusCode::BAD_REQUEST, "other_origin"),
            // What the network said names hosts and libraries; it is for the operator.
            ConnectionError::NoAnswer(SendFailure::NotSent(why)) => {
                tracing::warn!(why, "the API was not reached");
                let message = "The API was not reached, and nothing was sent. Again later.";
                Problem::new(StatusCode::BAD_GATEWAY, "not_sent", message)
            }
            ConnectionError::NoAnswer(SendFailure::Unanswered(why)) => {
                tracing::warn!(why, "the API gave no complete answer");
                let message = "The request was sent, and no complete answer came: the API may have acted on it. Look before you send it again.";
                Problem::new(StatusCode::GATEWAY_TIMEOUT, "no_answer", message)
            }
            ConnectionError::NoAnswer(SendFailure::Refused(_)) => told(StatusCode::BAD_GATEWAY, "not_sent"),
            ConnectionError::Unexpected { .. } | ConnectionError::NotRevoked(_) => {
                told(StatusCode::BAD_GATEWAY, "unexpected_answer")
            }
            ConnectionError::Store(unavailable) => Problem::from(unavailable.clone()),
        }
    }

    /// The same, where the row may be damaged: to try again would not help, a new consent does.
    pub(crate) async fn of_connection(error: &ConnectionError, held: &AppHeld, id: &str, now: Timestamp) -> Problem {
        if let ConnectionError::Store(_) = error
            && let Ok(Some(shown)) = held.show(id).await
            && shown.status.is_err()
        {
            tracing::error!(connection = id, %error, "the row of a connection is damaged");
            return Problem::new(StatusCode::CONFLICT, "unreadable", DAMAGED);
        }
        Problem::of(error, now)
    }

    /// With a further sentence.
    pub(crate) fn with_hint(mut self, hint: &str) -> Problem {
        self.message = format!("{} {hint}", self.message);
        self
    }

    /// Ends here: turning a failure into a problem has logged it, and the person gets a page instead.
    pub(crate) fn was_logged(self) {}

    pub(crate) fn to_json(&self) -> Value {
        json!({ "error": self.code, "message": self.message })
    }
}

/// Begins with a capital and ends with a full stop.
fn sentence(text: &str) -> String {
    let mut chars = text.trim_end_matches('.').chars();
    let first = chars.next().map(char::to_uppercase).into_iter().flatten();
    first.chain(chars).chain(['.']).collect()
}

impl From<StoreUnavailable> for Problem {
    fn from(unavailable: StoreUnavailable) -> Problem {
        // Its cause may name files; it is for the operator.
        tracing::error!(cause = unavailable.0, "the store of connections failed");
        let message = "The store of connections cannot be used now; nothing was changed.";
        let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", message);
        Problem { retry_after: Some(1), ..problem }
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Problem {
        let text = rejection.body_text();
        let why = text.split_once(": ").map_or(text.as_str(), |(_, why)| why);
        Problem::bad_request(format!("The query cannot be read: {why}; /openapi.json has its parameters."))
    }
}

impl From<PathRejection> for Problem {
    fn from(_: PathRejection) -> Problem {
        Problem::bad_request("The path cannot be read; it must be UTF-8, percent-encoded.")
    }
}

/// The whole body. Asked for by handlers once they know who is asking, so that nobody else fills the memory.
pub(crate) async fn body_of(request: Request) -> Result<Bytes, Problem> {
    Bytes::from_request(request, &()).await.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "A body has at most 8 MiB.")
        }
        _ => Problem::bad_request("The body did not come to its end."),
    })
}

impl From<StartProblem> for Problem {
    fn from(problem: StartProblem) -> Problem {
        match problem {
            StartProblem::NoSuchApp => Problem::no_such_app(),
            StartProblem::Id | StartProblem::ReturnTo => Problem::bad_request(sentence(&problem.to_string())),
            StartProblem::Store(unavailable) => unavailable.into(),
            StartProblem::Entropy(failed) => {
                tracing::error!(%failed, "no randomness");
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Not available now; nothing was changed.")
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.to_json())).into_response();
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(VAULT_ERROR, HeaderValue::from_static(self.code));
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"keyfob-vault\""));
        }
        response
    }
}

/// An answer that nobody may keep.
pub(crate) fn fresh(json: Value) -> Response {
    ([(CACHE_CONTROL, "no-store")], Json(json)).into_response()
}

impl Service {
    /// Who is asking.
    pub(crate) fn caller(&self, headers: &HeaderMap) -> Result<&Caller, Problem> {
        let unauthorized = |message: &str| Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", message);
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return Err(unauthorized("Send Authorization: Bearer and a caller key; keyfob vault key makes one."));
        };
        let key = match keyfob_protocol::bearer::parse(value.as_bytes()) {
            keyfob_protocol::bearer::PresentedBearer::Token(key) => key,
            _ => return Err(unauthorized("Authorization is not Bearer and a key.")),
        };
        callers::of_key(&self.settings.callers, key)
            .ok_or_else(|| unauthorized("This is no caller's key; it may have been replaced in the configuration."))
    }

    /// Who is asking, if they may do this with this app.
    pub(crate) fn caller_who_may(&self, right: Right, app: &str, headers: &HeaderMap) -> Result<&Caller, Problem> {
        let caller = self.caller(headers)?;
        if !caller.may_use(app) || self.vault.app(app).is_err() {
            return Err(Problem::no_such_app());
        }
        match caller.may(right, app) {
            true => Ok(caller),
            false => {
                let right = match right {
                    Right::Connect => "connect",
                    Right::Read => "read",
                    Right::Manage => "manage",
                    Right::Token => "token",
                };
                Err(Problem::forbidden(format!(
                    "This caller lacks the right \"{right}\" in the vault's configuration."
                )))
            }
        }
    }
}

pub(crate) async fn not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not_found", "There is nothing here; /openapi.json lists what there is.")
}

pub(crate) async fn method_not_allowed() -> Problem {
    let message = "This path takes another method; /openapi.json says which.";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
}
