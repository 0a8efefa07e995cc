//! The answer of the authorize endpoint, on the redirect URI: spelled by the authority, read by the client.
//!
//! `followupboss`: `response=approved&code&state`, `response=denied&state`, and `error` behind `denied` for a protocol error.
//! `oauth`: `code&state` or `error&state` (RFC 6749 sections 4.1.2 and 4.1.2.1), with `iss` (RFC 9207). Never both spellings: a strict
//! client reads a parameter named `response` as a JARM reply and stops.

use crate::Dialect;
use crate::form::{Form, FormError, Repeated};
use crate::redirect_uri::RegisteredRedirectUri;
use thiserror::Error;

/// An error code at the authorize endpoint (RFC 6749 section 4.1.2.1, OpenID Connect Core section 3.1.2.6, RFC 8707 section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthorizeErrorCode {
    /// The request is missing something, repeats something or is malformed.
    InvalidRequest,
    /// The client may not use this flow.
    UnauthorizedClient,
    /// The user said no (spelled in S only; F says it with `response=denied` alone).
    AccessDenied,
    /// `response_type` is neither `code` nor `auth_code`.
    UnsupportedResponseType,
    /// A scope is unknown, malformed or not allowed for the app.
    InvalidScope,
    /// The resource is unknown.
    InvalidTarget,
    /// Request objects are not supported.
    RequestNotSupported,
    /// Request objects by reference are not supported.
    RequestUriNotSupported,
    /// Registration in the request is not supported.
    RegistrationNotSupported,
    /// Our fault.
    ServerError,
    /// Our fault, and worth a retry.
    TemporarilyUnavailable,
}

impl AuthorizeErrorCode {
    /// The value of `error`.
    pub fn code(self) -> &'static str {
        use AuthorizeErrorCode::*;
        match self {
            InvalidRequest => "invalid_request",
            UnauthorizedClient => "unauthorized_client",
            AccessDenied => "access_denied",
            UnsupportedResponseType => "unsupported_response_type",
            InvalidScope => "invalid_scope",
            InvalidTarget => "invalid_target",
            RequestNotSupported => "request_not_supported",
            RequestUriNotSupported => "request_uri_not_supported",
            RegistrationNotSupported => "registration_not_supported",
            ServerError => "server_error",
            TemporarilyUnavailable => "temporarily_unavailable",
        }
    }
}

/// What the authorize endpoint answers on the redirect URI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthorizeAnswer<'a> {
    /// The user consented.
    Approved {
        /// The code.
        code: &'a str,
    },
    /// The user said no.
    Denied,
    /// The request was refused for another reason.
    Error {
        /// Which.
        code: AuthorizeErrorCode,
        /// For the developer; only S carries it.
        description: &'a str,
    },
}

/// The URL to send the browser to. `state` is what the request carried; `iss` is given where the policy wants it.
pub fn spell(
    dialect: Dialect,
    redirect_uri: &RegisteredRedirectUri,
    answer: &AuthorizeAnswer<'_>,
    state: Option<&str>,
    iss: Option<&str>,
) -> String {
    let mut pairs: Vec<(&str, &str)> = Vec::with_capacity(4);
    match (dialect, answer) {
        (Dialect::FollowUpBoss, AuthorizeAnswer::Approved { code }) => {
            pairs.extend([("response", "approved"), ("code", code)])
        }
        (Dialect::FollowUpBoss, AuthorizeAnswer::Denied) => pairs.push(("response", "denied")),
        (Dialect::FollowUpBoss, AuthorizeAnswer::Error { code, .. }) => {
            pairs.extend([("response", "denied"), ("error", code.code())]);
        }
        (Dialect::OAuth, AuthorizeAnswer::Approved { code }) => pairs.push(("code", code)),
        (Dialect::OAuth, AuthorizeAnswer::Denied) => pairs.push(("error", AuthorizeErrorCode::AccessDenied.code())),
        (Dialect::OAuth, AuthorizeAnswer::Error { code, description }) => {
            pairs.extend([("error", code.code()), ("error_description", description)]);
        }
    }
    pairs.extend(state.map(|state| ("state", state)));
    pairs.extend(iss.map(|iss| ("iss", iss)));
    redirect_uri.with_answer(pairs)
}

/// What a client found on its redirect URI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Callback {
    /// The user consented; the code is for one exchange.
    Approved {
        /// The code, for one exchange.
        code: String,
    },
    /// The user said no.
    Denied,
}

/// What a callback carries beside its outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadCallback {
    /// The outcome.
    pub callback: Callback,
    /// The `state` to compare with the attempt's.
    pub state: Option<String>,
    /// The authority that answered, where it says so (RFC 9207).
    pub iss: Option<String>,
}

/// Why a callback is not an answer.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum CallbackError {
    /// The query is not a form.
    #[error("the callback's query is malformed: {0}")]
    Malformed(#[from] FormError),
    /// A parameter appears more than once.
    #[error("in the callback {0}")]
    Repeated(#[from] Repeated),
    /// The authority refused the request.
    #[error("the authorization server answered the error \"{error}\"{}", .description.as_deref().map(|d| format!(": {d}")).unwrap_or_default())]
    Refused {
        /// The value of `error`.
        error: String,
        /// The value of `error_description`.
        description: Option<String>,
    },
    /// Approved, and no code.
    #[error("the callback says approved but carries no code")]
    ApprovedWithoutCode,
    /// Denied, and a code.
    #[error("the callback says denied and carries a code")]
    DeniedWithCode,
    /// Neither spelling, or both.
    #[error("the callback is neither an approval nor a denial")]
    Unrecognised,
}

/// Reads the query of a callback. Both spellings are understood whatever was asked for, as authorities differ from their documents;
/// a mixture of both is an error.
pub fn read(query: &str) -> Result<ReadCallback, CallbackError> {
    let form = Form::parse(query.as_bytes())?;
    let owned = |name| form.one(name).map(|value| value.map(str::to_owned));
    let (response, code, error) = (form.one("response")?, owned("code")?, owned("error")?);
    let (state, iss, description) = (owned("state")?, owned("iss")?, owned("error_description")?);
    let callback = match (response, code, error) {
        (Some("approved"), Some(code), None) | (None, Some(code), None) => Callback::Approved { code },
        (Some("approved"), None, None) => return Err(CallbackError::ApprovedWithoutCode),
        (Some("denied"), None, None) => Callback::Denied,
        (Some("denied"), Some(_), _) => return Err(CallbackError::DeniedWithCode),
        (None, None, Some(error)) if error == "access_denied" => Callback::Denied,
        (None | Some("denied"), None, Some(error)) => return Err(CallbackError::Refused { error, description }),
        _ => return Err(CallbackError::Unrecognised),
    };
    Ok(ReadCallback { callback, state, iss })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn uri() -> RegisteredRedirectUri {
        RegisteredRedirectUri::from_store("https://c.example/cb?x=1".to_owned())
    }

    #[test]
    fn cl_02_callbacks_are_read_into_outcomes() {
        let read = |query: &str| read(query).map(|read| read.callback);
        assert_eq!(read("response=approved&code=c&state=s"), Ok(Callback::Approved { code: "c".to_owned() }));
        assert_eq!(read("code=c&state=s"), Ok(Callback::Approved { code: "c".to_owned() }));
        assert_eq!(read("response=denied&state=s"), Ok(Callback::Denied));
        assert_eq!(read("error=access_denied&state=s"), Ok(Callback::Denied));
        assert_eq!(read("response=approved&state=s"), Err(CallbackError::ApprovedWithoutCode));
        assert_eq!(read("response=approved&code=&state=s"), Err(CallbackError::ApprovedWithoutCode));
        assert_eq!(read("response=denied&code=c"), Err(CallbackError::DeniedWithCode));
        assert!(matches!(read("response=denied&error=invalid_scope"), Err(CallbackError::Refused { .. })));
        assert!(matches!(read("error=server_error&error_description=x"), Err(CallbackError::Refused { .. })));
        assert_eq!(read("code=a&code=b"), Err(CallbackError::Repeated(Repeated("code"))));
        for odd in [
            "",
            "state=s",
            "response=maybe",
            "response=Approved&code=c",
            "code=c&error=x",
            "response=approved&code=c&error=x",
        ] {
            assert_eq!(read(odd), Err(CallbackError::Unrecognised), "{odd}");
        }
    }

    proptest! {
        #[test]
        fn az_06_state_survives_both_spellings(state in "[^\0]{1,80}", fub: bool) {
            let dialect = if fub { Dialect::FollowUpBoss } else { Dialect::OAuth };
            let url = spell(dialect, &uri(), &AuthorizeAnswer::Approved { code: "c" }, Some(&state), None);
            let query = url.strip_prefix("https://c.example/cb?x=1&").expect("the registered query is kept");
            prop_assert_eq!(read(query).expect("own output").state, Some(state));
        }

        #[test]
        fn no_query_panics(query in "\\PC{0,120}") {
            let _ = read(&query);
        }
    }
}
