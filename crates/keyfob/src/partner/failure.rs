//! What the client library's failures mean to a person: words, the next step, an exit code.

use super::connections::whose;
use crate::exit::Exit;
use keyfob_client::{
    CallbackError, CallbackOutcome, ConnectError, ConnectionError, FirstVisit, SendFailure, TokenFailure,
};
use keyfob_protocol::form::Repeated;

/// A call, refresh or revocation of the connection `name` gave nothing. `again` is the command that connects it again.
pub(crate) fn of_connection(error: &ConnectionError, name: &str, again: &str) -> anyhow::Error {
    let exit = match error {
        ConnectionError::NotConnected => Exit::NotFound,
        ConnectionError::ReauthRequired(_) | ConnectionError::LostReply(_) | ConnectionError::NoRefreshToken(_) => {
            return Exit::Reconnect.because(format!("connection {name}: {error}; run: {again}"));
        }
        ConnectionError::Denied { .. } => {
            return Exit::Declined.because(format!("connection {name}: {error}; to ask once more, run: {again}"));
        }
        ConnectionError::RefreshFailed { failure, .. } => of_token_failure(failure),
        ConnectionError::NotRevoked(failure) => of_token_failure(failure),
        ConnectionError::AppRefused { .. }
        | ConnectionError::Unauthorized(_)
        | ConnectionError::OtherOrigin { .. }
        | ConnectionError::NoAnswer(SendFailure::Refused(_)) => Exit::Refused,
        ConnectionError::Unexpected { status, .. } => of_status(*status).unwrap_or(Exit::Refused),
        ConnectionError::RateLimited { .. }
        | ConnectionError::NoAnswer(_)
        | ConnectionError::RefreshElsewhere { .. }
        | ConnectionError::Store(_) => Exit::Unavailable,
    };
    exit.because(format!("connection {name}: {error}"))
}

/// The exchange gave no tokens, or tokens that are somebody else's. An earlier connection is as it was.
pub(crate) fn of_connect(error: &ConnectError, name: &str) -> anyhow::Error {
    let failed = match error {
        ConnectError::Exchange(failed) => failed,
        ConnectError::OtherIdentity { was, is } => {
            let (was, is) = (whose(was), whose(is));
            return Exit::Conflict.because(format!(
                "connection {name} is of {was}, and {is} consented; it stays as it was. Keep the new one under another name by --as NAME, or take its access back in the account's settings"
            ));
        }
        ConnectError::IdentityUnknown { status } => {
            let why = match status {
                Some(403) => " (status 403: the account may be locked or expired)".to_owned(),
                Some(status) => format!(" (status {status})"),
                None => String::new(),
            };
            return Exit::Unavailable.because(format!(
                "it cannot be found out who consented{why}, so connection {name} stays as it was; try again later, or connect under another name by --as NAME"
            ));
        }
        ConnectError::Store(unavailable) => {
            return Exit::Unavailable.because(format!(
                "the user consented, and the tokens cannot be kept ({unavailable}); make room and connect again"
            ));
        }
    };
    let next = match &failed.failure {
        TokenFailure::Permanent(_) => {
            "; the code is good once and for minutes only, and redirect URI and app must be those of the URL: begin again"
        }
        TokenFailure::Ambiguous(_) | TokenFailure::Transient { .. } | TokenFailure::Suspect(_) => "; begin again later",
        // It names the next step itself.
        TokenFailure::Operator(_) => "",
    };
    of_token_failure(&failed.failure).because(format!("nothing was connected: {error}{next}"))
}

fn of_token_failure(failure: &TokenFailure) -> Exit {
    match failure {
        TokenFailure::Permanent(_) | TokenFailure::Operator(_) => Exit::Refused,
        TokenFailure::Transient { .. } | TokenFailure::Ambiguous(_) | TokenFailure::Suspect(_) => Exit::Unavailable,
    }
}

/// The code of an API's answer; none where it is a success.
pub(crate) fn of_status(status: u16) -> Option<Exit> {
    match status {
        200..300 => None,
        404 | 410 => Some(Exit::NotFound),
        409 => Some(Exit::Conflict),
        408 | 429 | 500.. => Some(Exit::Unavailable),
        _ => Some(Exit::Refused),
    }
}

/// The callback led to no exchange, and an earlier connection is as it was.
pub(crate) fn of_callback(outcome: &CallbackOutcome) -> anyhow::Error {
    let exit = match outcome {
        CallbackOutcome::Denied | CallbackOutcome::AlreadyUsed(FirstVisit::Denied) => Exit::Declined,
        _ => Exit::Refused,
    };
    exit.because(format!("{} Nothing was connected; an earlier connection is as it was.", words(outcome)))
}

/// What is wrong with a callback, and what to do.
pub(crate) fn words(outcome: &CallbackOutcome) -> String {
    let (wrong, next) = told(outcome);
    format!("{wrong} {next}").trim_end().to_owned()
}

/// The same while the attempt waits for another one: the command need not be run again.
pub(crate) fn words_while_waiting(outcome: &CallbackOutcome) -> String {
    match outcome {
        CallbackOutcome::ProtocolError(_) => told(outcome).0,
        _ => words(outcome),
    }
}

const AGAIN: &str = "Run the command again.";

/// What is wrong with it, and the next step.
fn told(outcome: &CallbackOutcome) -> (String, &'static str) {
    let (wrong, next) = match outcome {
        CallbackOutcome::Denied => ("The user declined.", "Run the command again if that was a mistake."),
        CallbackOutcome::Expired => ("The answer came more than 15 minutes after the attempt began.", AGAIN),
        CallbackOutcome::ProtocolError(CallbackError::ApprovedWithoutCode) => (
            "The callback says response=approved and carries no code: was the end of the address cut off?",
            "Run the command again and paste all of it.",
        ),
        CallbackOutcome::ProtocolError(CallbackError::DeniedWithCode) => (
            "The callback says response=denied and carries a code: one of the two is wrong, so the code was not sent.",
            AGAIN,
        ),
        CallbackOutcome::ProtocolError(CallbackError::Unrecognised) => (
            "The callback is neither an approval nor a denial, or carries the marks of both (response, code, error): nothing was sent.",
            AGAIN,
        ),
        CallbackOutcome::ProtocolError(CallbackError::Repeated(Repeated(name))) => return (repeated(name), AGAIN),
        CallbackOutcome::ProtocolError(CallbackError::Refused { .. }) => {
            let said = outcome.to_string();
            let next = "Check client id, redirect URI and scope against the app's registration.";
            return (format!("{}.", said.trim_end_matches('.')), next);
        }
        CallbackOutcome::StateMismatch => {
            ("The address carries no state, so it is not known which attempt it answers.", "Paste the whole address.")
        }
        CallbackOutcome::Unknown => (
            "The state is not the one of this attempt: the address is of an earlier attempt, or somebody else's.",
            "Open the URL above and use the address that it leads to.",
        ),
        CallbackOutcome::ProtocolError(CallbackError::Malformed(_))
        | CallbackOutcome::WrongSession
        | CallbackOutcome::WrongIssuer { .. }
        | CallbackOutcome::AlreadyUsed(_) => return (format!("{outcome}."), ""),
    };
    (wrong.to_owned(), next)
}

/// What it means that a parameter of the callback is there twice: no authority answers so.
fn repeated(name: &str) -> String {
    let means = match name {
        "response" => "as if the user had approved and declined at once",
        "state" => "so it is not known which attempt it answers",
        "code" => "and nobody can tell which one the authority gave",
        _ => "and nobody can tell which one counts",
    };
    format!(
        "The callback carries {name} more than once, {means}: somebody added to it, or two addresses were pasted as one."
    )
}
