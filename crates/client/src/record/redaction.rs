//! What may stand in a transcript, by lists: names of headers, parameters and keys, and the few values that are words of the protocol.
//!
//! Everything else becomes a label (`<refresh_token:1>`), the same for the same value in the whole transcript, or the name of its type. No
//! rule here looks for secrets: what is not listed is not shown.

use super::transcript::{AnswerShape, RequestShape};
use crate::http::{HttpRequest, HttpResponse};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Names of parameters and of keys in a body. Others become `<key:n>`.
const NAMES: &[&str] = &[
    "_metadata",
    "access_token",
    "account",
    "api",
    "client_id",
    "client_secret",
    "code",
    "code_challenge",
    "code_challenge_method",
    "code_verifier",
    "collection",
    "created",
    "data",
    "domain",
    "email",
    "error",
    "error_description",
    "error_uri",
    "errorCode",
    "errorMessage",
    "errors",
    "expires_at",
    "expires_in",
    "grant_type",
    "id",
    "id_token",
    "isAdmin",
    "isOwner",
    "iss",
    "issued_at",
    "limit",
    "message",
    "name",
    "next",
    "nextLink",
    "notes",
    "offset",
    "owner",
    "prompt",
    "redirect_uri",
    "refresh_expires_in",
    "refresh_token",
    "refresh_token_expires_in",
    "response",
    "response_type",
    "role",
    "scope",
    "state",
    "status",
    "success",
    "team",
    "title",
    "token_type",
    "total",
    "ttl",
    "updated",
    "user",
    "detail",
    "reason",
    "type",
];
/// Values that are words of the protocol, wherever they stand under one of the names of [`WORDED`].
const WORDS: &[&str] = &[
    "approved",
    "denied",
    "auth_code",
    "authorization_code",
    "refresh_token",
    "code",
    "login",
    "S256",
    "Bearer",
    "bearer",
    // RFC 6749 sections 4.1.2.1 and 5.2, RFC 6750 section 3.1.
    "access_denied",
    "insufficient_scope",
    "invalid_client",
    "invalid_grant",
    "invalid_request",
    "invalid_scope",
    "invalid_token",
    "server_error",
    "temporarily_unavailable",
    "unauthorized_client",
    "unsupported_grant_type",
    "unsupported_response_type",
    // What Follow Up Boss lists for its legacy endpoint.
    "account-not-found",
    "code-exchange-failed",
    "expired-access-token",
    "expired-auth-code",
    "expired-refresh-token",
    "inactive-account",
    "invalid-access-token",
    "invalid-account",
    "invalid-auth-code",
    "invalid-authorization-header",
    "invalid-grant-type",
    "invalid-oauth-app",
    "invalid-redirect-uri",
    "invalid-refresh-token",
    "missing-authorization-header",
    "missing-grant-type-param",
    "missing-required-params",
    "rate-limited",
    "resource-restricted",
    "user-not-found",
];
/// Names whose value is one of [`WORDS`].
const WORDED: &[&str] =
    &["code_challenge_method", "error", "errorCode", "grant_type", "prompt", "response", "response_type", "token_type"];
/// Names whose value is told by a label, since whether it is the same again is the question.
const LABELLED: &[&str] =
    &["access_token", "refresh_token", "id_token", "code", "state", "client_id", "redirect_uri", "scope"];
/// Names whose value is a count of seconds.
const SECONDS: &[&str] = &["expires_in", "ttl", "refresh_expires_in", "refresh_token_expires_in"];
/// Headers of an answer whose value is a number.
const NUMERIC_HEADERS: &[&str] = &["retry-after", "x-ratelimit-limit", "x-ratelimit-window"];
/// Headers of an answer whose value is told if it is one of these.
const HEADER_WORDS: &[(&str, &[&str])] = &[
    ("content-type", &["application/json", "application/problem+json", "text/html", "text/plain"]),
    (
        "cache-control",
        &["no-store", "no-cache", "private", "no-store, private", "no-cache, private", "no-cache, no-store"],
    ),
    ("x-ratelimit-context", &["global", "events", "notes", "people", "PUT.people"]),
];
/// Headers of an answer that are named without a value. What is on no list is left out: a proxy's headers may name machines.
const NAMED_HEADERS: &[&str] = &["x-ratelimit-remaining", "fub-account-id", "fub-user-id", "location", "pragma"];
/// Headers of a request whose value is told.
const PLAIN_REQUEST_HEADERS: &[&str] = &["Accept", "Content-Type"];
/// Longest number that is told, in digits: a larger one may be an id.
const MOST_DIGITS: usize = 8;

/// The labels of one transcript.
#[derive(Default)]
pub(super) struct Redaction {
    labels: HashMap<String, String>,
    counts: BTreeMap<&'static str, u32>,
    /// Keys that came and are on no list. For the terminal of whoever records, not for the transcript.
    pub(super) unlisted: BTreeSet<String>,
}

impl Redaction {
    /// The label of a value. One that had a label of another kind keeps it.
    pub(super) fn label(&mut self, kind: &'static str, value: &str) -> String {
        if let Some(label) = self.labels.get(value) {
            return label.clone();
        }
        let count = self.counts.entry(kind).or_default();
        *count += 1;
        let label = format!("<{kind}:{count}>");
        self.labels.insert(value.to_owned(), label.clone());
        label
    }

    /// `name=value` of a query, a form or a callback.
    pub(super) fn parameter(&mut self, name: &str, value: &str) -> String {
        match NAMES.iter().find(|known| **known == name) {
            Some(known) if WORDED.contains(known) && WORDS.contains(&value) => format!("{known}={value}"),
            Some(known) => format!("{known}={}", self.label(known, value)),
            None => format!("{}={}", self.label("key", name), self.label("value", value)),
        }
    }

    /// A request of the script. `path` is the script's own word for where it goes.
    pub(super) fn request(&mut self, path: &str, request: &HttpRequest, parameters: &[(&str, &str)]) -> RequestShape {
        let mut headers = Vec::new();
        for header in &request.headers {
            let value = header.value.expose();
            let told = match (header.name.as_str(), value.split_once(' ')) {
                (name, _) if PLAIN_REQUEST_HEADERS.contains(&name) => value.to_owned(),
                ("Authorization", Some(("Bearer", token))) => format!("Bearer {}", self.label("access_token", token)),
                ("Authorization", Some(("Basic", pair))) => format!("Basic {}", self.label("credentials", pair)),
                _ => self.label("header", value),
            };
            headers.push(format!("{}: {told}", header.name));
        }
        RequestShape {
            method: request.method.as_str().to_owned(),
            path: path.to_owned(),
            headers,
            parameters: parameters.iter().map(|(name, value)| self.parameter(name, value)).collect(),
        }
    }

    /// An answer.
    pub(super) fn answer(&mut self, response: &HttpResponse) -> AnswerShape {
        let mut headers = BTreeMap::new();
        for header in &response.headers {
            let (name, value) = (header.name.to_ascii_lowercase(), header.value.expose());
            if let Some(told) = self.received(&name, value) {
                headers.entry(name).or_insert_with(Vec::new).push(told);
            }
        }
        let body = response.body.expose();
        let body = match serde_json::from_slice(body) {
            Ok(value) => self.shape(None, &value),
            Err(_) if body.is_empty() => Value::from("empty"),
            Err(_) => Value::from("not JSON"),
        };
        AnswerShape { status: response.status, headers, body }
    }

    fn received(&mut self, name: &str, value: &str) -> Option<String> {
        if name == "www-authenticate" {
            return Some(challenge(value));
        }
        if NUMERIC_HEADERS.contains(&name) {
            return Some(if is_number(value) { value.to_owned() } else { "not a number".to_owned() });
        }
        if let Some((_, words)) = HEADER_WORDS.iter().find(|(known, _)| *known == name) {
            let word = if name == "content-type" { value.split(';').next().unwrap_or_default().trim() } else { value };
            return Some(if words.contains(&word) { word.to_owned() } else { self.label("header", value) });
        }
        NAMED_HEADERS.contains(&name).then(|| "…".to_owned())
    }

    /// A JSON value as keys, types and the listed words.
    fn shape(&mut self, key: Option<&str>, value: &Value) -> Value {
        let known = key.and_then(|key| NAMES.iter().find(|known| **known == key)).copied();
        let is = |list: &[&str]| known.is_some_and(|known| list.contains(&known));
        match value {
            Value::Object(members) => {
                let mut shape = Map::new();
                for (name, member) in members {
                    let shown = match NAMES.contains(&name.as_str()) {
                        true => name.clone(),
                        false => {
                            self.unlisted.insert(name.clone());
                            self.label("key", name)
                        }
                    };
                    shape.insert(shown, self.shape(Some(name), member));
                }
                Value::Object(shape)
            }
            Value::Array(items) => Value::Array(items.first().map(|item| self.shape(None, item)).into_iter().collect()),
            Value::String(text) if is(WORDED) && WORDS.contains(&text.as_str()) => value.clone(),
            Value::String(text) if is(SECONDS) && is_number(text) => value.clone(),
            Value::String(text) if is(LABELLED) || is(WORDED) => {
                Value::from(self.label(known.unwrap_or("value"), text))
            }
            Value::Number(number) if is(SECONDS) && is_number(&number.to_string()) => value.clone(),
            Value::Bool(_) if known == Some("success") => value.clone(),
            Value::String(_) => Value::from("string"),
            Value::Number(number) if number.is_f64() => Value::from("number"),
            Value::Number(_) => Value::from("integer"),
            Value::Bool(_) => Value::from("boolean"),
            Value::Null => Value::Null,
        }
    }
}

/// The word of a protocol error, or that it is another.
pub(super) fn error_word(text: &str) -> &str {
    if WORDS.contains(&text) { text } else { "another error" }
}

/// The scheme of a challenge and its `error`, where both are listed (RFC 6750 section 3).
fn challenge(value: &str) -> String {
    let scheme = ["Basic", "Bearer"].into_iter().find(|scheme| value.starts_with(scheme)).unwrap_or("another scheme");
    let error = value.split_once("error=\"").and_then(|(_, rest)| rest.split('"').next());
    match error {
        Some(error) => format!("{scheme} error={}", error_word(error)),
        None => scheme.to_owned(),
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.len() <= MOST_DIGITS && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Header;
    use keyfob_protocol::Secret;

    #[test]
    fn what_is_on_no_list_is_a_label_or_a_type_and_equal_values_stay_equal() {
        let mut redaction = Redaction::default();
        let body = serde_json::json!({
            "access_token": "s3cret", "refresh_token": "s3cret", "error": "joe@example.com", "expires_in": 3600, "ttl": "3600",
            "user": {"id": 123_456, "email": "joe@example.com", "Joe Doe": true}, "success": true, "errorCode": "invalid-auth-code",
            "expires_at": "2025-01-27T13:59:59Z", "notes": [{"id": 1}, {"name": "Joe"}],
        });
        let response = HttpResponse {
            status: 200,
            headers: vec![
                Header::received("X-Served-By", "host-17"),
                Header::received("X-RateLimit-Context", "joe@example.com"),
                Header::received("Content-Type", "application/json; charset=utf-8"),
                Header::received("WWW-Authenticate", "Bearer realm=\"joe\", error=\"invalid_token\""),
            ],
            body: Secret::new(body.to_string().into_bytes()),
        };
        let shape = serde_json::to_value(redaction.answer(&response)).expect("JSON");
        assert_eq!(
            shape["body"],
            serde_json::json!({
                "access_token": "<access_token:1>", "refresh_token": "<access_token:1>", "error": "<header:1>", "expires_in": 3600,
                "ttl": "3600", "user": {"id": "integer", "email": "string", "<key:1>": "boolean"}, "success": true,
                "errorCode": "invalid-auth-code", "expires_at": "string", "notes": [{"id": "integer"}],
            })
        );
        assert_eq!(shape["headers"]["www-authenticate"][0], "Bearer error=invalid_token");
        assert_eq!(shape["headers"]["content-type"][0], "application/json");
        assert_eq!(shape["headers"].get("x-served-by"), None);
        assert_eq!(redaction.unlisted.iter().collect::<Vec<_>>(), ["Joe Doe"]);
    }
}
