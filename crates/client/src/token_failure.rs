//! What a token endpoint's "no" means for us: whose fault it is, and what may be done next.
//!
//! One table for both error shapes (matrix CL-03, CL-06). Integrations lose customers by treating all failures alike: only
//! [`TokenFailure::Permanent`] says that code or refresh token is dead, everything else leaves the connection as it is.

use crate::http::HttpResponse;
use crate::transport::SendFailure;
use keyfob_protocol::Timestamp;
use keyfob_protocol::reason::Reason;
use keyfob_protocol::token_reply::{self, ReceivedError, ReceivedTokens, ReplyError};
use std::fmt;
use thiserror::Error;
use time::PrimitiveDateTime;
use time::macros::format_description;

/// Which step asked: some legacy codes mean something in one of them only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenStep {
    /// The exchange of a code.
    Exchange,
    /// The refresh.
    Refresh,
}

/// What the token endpoint said, kept for the person who has to find out why. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The status.
    pub status: u16,
    /// The error, where the body has one.
    pub error: Option<ReceivedError>,
    /// What is wrong with the body, where it has none.
    pub reply: Option<ReplyError>,
}

impl Evidence {
    /// Status and error code alone, for a log: a careless authority repeats tokens in its sentences, and a code is only believed to be one if
    /// it is short and made of lower case letters, hyphens and underscores.
    pub fn in_short(&self) -> String {
        let is_code = |code: &&str| {
            code.len() <= 40 && code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_' || byte == b'-')
        };
        let code = self.error.as_ref().map(|error| error.code.as_str()).filter(is_code);
        format!("{} {}", self.status, code.unwrap_or("without a code that could be repeated"))
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "status {}", self.status)?;
        if let Some(error) = &self.error {
            write!(f, ", {}", error.code)?;
            if let Some(description) = &error.description {
                write!(f, ": {description}")?;
            }
            if !error.details.is_empty() {
                write!(f, " ({})", error.details.join(", "))?;
            }
        }
        if let Some(reply) = &self.reply {
            write!(f, ", {reply}")?;
        }
        Ok(())
    }
}

/// Why a passing failure should pass.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum TransientCause {
    /// The request did not leave, so nothing happened at the other end.
    #[error("{0}")]
    Network(SendFailure),
    /// 429, 5xx, 408, 425, or an error code that says "later".
    #[error("the token endpoint cannot answer now ({0})")]
    Busy(Evidence),
    /// The authority says by its `reason` that the user is disabled or the account suspended, and the grant works again when they are not.
    #[error("the user or the account is locked at the authority, and the tokens are kept until it opens ({0})")]
    Locked(Evidence),
    /// A page of a proxy, a maintenance notice, an answer cut off.
    #[error("something other than the token endpoint answered ({0})")]
    NotJson(Evidence),
}

/// Why there are no tokens.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum TokenFailure {
    /// The code or the refresh token is dead (`invalid_grant` and its legacy names). Exchange: begin a new attempt, after
    /// looking at the code's age, a second use, and redirect URI and state. Refresh: somebody may have refreshed meanwhile, so read the
    /// store again; if nothing changed the user has to connect again.
    #[error("the code or refresh token is no longer good ({0}); the user connects again")]
    Permanent(Evidence),
    /// The app is refused, not the user: client id, secret, or the URL of the token endpoint is wrong. No connection is
    /// touched; the operator corrects the configuration.
    #[error(
        "the app itself is refused, no user is at fault ({0}); check client id, client secret and the token endpoint's URL"
    )]
    Operator(Evidence),
    /// Passing. Try again, not before `retry_after` seconds.
    #[error("{cause}; it is worth another try")]
    Transient {
        /// Why.
        cause: TransientCause,
        /// `Retry-After`, in seconds from the answer.
        retry_after: Option<u32>,
    },
    /// Sent, and no answer came: the other end may have acted. A code is not sent again; a refresh is, once and late.
    #[error("no answer came and the request may have been carried out: {0}")]
    Ambiguous(SendFailure),
    /// An answer that no document explains: 200 without a token, an unknown 4xx. Try again with much space between.
    #[error("the token endpoint gave an answer that this client does not understand ({0})")]
    Suspect(Evidence),
}

impl TokenFailure {
    /// The same without these texts: a careless authority repeats in its errors what it was sent, and errors are shown.
    #[must_use]
    pub(crate) fn without(mut self, secrets: &[&str]) -> TokenFailure {
        let evidence = match &mut self {
            TokenFailure::Permanent(evidence)
            | TokenFailure::Operator(evidence)
            | TokenFailure::Suspect(evidence)
            | TokenFailure::Transient {
                cause:
                    TransientCause::Busy(evidence) | TransientCause::Locked(evidence) | TransientCause::NotJson(evidence),
                ..
            } => evidence,
            TokenFailure::Transient { cause: TransientCause::Network(_), .. } | TokenFailure::Ambiguous(_) => {
                return self;
            }
        };
        if let Some(error) = &mut evidence.error {
            let texts = std::iter::once(&mut error.code).chain(&mut error.description).chain(&mut error.details);
            for text in texts {
                // Nothing, or next to nothing, is no secret, and would be found everywhere.
                for secret in secrets.iter().filter(|secret| secret.len() > 3) {
                    *text = text.replace(secret, "[redacted]");
                }
            }
        }
        self
    }

    /// Whether the grant is good and waits for its user or account to be opened.
    pub(crate) fn is_locked(&self) -> bool {
        matches!(self, TokenFailure::Transient { cause: TransientCause::Locked(_), .. })
    }

    /// The failure behind a request that got no response.
    pub fn of_send(failure: SendFailure) -> TokenFailure {
        match failure {
            SendFailure::Unanswered(_) => TokenFailure::Ambiguous(failure),
            SendFailure::NotSent(_) | SendFailure::Refused(_) => {
                TokenFailure::Transient { cause: TransientCause::Network(failure), retry_after: None }
            }
        }
    }
}

/// Reads the answer of a token endpoint, in whichever shape it came.
///
/// # Errors
/// [`TokenFailure`], by the table above.
pub fn read_reply(step: TokenStep, response: &HttpResponse, now: Timestamp) -> Result<ReceivedTokens, TokenFailure> {
    let body = response.body.expose();
    let reply = match response.is_success() {
        true => match token_reply::read_success(body) {
            Ok(tokens) => return Ok(tokens),
            Err(error) => Some(error),
        },
        false => None,
    };
    let error = token_reply::read_error(body);
    let is_json = serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok();
    let code = error.as_ref().map(|error| error.code.clone());
    let retry_after = response.header("retry-after").and_then(|value| read_retry_after(value, now));
    let reply = reply.filter(|_| error.is_none()).or((!is_json).then_some(ReplyError::NotJson));
    let evidence = Evidence { status: response.status, error, reply };

    Err(match response.status {
        // A redirect is never followed: what it points to has no business with our credentials.
        300..400 => TokenFailure::Operator(evidence),
        408 | 425 | 429 | 500.. => TokenFailure::Transient { cause: TransientCause::Busy(evidence), retry_after },
        _ if step == TokenStep::Refresh && evidence.error.as_ref().is_some_and(is_locked) => {
            TokenFailure::Transient { cause: TransientCause::Locked(evidence), retry_after }
        }
        _ => match code.as_deref().map(|code| meaning(step, code)) {
            Some(Meaning::DeadGrant) => TokenFailure::Permanent(evidence),
            Some(Meaning::RefusedApp) => TokenFailure::Operator(evidence),
            Some(Meaning::Later) => TokenFailure::Transient { cause: TransientCause::Busy(evidence), retry_after },
            None if !is_json => TokenFailure::Transient { cause: TransientCause::NotJson(evidence), retry_after },
            Some(Meaning::Unknown) | None => TokenFailure::Suspect(evidence),
        },
    })
}

/// Whether the grant is not over, but its user's or account's turn. Only an authority that gives reasons says so; the codes alone mean both.
fn is_locked(error: &ReceivedError) -> bool {
    let locked = [Reason::UserDisabled, Reason::AccountSuspended];
    error.code == "invalid_grant"
        && error.reason().and_then(Reason::of_word).is_some_and(|reason| locked.contains(&reason))
}

enum Meaning {
    DeadGrant,
    RefusedApp,
    Later,
    Unknown,
}

/// The error codes of RFC 6749 section 5.2 and of the legacy envelope.
fn meaning(step: TokenStep, code: &str) -> Meaning {
    match code {
        "invalid_grant" => Meaning::DeadGrant,
        "invalid-auth-code" | "expired-auth-code" | "invalid-refresh-token" | "expired-refresh-token" => {
            Meaning::DeadGrant
        }
        // The user or the account behind the grant is gone or disabled.
        "inactive-account" | "invalid-account" | "account-not-found" | "user-not-found" => Meaning::DeadGrant,
        // Definite answers about this one code; a refresh has neither a redirect URI nor a code.
        "invalid-redirect-uri" | "code-exchange-failed" if step == TokenStep::Exchange => Meaning::DeadGrant,

        "invalid_client" | "unauthorized_client" => Meaning::RefusedApp,
        "invalid-oauth-app" | "resource-restricted" => Meaning::RefusedApp,
        "missing-authorization-header" | "invalid-authorization-header" => Meaning::RefusedApp,
        // The endpoint does not offer this step in this shape: configuration, not the user.
        "unsupported_grant_type" | "invalid-grant-type" | "missing-grant-type-param" => Meaning::RefusedApp,

        "temporarily_unavailable" | "server_error" | "slow_down" | "server-error" | "rate-limited" => Meaning::Later,
        _ => Meaning::Unknown,
    }
}

/// `Retry-After` (RFC 9110 section 10.2.3): seconds, or a date, from which `now` is taken. At most a day.
pub(crate) fn read_retry_after(value: &str, now: Timestamp) -> Option<u32> {
    const LONGEST: i64 = keyfob_protocol::time::DAY;
    let value = value.trim();
    let seconds = match value.bytes().all(|byte| byte.is_ascii_digit()) {
        // A number too long for the type is still a number: the longest wait.
        true if !value.is_empty() => value.parse::<i64>().unwrap_or(LONGEST),
        _ => {
            let format = format_description!(
                "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
            );
            let date = PrimitiveDateTime::parse(value, format).ok()?;
            Timestamp(date.assume_utc().unix_timestamp()).since(now)
        }
    };
    u32::try_from(seconds.clamp(0, LONGEST)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cl_06_retry_after_is_read_as_seconds_and_as_a_date() {
        let now = Timestamp(784_111_777); // Sun, 06 Nov 1994 08:49:37 GMT
        for (value, seconds) in [
            ("7", Some(7)),
            (" 0 ", Some(0)),
            ("Sun, 06 Nov 1994 08:50:07 GMT", Some(30)),
            ("Sun, 06 Nov 1994 08:49:00 GMT", Some(0)),
            ("99999999999999999999999", Some(86_400)),
            ("-5", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(read_retry_after(value, now), seconds, "{value:?}");
        }
    }
}
