//! The considered "no" of the token endpoint, and the one table per dialect that spells it (table T).

use crate::form::FormError;
use crate::reason::Reason;
use crate::token_request::ReplyShape;
use serde::Serialize;

/// Why a token request is refused. Each variant is a row of table T and the first failing row answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenRefusal {
    /// T-01: a method other than GET and POST, or GET where it is switched off.
    MethodNotAllowed,
    /// T-03: too many requests or too much work.
    Overloaded {
        /// Seconds until the next try may be looked at.
        retry_after: u32,
    },
    /// T-04: not a form, or a parameter repeated or misplaced.
    Malformed(String),
    /// T-05: no client authentication, and the client is not public.
    MissingAuthentication,
    /// T-06: `Authorization` is not well-formed Basic.
    MalformedAuthorization,
    /// T-07: two methods at once, or a secret in a URL.
    SeveralAuthentications(&'static str),
    /// T-08: unknown client, wrong secret, disabled client, or a method not allowed for the client. One answer for all; the right secret is
    /// answered with the reason besides.
    ClientAuthenticationFailed,
    /// T-09
    MissingGrantType,
    /// T-10
    UnsupportedGrantType,
    /// T-11: the client is not registered for this.
    UnauthorizedClient(&'static str),
    /// T-12, with the names.
    MissingParameters(Vec<&'static str>),
    /// T-13: unknown, used, revoked, or of another client.
    InvalidCode,
    /// T-14
    ExpiredCode,
    /// T-15: another redirect URI than at the authorize request.
    RedirectUriDiffers,
    /// T-15a: another state, where the policy compares.
    StateDiffers,
    /// T-16: the verifier is missing, malformed, wrong, or sent without a challenge.
    VerifierFailed,
    /// T-17: unknown, revoked, rotated out, or of another client.
    InvalidRefreshToken,
    /// T-18: unused for 90 days.
    ExpiredRefreshToken,
    /// T-19
    Holder(HolderProblem),
    /// T-20: not covered by the grant.
    InvalidScope,
    /// T-20: not a resource of this authority.
    InvalidTarget,
    /// T-21: the store is unreachable, full or read-only.
    Unavailable,
    /// T-21: any other internal failure.
    ServerError,
}

/// What is wrong with the user or the account behind a grant (row T-19).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HolderProblem {
    /// The user is deleted.
    UserNotFound,
    /// The user is disabled.
    UserDisabled,
    /// The account is missing.
    AccountNotFound,
    /// The account is suspended.
    AccountSuspended,
}

/// An answer on the wire: status, headers that depend on it, body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusalAnswer {
    /// The HTTP status.
    pub status: u16,
    /// Whether `WWW-Authenticate: Basic` goes with it (matrix CA-06).
    pub challenge: bool,
    /// Seconds for `Retry-After`.
    pub retry_after: Option<u32>,
    /// JSON.
    pub body: String,
}

/// The challenge of every 401 at the token endpoint.
pub const BASIC_CHALLENGE: &str = "Basic realm=\"oauth\", charset=\"UTF-8\"";

impl From<FormError> for TokenRefusal {
    fn from(error: FormError) -> Self {
        TokenRefusal::Malformed(error.to_string())
    }
}

/// The body of RFC 6749 section 5.2.
#[derive(Serialize)]
struct RfcBody<'a> {
    error: &'a str,
    error_description: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

/// The legacy error envelope.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LegacyBody<'a> {
    success: bool,
    error_message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_details: Option<&'a [&'static str]>,
    error_code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

impl TokenRefusal {
    /// The row of table T.
    pub fn row(&self) -> &'static str {
        self.spelling().row
    }

    /// The answer, in the shape of the request's method. `fub_status` selects the statuses that Follow Up Boss lists where they differ
    /// from RFC 6749 (decision D1).
    pub fn answer(&self, shape: ReplyShape, fub_status: bool) -> RefusalAnswer {
        self.answer_with(None, shape, fub_status)
    }

    /// The same with its [`Reason`], where the client may know it.
    pub fn answer_with(&self, reason: Option<Reason>, shape: ReplyShape, fub_status: bool) -> RefusalAnswer {
        use TokenRefusal::*;
        let spelling = self.spelling();
        let message = match (reason, self) {
            // Of these the message names all that it could be. So does that of T-08, which is one answer for all.
            (Some(reason), InvalidCode | InvalidRefreshToken | InvalidScope | InvalidTarget) => {
                reason.says().to_owned()
            }
            _ => self.message(),
        };
        let reason = reason.map(Reason::word);
        let (status, body) = match shape {
            ReplyShape::Rfc6749 => {
                let (status, error) = if fub_status { spelling.fub } else { spelling.rfc };
                (status, serde_json::to_string(&RfcBody { error, error_description: &message, reason }))
            }
            ReplyShape::Legacy => {
                let (status, error_code) = spelling.legacy;
                let error_details = match self {
                    TokenRefusal::MissingParameters(names) => Some(names.as_slice()),
                    _ => None,
                };
                let body = LegacyBody { success: false, error_message: &message, error_details, error_code, reason };
                (status, serde_json::to_string(&body))
            }
        };
        let retry_after = match self {
            TokenRefusal::Overloaded { retry_after } => Some(*retry_after),
            TokenRefusal::Unavailable => Some(1),
            _ => None,
        };
        let body = body.expect("invariant: bodies are plain strings");
        RefusalAnswer { status, challenge: status == 401, retry_after, body }
    }

    /// Table T: row, POST by RFC 6749, POST with `fub_status`, legacy GET.
    fn spelling(&self) -> Spelling {
        use TokenRefusal::*;
        let same =
            |row, status, rfc: &'static str, legacy| Spelling { row, rfc: (status, rfc), fub: (status, rfc), legacy };
        match self {
            MethodNotAllowed => same("T-01", 405, "invalid_request", (405, "code-exchange-failed")),
            Overloaded { .. } => same("T-03", 429, "temporarily_unavailable", (429, "rate-limited")),
            Malformed(_) => same("T-04", 400, "invalid_request", (400, "code-exchange-failed")),
            MissingAuthentication => Spelling {
                row: "T-05",
                rfc: (401, "invalid_client"),
                fub: (400, "invalid_client"),
                legacy: (400, "missing-authorization-header"),
            },
            MalformedAuthorization => Spelling {
                row: "T-06",
                rfc: (401, "invalid_client"),
                fub: (400, "invalid_client"),
                legacy: (400, "invalid-authorization-header"),
            },
            SeveralAuthentications(_) => same("T-07", 400, "invalid_request", (400, "invalid-authorization-header")),
            ClientAuthenticationFailed => Spelling {
                row: "T-08",
                rfc: (401, "invalid_client"),
                fub: (400, "invalid_client"),
                legacy: (400, "invalid-oauth-app"),
            },
            MissingGrantType => Spelling {
                row: "T-09",
                rfc: (400, "invalid_request"),
                fub: (400, "unsupported_grant_type"),
                legacy: (400, "missing-grant-type-param"),
            },
            UnsupportedGrantType => same("T-10", 400, "unsupported_grant_type", (400, "invalid-grant-type")),
            UnauthorizedClient(_) => Spelling {
                row: "T-11",
                rfc: (400, "unauthorized_client"),
                fub: (403, "unauthorized_client"),
                legacy: (403, "resource-restricted"),
            },
            MissingParameters(_) => same("T-12", 400, "invalid_request", (400, "missing-required-params")),
            InvalidCode => same("T-13", 400, "invalid_grant", (400, "invalid-auth-code")),
            ExpiredCode => Spelling {
                row: "T-14",
                rfc: (400, "invalid_grant"),
                fub: (401, "invalid_grant"),
                legacy: (401, "expired-auth-code"),
            },
            RedirectUriDiffers => same("T-15", 400, "invalid_grant", (400, "invalid-redirect-uri")),
            StateDiffers => same("T-15a", 400, "invalid_grant", (400, "code-exchange-failed")),
            VerifierFailed => same("T-16", 400, "invalid_grant", (400, "code-exchange-failed")),
            InvalidRefreshToken => same("T-17", 400, "invalid_grant", (400, "invalid-refresh-token")),
            ExpiredRefreshToken => Spelling {
                row: "T-18",
                rfc: (400, "invalid_grant"),
                fub: (401, "invalid_grant"),
                legacy: (401, "expired-refresh-token"),
            },
            Holder(problem) => Spelling {
                row: "T-19",
                rfc: (400, "invalid_grant"),
                fub: (404, "invalid_grant"),
                legacy: (404, problem.legacy_code()),
            },
            InvalidScope => same("T-20", 400, "invalid_scope", (400, "code-exchange-failed")),
            InvalidTarget => same("T-20", 400, "invalid_target", (400, "code-exchange-failed")),
            Unavailable => same("T-21", 503, "temporarily_unavailable", (503, "server-error")),
            ServerError => same("T-21", 500, "server_error", (500, "server-error")),
        }
    }

    /// For the developer who reads the answer. Says what to do next and nothing about somebody else's secrets.
    pub fn message(&self) -> String {
        use TokenRefusal::*;
        match self {
            MethodNotAllowed => "Use POST, or GET where it is enabled.".to_owned(),
            Overloaded { .. } => "Too many requests. Try again after the time in Retry-After.".to_owned(),
            Malformed(what) => format!("The request is malformed: {what}."),
            MissingAuthentication => {
                "Client authentication is missing. Send HTTP Basic with the client id and the client secret; an app without a secret sends a POST with client_id in the body.".to_owned()
            }
            MalformedAuthorization => {
                "The Authorization header is not well-formed. Send Basic and the base64 of client_id:client_secret.".to_owned()
            }
            SeveralAuthentications(what) => {
                format!("Authenticate the client once, with HTTP Basic, and keep the secret out of the URL. Found: {what}.")
            }
            ClientAuthenticationFailed => {
                "Client authentication failed: the client is unknown or disabled, its secret is wrong, or it may not be sent in this way. An app without a secret sends client_id in the body and nothing else.".to_owned()
            },
            MissingGrantType => "The parameter grant_type is missing.".to_owned(),
            UnsupportedGrantType => {
                "grant_type must be auth_code, authorization_code, refresh_token or (by POST) client_credentials, in lower case.".to_owned()
            }
            UnauthorizedClient(what) => format!("This app is not allowed to do this: {what}."),
            MissingParameters(names) => format!("Required parameters are missing: {}.", names.join(", ")),
            InvalidCode => {
                "The code is unknown, already used or revoked, or it was issued to another app. Send the user through the authorize step again.".to_owned()
            },
            ExpiredCode => "The code has expired. Send the user through the authorize step again.".to_owned(),
            RedirectUriDiffers => {
                "redirect_uri differs from the one of the authorize request. Send the same, byte for byte.".to_owned()
            }
            StateDiffers => "state differs from the one of the authorize request.".to_owned(),
            VerifierFailed => {
                "The PKCE proof failed. Send the code_verifier of this authorize request, and none if it had no challenge.".to_owned()
            }
            InvalidRefreshToken => {
                "The refresh token is unknown, revoked or replaced, or it belongs to another app. If it is the last one you were given, the user has to connect again.".to_owned()
            }
            ExpiredRefreshToken => "The refresh token was not used for 90 days. The user has to connect again.".to_owned(),
            Holder(problem) => problem.message().to_owned(),
            InvalidScope => "The requested scope is not covered by the grant.".to_owned(),
            InvalidTarget => "The requested resource is not known here or not covered by the grant.".to_owned(),
            Unavailable => "The service cannot answer at the moment. Nothing was changed. Try again.".to_owned(),
            ServerError => "The service failed. The request id in this answer helps its operator to find out why.".to_owned(),
        }
    }
}

struct Spelling {
    row: &'static str,
    rfc: (u16, &'static str),
    fub: (u16, &'static str),
    legacy: (u16, &'static str),
}

impl HolderProblem {
    fn legacy_code(self) -> &'static str {
        match self {
            HolderProblem::UserNotFound => "user-not-found",
            HolderProblem::UserDisabled => "invalid-account",
            HolderProblem::AccountNotFound => "account-not-found",
            HolderProblem::AccountSuspended => "inactive-account",
        }
    }

    fn message(self) -> &'static str {
        match self {
            HolderProblem::UserNotFound => "The user behind this grant no longer exists.",
            HolderProblem::UserDisabled => "The user behind this grant is disabled.",
            HolderProblem::AccountNotFound => "The account behind this grant no longer exists.",
            HolderProblem::AccountSuspended => "The account behind this grant is suspended.",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::TokenRefusal::*;
    use super::*;

    /// Row, refusal, POST by RFC 6749, POST with `fub_status` (blank: the same), legacy GET.
    type Golden = (&'static str, TokenRefusal, &'static str, &'static str, &'static str);

    /// Table T of docs/requirements.md, spelled a second time.
    fn table() -> Vec<Golden> {
        vec![
            ("T-01", MethodNotAllowed, "405 invalid_request", "", "405 code-exchange-failed"),
            ("T-03", Overloaded { retry_after: 7 }, "429 temporarily_unavailable", "", "429 rate-limited"),
            ("T-04", Malformed("why".to_owned()), "400 invalid_request", "", "400 code-exchange-failed"),
            (
                "T-05",
                MissingAuthentication,
                "401 invalid_client",
                "400 invalid_client",
                "400 missing-authorization-header",
            ),
            (
                "T-06",
                MalformedAuthorization,
                "401 invalid_client",
                "400 invalid_client",
                "400 invalid-authorization-header",
            ),
            ("T-07", SeveralAuthentications("why"), "400 invalid_request", "", "400 invalid-authorization-header"),
            ("T-08", ClientAuthenticationFailed, "401 invalid_client", "400 invalid_client", "400 invalid-oauth-app"),
            (
                "T-09",
                MissingGrantType,
                "400 invalid_request",
                "400 unsupported_grant_type",
                "400 missing-grant-type-param",
            ),
            ("T-10", UnsupportedGrantType, "400 unsupported_grant_type", "", "400 invalid-grant-type"),
            (
                "T-11",
                UnauthorizedClient("why"),
                "400 unauthorized_client",
                "403 unauthorized_client",
                "403 resource-restricted",
            ),
            (
                "T-12",
                MissingParameters(vec!["code", "state"]),
                "400 invalid_request",
                "",
                "400 missing-required-params",
            ),
            ("T-13", InvalidCode, "400 invalid_grant", "", "400 invalid-auth-code"),
            ("T-14", ExpiredCode, "400 invalid_grant", "401 invalid_grant", "401 expired-auth-code"),
            ("T-15", RedirectUriDiffers, "400 invalid_grant", "", "400 invalid-redirect-uri"),
            ("T-15a", StateDiffers, "400 invalid_grant", "", "400 code-exchange-failed"),
            ("T-16", VerifierFailed, "400 invalid_grant", "", "400 code-exchange-failed"),
            ("T-17", InvalidRefreshToken, "400 invalid_grant", "", "400 invalid-refresh-token"),
            ("T-18", ExpiredRefreshToken, "400 invalid_grant", "401 invalid_grant", "401 expired-refresh-token"),
            (
                "T-19",
                Holder(HolderProblem::UserNotFound),
                "400 invalid_grant",
                "404 invalid_grant",
                "404 user-not-found",
            ),
            (
                "T-19",
                Holder(HolderProblem::AccountNotFound),
                "400 invalid_grant",
                "404 invalid_grant",
                "404 account-not-found",
            ),
            (
                "T-19",
                Holder(HolderProblem::AccountSuspended),
                "400 invalid_grant",
                "404 invalid_grant",
                "404 inactive-account",
            ),
            (
                "T-19",
                Holder(HolderProblem::UserDisabled),
                "400 invalid_grant",
                "404 invalid_grant",
                "404 invalid-account",
            ),
            ("T-20", InvalidScope, "400 invalid_scope", "", "400 code-exchange-failed"),
            ("T-20", InvalidTarget, "400 invalid_target", "", "400 code-exchange-failed"),
            ("T-21", Unavailable, "503 temporarily_unavailable", "", "503 server-error"),
            ("T-21", ServerError, "500 server_error", "", "500 server-error"),
        ]
    }

    /// RFC 6749 section 5.2: no quotation mark, no backslash, nothing but ASCII.
    #[test]
    fn t_04_every_description_is_written_in_the_characters_that_a_description_may_have() {
        let messages = table().into_iter().map(|(_, refusal, ..)| refusal.message());
        for message in messages.chain(Reason::ALL.iter().map(|reason| reason.says().to_owned())) {
            assert!(message.bytes().all(|b| matches!(b, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e)), "{message}");
        }
    }

    #[test]
    fn t_03_every_row_is_spelled_in_every_column_as_table_t_says() {
        for (row, refusal, rfc, fub, legacy) in table() {
            assert_eq!(refusal.row(), row);
            for (shape, fub_status, expected) in [
                (ReplyShape::Rfc6749, false, rfc),
                (ReplyShape::Rfc6749, true, if fub.is_empty() { rfc } else { fub }),
                (ReplyShape::Legacy, false, legacy),
                // The switch concerns POST only.
                (ReplyShape::Legacy, true, legacy),
            ] {
                let (status, code) = expected.split_once(' ').expect("two words");
                let status: u16 = status.parse().expect("a number");
                let answer = refusal.answer(shape, fub_status);
                let body: serde_json::Value = serde_json::from_str(&answer.body).expect("JSON");
                let mut keys: Vec<_> = body.as_object().expect("an object").keys().map(String::as_str).collect();
                keys.sort_unstable();
                assert_eq!(answer.status, status, "{row} {shape:?} {fub_status}");
                assert_eq!(answer.challenge, status == 401, "{row}: CA-06");
                assert_eq!(answer.retry_after.is_some(), matches!(status, 429 | 503), "{row}");
                let detailed = matches!(refusal, MissingParameters(_));
                match shape {
                    ReplyShape::Rfc6749 => {
                        assert_eq!(body["error"], code, "{row}");
                        assert_eq!(keys, ["error", "error_description"], "{row}");
                    }
                    ReplyShape::Legacy if detailed => {
                        assert_eq!(body["errorDetails"], serde_json::json!(["code", "state"]));
                        assert_eq!(keys, ["errorCode", "errorDetails", "errorMessage", "success"]);
                    }
                    ReplyShape::Legacy => {
                        assert_eq!(body["errorCode"], code, "{row}");
                        assert_eq!(keys, ["errorCode", "errorMessage", "success"], "{row}");
                    }
                }
            }
        }
    }

    #[test]
    fn every_variant_is_in_the_table() {
        // No wildcard: a new variant does not compile before it is counted here.
        let index = |refusal: &TokenRefusal| match refusal {
            MethodNotAllowed => 0,
            Overloaded { .. } => 1,
            Malformed(_) => 2,
            MissingAuthentication => 3,
            MalformedAuthorization => 4,
            SeveralAuthentications(_) => 5,
            ClientAuthenticationFailed => 6,
            MissingGrantType => 7,
            UnsupportedGrantType => 8,
            UnauthorizedClient(_) => 9,
            MissingParameters(_) => 10,
            InvalidCode => 11,
            ExpiredCode => 12,
            RedirectUriDiffers => 13,
            StateDiffers => 14,
            VerifierFailed => 15,
            InvalidRefreshToken => 16,
            ExpiredRefreshToken => 17,
            Holder(_) => 18,
            InvalidScope => 19,
            InvalidTarget => 20,
            Unavailable => 21,
            ServerError => 22,
        };
        let seen: std::collections::BTreeSet<_> = table().iter().map(|(_, refusal, ..)| index(refusal)).collect();
        assert_eq!(seen, (0..=22).collect());
    }
}
