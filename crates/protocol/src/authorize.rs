//! The authorize request, read in two steps, because where a refusal goes depends on how far reading came.
//!
//! [`Destination`] first: without a known client and a registered redirect URI the refusal is a page (RFC 6749 section 4.1.2.1). Then
//! [`AuthorizeRequest`]: every further refusal goes to the redirect URI, in the dialect of the request. What a client's policy
//! allows is not decided here.

use crate::Dialect;
use crate::callback::AuthorizeErrorCode;
use crate::form::Form;
use crate::pkce::CodeChallenge;
use crate::resource::Resources;
use crate::scope::Scope;
use thiserror::Error;

/// Longest `state` that is carried, in bytes (matrix AZ-06).
pub const MAX_STATE: usize = 2048;

/// Parameters that may appear once. `resource` may repeat (RFC 8707 section 2); anything else is unknown and ignored.
const KNOWN: [&str; 16] = [
    "response_type",
    "client_id",
    "redirect_uri",
    "state",
    "scope",
    "prompt",
    "code_challenge",
    "code_challenge_method",
    "response_mode",
    "request",
    "request_uri",
    "registration",
    "nonce",
    "max_age",
    "login_hint",
    "display",
];

/// Who asks, and where the answer would go. Presented, not verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Destination<'f> {
    /// The presented client id.
    pub client_id: &'f str,
    /// The presented redirect URI, after form decoding.
    pub redirect_uri: &'f str,
}

/// Why there is no destination; answered with a page, never a redirect.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub enum DestinationError {
    /// The parameter is absent or empty.
    #[error("the parameter {0} is missing")]
    Missing(&'static str),
    /// The parameter appears more than once.
    #[error("the parameter {0} may appear only once")]
    Repeated(&'static str),
}

impl<'f> Destination<'f> {
    /// Reads the two parameters that decide where a refusal may go.
    pub fn read(form: &'f Form<'_>) -> Result<Destination<'f>, DestinationError> {
        let required = |name| match form.one(name) {
            Ok(Some(value)) => Ok(value),
            Ok(None) => Err(DestinationError::Missing(name)),
            Err(_) => Err(DestinationError::Repeated(name)),
        };
        Ok(Destination { client_id: required("client_id")?, redirect_uri: required("redirect_uri")? })
    }
}

/// A well-formed authorize request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorizeRequest {
    /// Chosen by `response_type`.
    pub dialect: Dialect,
    /// Returned unchanged on every redirect.
    pub state: Option<String>,
    /// What was asked for; `None` asks for the app's default.
    pub scope: Option<Scope>,
    /// The client's PKCE commitment.
    pub code_challenge: Option<CodeChallenge>,
    /// Whether the user must sign in anew, whatever session there is.
    pub prompt_login: bool,
    /// Resources that the tokens are for (RFC 8707); none: those of the authority's own API.
    pub resources: Resources,
}

/// A refusal that goes to the redirect URI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorizeRefusal {
    /// The value of `error`.
    pub code: AuthorizeErrorCode,
    /// What the developer should know.
    pub description: String,
    /// The spelling of the answer; `OAuth` as long as `response_type` has not been read.
    pub dialect: Dialect,
    /// The state to return; `None` if it was absent or is itself the problem.
    pub state: Option<String>,
}

impl AuthorizeRequest {
    /// Reads everything behind the destination.
    pub fn read(form: &Form<'_>) -> Result<AuthorizeRequest, AuthorizeRefusal> {
        let (state, state_problem) = match form.one("state") {
            Err(repeated) => (None, Some(repeated.to_string())),
            Ok(Some(state)) if state.len() > MAX_STATE => {
                (None, Some(format!("state is longer than {MAX_STATE} bytes")))
            }
            Ok(Some(state)) if state.chars().any(char::is_control) => {
                (None, Some("state has control characters".to_owned()))
            }
            Ok(state) => (state.map(str::to_owned), None),
        };
        let response_type = form.one("response_type");
        let dialect = match response_type {
            Ok(Some("auth_code")) => Dialect::FollowUpBoss,
            _ => Dialect::OAuth,
        };
        let refuse = |code, description: String| AuthorizeRefusal { code, description, dialect, state: state.clone() };
        let invalid = |description: String| refuse(AuthorizeErrorCode::InvalidRequest, description);

        match response_type {
            Ok(Some("auth_code" | "code")) => {}
            Ok(None) => return Err(invalid("response_type is missing; send auth_code or code".to_owned())),
            Err(repeated) => return Err(invalid(repeated.to_string())),
            Ok(Some(_)) => {
                let description = "response_type must be auth_code or code, in lower case".to_owned();
                return Err(refuse(AuthorizeErrorCode::UnsupportedResponseType, description));
            }
        }
        if let Some(problem) = state_problem {
            return Err(invalid(problem));
        }
        if let Some(repeated) = form.first_repeated(&KNOWN) {
            return Err(invalid(repeated.to_string()));
        }
        let value = |name| form.one(name).ok().flatten();

        for (name, code) in [
            ("request", AuthorizeErrorCode::RequestNotSupported),
            ("request_uri", AuthorizeErrorCode::RequestUriNotSupported),
            ("registration", AuthorizeErrorCode::RegistrationNotSupported),
        ] {
            if value(name).is_some() {
                return Err(refuse(code, format!("the parameter {name} is not supported")));
            }
        }
        if value("response_mode").is_some_and(|mode| mode != "query") {
            return Err(invalid("response_mode must be query".to_owned()));
        }
        let code_challenge = match (value("code_challenge"), value("code_challenge_method")) {
            (None, None) => None,
            (Some(challenge), Some("S256")) => match CodeChallenge::parse(challenge) {
                Some(challenge) => Some(challenge),
                None => {
                    return Err(invalid("code_challenge must be 43 base64url characters without padding".to_owned()));
                }
            },
            (Some(_), _) => return Err(invalid("code_challenge_method must be S256".to_owned())),
            (None, Some(_)) => return Err(invalid("code_challenge_method was sent without code_challenge".to_owned())),
        };
        if dialect == Dialect::FollowUpBoss && state.is_none() && code_challenge.is_none() {
            return Err(invalid("state is missing; it protects the callback against forgery".to_owned()));
        }
        let mut prompt_login = false;
        for prompt in value("prompt").into_iter().flat_map(|prompts| prompts.split(' ')) {
            match prompt {
                "login" => prompt_login = true,
                // Consent is always asked for.
                "consent" => {}
                _ => return Err(invalid("prompt may be login or consent".to_owned())),
            }
        }
        let scope = value("scope").map(Scope::parse).transpose();
        let scope = scope.map_err(|error| refuse(AuthorizeErrorCode::InvalidScope, error.to_string()))?;
        let resources = Resources::parse(form.all("resource"));
        let resources = resources.map_err(|error| refuse(AuthorizeErrorCode::InvalidTarget, error.to_string()))?;
        Ok(AuthorizeRequest { dialect, state, scope, code_challenge, prompt_login, resources })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use AuthorizeErrorCode::*;

    fn read(query: &str) -> Result<AuthorizeRequest, AuthorizeRefusal> {
        AuthorizeRequest::read(&Form::parse(query.as_bytes()).expect("a form"))
    }

    fn refused(query: &str) -> (AuthorizeErrorCode, Dialect, Option<String>) {
        let refusal = read(query).expect_err(query);
        (refusal.code, refusal.dialect, refusal.state)
    }

    #[test]
    fn az_01_the_response_type_selects_the_dialect() {
        assert_eq!(read("response_type=auth_code&state=s").map(|r| r.dialect), Ok(Dialect::FollowUpBoss));
        assert_eq!(read("response_type=code&state=s").map(|r| r.dialect), Ok(Dialect::OAuth));
        for missing in ["state=s", "response_type=&state=s"] {
            assert_eq!(refused(missing), (InvalidRequest, Dialect::OAuth, Some("s".to_owned())));
        }
        for other in
            ["token", "id_token", "code+token", "Code", "CODE", "auth_code+", "+code", "Auth_Code", "auth-code", "none"]
        {
            let query = format!("response_type={other}&state=s");
            assert_eq!(refused(&query), (UnsupportedResponseType, Dialect::OAuth, Some("s".to_owned())), "{other}");
        }
    }

    /// RFC 6749 section 4.1.2.1: no quotation mark, no backslash, nothing but ASCII.
    #[test]
    fn az_05_every_description_is_written_in_the_characters_that_a_description_may_have() {
        let good = "response_type=code&state=s";
        for more in [
            "&state=t",
            "&request=x",
            "&request_uri=x",
            "&scope=%22",
            "&prompt=%22",
            "&code_challenge=%22",
            "&response_mode=%5C",
        ] {
            let refusal = read(&format!("{good}{more}")).expect_err(more);
            let told = refusal.description;
            assert!(told.bytes().all(|b| matches!(b, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e)), "{more}: {told}");
        }
    }

    #[test]
    fn az_05_known_parameters_appear_once_and_unknown_ones_are_ignored() {
        assert!(read("response_type=auth_code&state=s&scope=&foo=1&foo=2").is_ok());
        for repeat in ["state=a&state=b", "state=a&state=a"] {
            assert_eq!(
                refused(&format!("response_type=auth_code&{repeat}")),
                (InvalidRequest, Dialect::FollowUpBoss, None)
            );
        }
        for repeat in ["scope=a&scope=a", "prompt=login&prompt=login", "code_challenge=a&code_challenge=b"] {
            let query = format!("response_type=code&state=s&{repeat}");
            assert_eq!(refused(&query), (InvalidRequest, Dialect::OAuth, Some("s".to_owned())));
        }
    }

    #[test]
    fn az_07_followupboss_needs_a_state_or_a_challenge() {
        let challenge = "a".repeat(43);
        assert_eq!(refused("response_type=auth_code"), (InvalidRequest, Dialect::FollowUpBoss, None));
        assert!(
            read(&format!("response_type=auth_code&code_challenge={challenge}&code_challenge_method=S256")).is_ok()
        );
        assert!(read("response_type=code").is_ok());
    }

    #[test]
    fn pk_01_only_s256_is_accepted() {
        let challenge = "a".repeat(43);
        for method in ["&code_challenge_method=plain", "&code_challenge_method=s256", "", "&code_challenge_method=S512"]
        {
            for response_type in ["code", "auth_code"] {
                let query = format!("response_type={response_type}&state=s&code_challenge={challenge}{method}");
                assert_eq!(refused(&query).0, InvalidRequest, "{query}");
            }
        }
        assert_eq!(refused("response_type=code&code_challenge_method=S256").0, InvalidRequest);
    }

    #[test]
    fn az_13_unsupported_features_are_refused_by_name() {
        for (parameter, code) in [
            ("request=x", RequestNotSupported),
            ("request_uri=https://x", RequestUriNotSupported),
            ("registration=%7B%7D", RegistrationNotSupported),
            ("response_mode=fragment", InvalidRequest),
            ("prompt=none", InvalidRequest),
            ("prompt=Login", InvalidRequest),
            ("scope=%22", InvalidScope),
            ("resource=api", InvalidTarget),
            ("resource=https://api.example.com&resource=https://api.example.com%23x", InvalidTarget),
        ] {
            assert_eq!(refused(&format!("response_type=code&{parameter}")).0, code, "{parameter}");
        }
    }
}
