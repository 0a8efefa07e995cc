//! What the client library's failures mean to a person: words, the next step, an exit code.

use super::connections::whose;
use crate::exit::Exit;
use keyfob_client::{
    CallbackError, CallbackOutcome, ConnectError, ConnectionError, FirstVisit, SendFailure, TokenFailure,
};

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
    match outcome {
        CallbackOutcome::Denied => "The user declined. Run the command again if that was a mistake.".to_owned(),
        CallbackOutcome::Expired => {
            "The answer came more than 15 minutes after the attempt began. Run the command again.".to_owned()
        }
        CallbackOutcome::ProtocolError(CallbackError::ApprovedWithoutCode) => {
            "The callback says response=approved and carries no code: was the end of the address cut off? Run the command again and paste all of it."
                .to_owned()
        }
        CallbackOutcome::ProtocolError(CallbackError::DeniedWithCode) => {
            "The callback says response=denied and carries a code: one of the two is wrong, so the code was not sent. Run the command again.".to_owned()
        }
        CallbackOutcome::ProtocolError(CallbackError::Unrecognised) => {
            "The callback is neither an approval nor a denial, or carries the marks of both (response, code, error): nothing was sent. Run the command again."
                .to_owned()
        }
        CallbackOutcome::ProtocolError(CallbackError::Repeated(repeated)) => {
            format!("In the callback {repeated}: somebody added to it, so nothing was sent. Run the command again.")
        }
        CallbackOutcome::ProtocolError(CallbackError::Refused { .. }) => {
            let said = outcome.to_string();
            let said = said.trim_end_matches('.');
            format!("{said}. Check client id, redirect URI and scope against the app's registration.")
        }
        CallbackOutcome::ProtocolError(CallbackError::Malformed(_)) => format!("{outcome}."),
        CallbackOutcome::StateMismatch => {
            "The address carries no state, so it is not known which attempt it answers. Paste the whole address.".to_owned()
        }
        CallbackOutcome::Unknown => {
            "The state is not the one of this attempt: the address is of an earlier attempt, or somebody else's. Open the URL above and use the address that it leads to."
                .to_owned()
        }
        CallbackOutcome::WrongSession | CallbackOutcome::WrongIssuer { .. } | CallbackOutcome::AlreadyUsed(_) => {
            format!("{outcome}.")
        }
    }
}
