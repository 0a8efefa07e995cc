//! Query parameters: strict, because a typing error that is ignored is found in production.

use std::convert::Infallible;

use axum::extract::{FromRequestParts, Path};
use http::request::Parts;
use keyfob_protocol::form::{self, Form};

use super::error::{ApiError, quoted};

/// The decoded parameters, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn parse(text: &str) -> Result<Query, ApiError> {
        let form = Form::parse(text.as_bytes())
            .map_err(|error| ApiError::bad_request(format!("The query string cannot be read: {error}.")))?;
        Ok(Query(form.pairs().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()))
    }

    /// A parameter that may appear once; empty counts as absent.
    pub(super) fn one(&self, name: &str) -> Result<Option<&str>, ApiError> {
        let mut values = self.0.iter().filter(|(found, _)| found == name);
        let first = values.next();
        if values.next().is_some() {
            return Err(ApiError::bad_request(format!("The parameter \"{name}\" may appear only once.")));
        }
        Ok(first.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty()))
    }

    /// A whole number between two bounds.
    pub(super) fn whole(&self, name: &str, low: i64, high: i64) -> Result<Option<i64>, ApiError> {
        let Some(text) = self.one(name)? else { return Ok(None) };
        let plain = text.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse() {
            Ok(number) if plain && (low..=high).contains(&number) => Ok(Some(number)),
            _ => {
                let sent = quoted(text);
                Err(ApiError::bad_request(format!(
                    "\"{name}\" must be a whole number from {low} to {high}, not {sent}."
                )))
            }
        }
    }

    /// `true` or `false`.
    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, ApiError> {
        match self.one(name)? {
            None => Ok(None),
            Some("true" | "1") => Ok(Some(true)),
            Some("false" | "0") => Ok(Some(false)),
            Some(other) => {
                Err(ApiError::bad_request(format!("\"{name}\" must be true or false, not {}.", quoted(other))))
            }
        }
    }

    /// Every parameter but these, encoded again.
    pub(super) fn without(&self, names: &[&str]) -> String {
        form::encode(
            self.0.iter().filter(|(name, _)| !names.contains(&name.as_str())).map(|(n, v)| (n.as_str(), v.as_str())),
        )
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Query, ApiError> {
        Query::parse(parts.uri.query().unwrap_or_default())
    }
}

/// The number at the end of a path, or `None` if it is none: then nothing has it.
pub(super) struct RecordId(pub(super) Option<i64>);

impl RecordId {
    /// The record that `find` finds, or a 404.
    pub(super) fn of<T>(&self, what: &str, find: impl FnOnce(i64) -> Option<T>) -> Result<T, ApiError> {
        self.0
            .and_then(find)
            .ok_or_else(|| ApiError::not_found(format!("There is no {what} with this id in the account.")))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for RecordId {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<RecordId, Infallible> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        Ok(RecordId(path.ok().and_then(|Path(text)| text.parse().ok())))
    }
}
