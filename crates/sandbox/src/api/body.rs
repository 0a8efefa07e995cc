//! JSON bodies, read field by field, so that a refusal names the field and what it may be.

use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use http::StatusCode;
use serde_json::{Map, Value};

use super::error::{ApiError, quoted};

/// Longest short text (names, subjects), in characters.
const SHORT: usize = 500;

/// A JSON object.
#[derive(Clone, Debug)]
pub(super) struct Body {
    object: Map<String, Value>,
    /// Where it stands in the whole, such as `person.`.
    at: String,
}

impl Body {
    fn parse(bytes: &[u8]) -> Result<Body, ApiError> {
        match serde_json::from_slice(bytes) {
            Ok(Value::Object(object)) => Ok(Body { object, at: String::new() }),
            Ok(_) => Err(ApiError::bad_request("The body must be a JSON object.")),
            Err(_) if bytes.is_empty() => Err(ApiError::bad_request("The body is empty; a JSON object is needed.")),
            Err(error) => Err(ApiError::bad_request(format!("The body is not JSON: {error}."))),
        }
    }

    fn wrong(&self, name: &str, must: &str) -> ApiError {
        ApiError::bad_request(format!("\"{}{name}\" must be {must}.", self.at))
    }

    /// The value, unless it is absent or null.
    pub(super) fn value(&self, name: &str) -> Option<&Value> {
        self.object.get(name).filter(|value| !value.is_null())
    }

    /// Whether the field is there and null, which asks to clear it.
    pub(super) fn clears(&self, name: &str) -> bool {
        self.object.get(name).is_some_and(Value::is_null)
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<String>, ApiError> {
        self.text_up_to(name, SHORT)
    }

    pub(super) fn text_up_to(&self, name: &str, longest: usize) -> Result<Option<String>, ApiError> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::String(text)) if text.chars().count() <= longest => Ok(Some(text.clone())),
            Some(_) => Err(self.wrong(name, &format!("text of at most {longest} characters"))),
        }
    }

    /// Text that is there and not blank.
    pub(super) fn needed_text(&self, name: &str) -> Result<String, ApiError> {
        let text = self.text(name)?.filter(|text| !text.trim().is_empty());
        text.ok_or_else(|| self.wrong(name, "given and not empty"))
    }

    /// One of a list of words.
    pub(super) fn one_of(&self, name: &str, allowed: &[&str]) -> Result<Option<String>, ApiError> {
        match self.text(name)? {
            Some(word) if !allowed.contains(&word.as_str()) => {
                Err(self.wrong(name, &format!("one of {}, not {}", allowed.join(", "), quoted(&word))))
            }
            word => Ok(word),
        }
    }

    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, ApiError> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => Err(self.wrong(name, "true or false")),
        }
    }

    /// A whole number, not negative.
    pub(super) fn whole(&self, name: &str) -> Result<Option<i64>, ApiError> {
        let Some(value) = self.value(name) else { return Ok(None) };
        match value.as_i64() {
            Some(number) if number >= 0 => Ok(Some(number)),
            _ => Err(self.wrong(name, "a whole number")),
        }
    }

    /// A list of texts.
    pub(super) fn texts(&self, name: &str) -> Result<Option<Vec<String>>, ApiError> {
        let must = "a list of at most 100 texts";
        let Some(list) = self.list(name, must)? else { return Ok(None) };
        let text = |value: &Value| value.as_str().filter(|text| text.chars().count() <= SHORT).map(str::to_owned);
        let texts: Option<Vec<String>> = list.iter().map(text).collect();
        texts.map(Some).ok_or_else(|| self.wrong(name, must))
    }

    /// A list of objects.
    pub(super) fn objects(&self, name: &str) -> Result<Option<Vec<Body>>, ApiError> {
        let must = "a list of at most 100 objects";
        let Some(list) = self.list(name, must)? else { return Ok(None) };
        let object = |(nth, value): (usize, &Value)| {
            Some(Body { object: value.as_object()?.clone(), at: format!("{}{name}[{nth}].", self.at) })
        };
        let objects: Option<Vec<Body>> = list.iter().enumerate().map(object).collect();
        objects.map(Some).ok_or_else(|| self.wrong(name, must))
    }

    fn list(&self, name: &str, must: &str) -> Result<Option<&Vec<Value>>, ApiError> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Array(list)) if list.len() <= 100 => Ok(Some(list)),
            Some(_) => Err(self.wrong(name, must)),
        }
    }

    /// An object within.
    pub(super) fn object(&self, name: &str) -> Result<Option<Body>, ApiError> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Object(object)) => Ok(Some(Body { object: object.clone(), at: format!("{}{name}.", self.at) })),
            Some(_) => Err(self.wrong(name, "an object")),
        }
    }

    /// A refusal of this field, for reasons of the caller's.
    pub(super) fn refuse(&self, name: &str, must: &str) -> ApiError {
        self.wrong(name, must)
    }
}

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Body, ApiError> {
        let bytes = Bytes::from_request(request, state).await.map_err(|rejection: BytesRejection| {
            let message = match rejection.status() {
                StatusCode::PAYLOAD_TOO_LARGE => "The body is larger than 256 KiB.",
                _ => "The body could not be read to its end.",
            };
            ApiError { status: rejection.status(), message: message.to_owned() }
        })?;
        Body::parse(&bytes)
    }
}
