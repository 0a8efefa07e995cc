//! The token endpoint's success, spelled in both shapes by the authority and read in both by the client.

use crate::token_request::ReplyShape;
use crate::{Secret, Timestamp};
use serde::{Deserialize, Deserializer, Serialize};
use thiserror::Error;

/// What a success carries.
#[derive(Debug)]
pub struct IssuedTokens {
    /// The access token.
    pub access_token: Secret<String>,
    /// The refresh token; none where an app got the access token for itself (RFC 6749 section 4.4.3).
    pub refresh_token: Option<Secret<String>>,
    /// When the access token was issued.
    pub issued_at: Timestamp,
    /// Its lifetime in seconds.
    pub expires_in: i64,
    /// Spelled in the RFC shape only, where a scope was requested or differs (RFC 6749 section 5.1).
    pub scope: Option<String>,
}

#[derive(Serialize)]
struct RfcBody<'a> {
    access_token: &'a str,
    token_type: &'static str,
    expires_in: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'a str>,
}

#[derive(Serialize)]
struct LegacyBody<'a> {
    success: bool,
    data: LegacyData<'a>,
}

#[derive(Serialize)]
struct LegacyData<'a> {
    access_token: &'a str,
    token_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<&'a str>,
    ttl: String,
    issued_at: String,
    expires_at: String,
}

impl IssuedTokens {
    /// The JSON body in this shape.
    pub fn to_json(&self, shape: ReplyShape) -> String {
        let access_token = self.access_token.expose().as_str();
        let refresh_token = self.refresh_token.as_ref().map(|token| token.expose().as_str());
        let json = match shape {
            ReplyShape::Rfc6749 => serde_json::to_string(&RfcBody {
                access_token,
                token_type: "Bearer",
                expires_in: self.expires_in,
                refresh_token,
                scope: self.scope.as_deref(),
            }),
            ReplyShape::Legacy => serde_json::to_string(&LegacyBody {
                success: true,
                data: LegacyData {
                    access_token,
                    token_type: "bearer",
                    refresh_token,
                    ttl: self.expires_in.to_string(),
                    issued_at: self.issued_at.to_utc(),
                    expires_at: self.issued_at.plus(self.expires_in).to_utc(),
                },
            }),
        };
        json.expect("invariant: bodies are plain strings and numbers")
    }
}

/// What a client read from a success, whichever shape it had.
#[derive(Clone, Debug)]
pub struct ReceivedTokens {
    /// The access token.
    pub access_token: Secret<String>,
    /// The refresh token; some authorities leave it out when it did not change.
    pub refresh_token: Option<Secret<String>>,
    /// Its lifetime in seconds, where the authority says it.
    pub expires_in: Option<i64>,
    /// The granted scope, where the authority says it.
    pub scope: Option<String>,
}

/// What a client read from an error, whichever shape it had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedError {
    /// `error`, or the legacy `errorCode`.
    pub code: String,
    /// `error_description`, or the legacy `errorMessage`.
    pub description: Option<String>,
    /// The legacy `errorDetails`: for missing parameters, their names. Last, and kept with them, the reason; see [`ReceivedError::reason`].
    pub details: Vec<String>,
}

/// What stands before the reason among the details.
const REASON: &str = "reason: ";
/// The longest word that is taken for a reason.
const LONGEST_REASON: usize = 64;

impl ReceivedError {
    /// The authority's stable word for why it refused, where it says one: of lower-case letters, digits and underscores, 64 at most. Not every
    /// authority knows the member, and the words of [`Reason`](crate::reason::Reason) are Keyfob's.
    pub fn reason(&self) -> Option<&str> {
        self.details.iter().rev().find_map(|detail| detail.strip_prefix(REASON)).filter(|word| is_reason(word))
    }
}

/// Whether a text can be a reason: anything else is not shown to people or kept.
pub(crate) fn is_reason(word: &str) -> bool {
    let letters = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    (1..=LONGEST_REASON).contains(&word.len()) && word.bytes().all(letters)
}

/// Why a body is not a token reply.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub enum ReplyError {
    /// Not JSON: an HTML page of a proxy, an empty body, cut off.
    #[error("the reply is not JSON")]
    NotJson,
    /// JSON without an access token.
    #[error("the reply has no access_token")]
    NoAccessToken,
    /// A token type that this client cannot use.
    #[error("the reply's token_type is not bearer")]
    TokenType,
}

#[derive(Deserialize)]
struct AnyBody {
    #[serde(default)]
    data: Option<AnyTokens>,
    #[serde(flatten)]
    flat: AnyTokens,
}

#[derive(Deserialize)]
struct AnyTokens {
    #[serde(default, deserialize_with = "text")]
    access_token: Option<String>,
    #[serde(default, deserialize_with = "text")]
    refresh_token: Option<String>,
    #[serde(default, deserialize_with = "text")]
    token_type: Option<String>,
    #[serde(default, deserialize_with = "seconds")]
    expires_in: Option<i64>,
    #[serde(default, deserialize_with = "seconds")]
    ttl: Option<i64>,
    #[serde(default, deserialize_with = "text")]
    scope: Option<String>,
}

/// Reads a success in either shape (matrix CL-03). Unknown keys are ignored, numbers may be strings.
pub fn read_success(body: &[u8]) -> Result<ReceivedTokens, ReplyError> {
    let body: AnyBody = serde_json::from_slice(body).map_err(|_| ReplyError::NotJson)?;
    let tokens = body.data.filter(|data| data.access_token.is_some()).unwrap_or(body.flat);
    let access_token = tokens.access_token.filter(|token| !token.is_empty()).ok_or(ReplyError::NoAccessToken)?;
    if !tokens.token_type.is_some_and(|kind| kind.eq_ignore_ascii_case("bearer")) {
        return Err(ReplyError::TokenType);
    }
    Ok(ReceivedTokens {
        access_token: Secret::new(access_token),
        refresh_token: tokens.refresh_token.filter(|token| !token.is_empty()).map(Secret::new),
        expires_in: tokens.expires_in.or(tokens.ttl),
        scope: tokens.scope,
    })
}

/// Reads an error in either shape; `None` if the body is neither.
pub fn read_error(body: &[u8]) -> Option<ReceivedError> {
    let json: serde_json::Value = serde_json::from_slice(body).ok()?;
    let text = |key: &str| json.get(key).and_then(|value| value.as_str()).map(str::to_owned);
    let code = text("error").or_else(|| text("errorCode"))?;
    let description = text("error_description").or_else(|| text("errorMessage"));
    let details = json.get("errorDetails").and_then(|details| details.as_array());
    let details = details.into_iter().flatten().filter_map(|detail| detail.as_str().map(str::to_owned));
    let reason = text("reason").filter(|word| is_reason(word)).map(|word| format!("{REASON}{word}"));
    // What the authority puts among its own details is no reason.
    let details = details.filter(|detail| !detail.starts_with(REASON)).chain(reason).collect();
    Some(ReceivedError { code, description, details })
}

/// A string; any other JSON type counts as absent.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(value.as_str().map(str::to_owned))
}

/// A whole number of seconds, as a number or as a string of digits; anything else counts as absent.
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    let number = value.as_i64().or_else(|| value.as_f64().filter(|f| f.is_finite()).map(|f| f as i64));
    let number = number.or_else(|| value.as_str().and_then(|text| text.trim().parse().ok()));
    Ok(number.filter(|seconds| *seconds >= 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn issued() -> IssuedTokens {
        IssuedTokens {
            access_token: Secret::from("at"),
            refresh_token: Some(Secret::from("rt")),
            issued_at: Timestamp(1_738_022_399),
            expires_in: 3600,
            scope: None,
        }
    }

    #[test]
    fn tk_01_the_legacy_envelope_is_exact() {
        assert_eq!(
            issued().to_json(ReplyShape::Legacy),
            r#"{"success":true,"data":{"access_token":"at","token_type":"bearer","refresh_token":"rt","ttl":"3600","issued_at":"2025-01-27T23:59:59Z","expires_at":"2025-01-28T00:59:59Z"}}"#
        );
    }

    #[test]
    fn tk_02_the_rfc_reply_is_exact() {
        assert_eq!(
            issued().to_json(ReplyShape::Rfc6749),
            r#"{"access_token":"at","token_type":"Bearer","expires_in":3600,"refresh_token":"rt"}"#
        );
    }

    #[test]
    fn cl_03_both_success_shapes_read_into_one_type() {
        for shape in [ReplyShape::Legacy, ReplyShape::Rfc6749] {
            let read = read_success(issued().to_json(shape).as_bytes()).expect("own output");
            assert_eq!(read.access_token.expose(), "at");
            assert_eq!(read.refresh_token.expect("present").expose(), "rt");
            assert_eq!(read.expires_in, Some(3600));
        }
        let odd = br#"{"token_type":"BEARER","access_token":"a","expires_in":"60","id_token":1,"refresh_token":null}"#;
        let read = read_success(odd).expect("tolerated");
        assert_eq!((read.expires_in, read.refresh_token.is_none()), (Some(60), true));
        for (body, error) in [
            (&b"<html>502</html>"[..], ReplyError::NotJson),
            (b"", ReplyError::NotJson),
            (b"[]", ReplyError::NotJson),
            (br#"{"success":true,"data":{}}"#, ReplyError::NoAccessToken),
            (br#"{"access_token":7,"token_type":"bearer"}"#, ReplyError::NoAccessToken),
            (br#"{"access_token":"a","token_type":"mac"}"#, ReplyError::TokenType),
            (br#"{"access_token":"a"}"#, ReplyError::TokenType),
        ] {
            assert_eq!(read_success(body).expect_err("not a reply"), error);
        }
    }

    #[test]
    fn cl_03_both_error_shapes_read_into_one_type() {
        let rfc = read_error(br#"{"error":"invalid_grant","error_description":"d"}"#).expect("an error");
        assert_eq!((rfc.code.as_str(), rfc.description.as_deref()), ("invalid_grant", Some("d")));
        let legacy =
            br#"{"success":false,"errorMessage":"m","errorDetails":["code"],"errorCode":"missing-required-params"}"#;
        let legacy = read_error(legacy).expect("an error");
        assert_eq!((legacy.code.as_str(), legacy.details), ("missing-required-params", vec!["code".to_owned()]));
        assert_eq!(read_error(b"<html>"), None);
    }

    #[test]
    fn cl_06_a_reason_is_read_where_it_is_a_word() {
        let reason = |body: &str| read_error(body.as_bytes()).expect("an error").reason().map(str::to_owned);
        let both = [
            r#"{"error":"invalid_grant","reason":"revoked_by_user"}"#,
            r#"{"success":false,"errorCode":"invalid-refresh-token","reason":"revoked_by_user"}"#,
        ];
        both.iter().for_each(|body| assert_eq!(reason(body).as_deref(), Some("revoked_by_user")));
        let long = "x".repeat(65);
        for odd in ["", "Two words", "ünï", "<b>", &long] {
            assert_eq!(reason(&format!(r#"{{"error":"invalid_grant","reason":"{odd}"}}"#)), None, "{odd:?}");
        }
        assert_eq!(reason(r#"{"error":"invalid_grant","reason":7}"#), None);
        assert_eq!(reason(r#"{"errorCode":"x","errorDetails":["reason: idle_expired"]}"#), None, "not a detail");
    }

    proptest! {
        #[test]
        fn no_body_panics(body in "\\PC{0,200}") {
            let _ = read_success(body.as_bytes());
            let _ = read_error(body.as_bytes());
        }
    }
}
