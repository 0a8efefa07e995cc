//! Values as columns, both ways. A column that makes no sense is an error that names it, never a guess.

use std::fmt::Display;

use keyfob_protocol::Timestamp;
use rusqlite::types::Type;
use rusqlite::{Error, Result, Row, RowIndex};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// An error for a value that this build did not write.
pub(crate) fn senseless(column: &'static str, value: impl Display) -> Error {
    Error::FromSqlConversionFailure(0, Type::Null, format!("column {column} holds {value}").into())
}

pub(crate) fn time(row: &Row<'_>, column: &'static str) -> Result<Timestamp> {
    row.get(column).map(Timestamp)
}

pub(crate) fn optional_time(row: &Row<'_>, column: &'static str) -> Result<Option<Timestamp>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(Timestamp))
}

/// The seconds of a time that may be missing.
pub(crate) fn seconds(time: Option<Timestamp>) -> Option<i64> {
    time.map(|time| time.0)
}

/// One of the values of an enum, by its stable name.
pub(crate) fn named<T: Copy>(
    row: &Row<'_>,
    column: impl RowIndex,
    all: impl IntoIterator<Item = T>,
    name: impl Fn(T) -> &'static str,
) -> Result<T> {
    let text = row.get_ref(column)?.as_str()?;
    all.into_iter().find(|value| name(*value) == text).ok_or_else(|| senseless("with a fixed set of values", text))
}

pub(crate) fn from_json<T: DeserializeOwned>(row: &Row<'_>, column: &'static str) -> Result<T> {
    serde_json::from_str(row.get_ref(column)?.as_str()?).map_err(|error| senseless(column, error))
}

pub(crate) fn to_json(column: &'static str, value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| senseless(column, error))
}
