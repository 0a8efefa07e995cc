//! Values as columns, both ways. A column that makes no sense is an error that names it, never a guess.

use std::fmt::Display;

use keyfob_protocol::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_postgres::Row;
use tokio_postgres::types::FromSql;

use crate::engine::Fault;

/// An error for a value that this build did not write.
pub(crate) fn senseless(column: &'static str, value: impl Display) -> Fault {
    Fault::Senseless { column, value: value.to_string() }
}

/// A column by its name.
pub(crate) fn get<'r, T: FromSql<'r>>(row: &'r Row, column: &'static str) -> Result<T, Fault> {
    Ok(row.try_get(column)?)
}

/// A column by its place.
pub(crate) fn at<'r, T: FromSql<'r>>(row: &'r Row, place: usize) -> Result<T, Fault> {
    Ok(row.try_get(place)?)
}

pub(crate) fn time(row: &Row, column: &'static str) -> Result<Timestamp, Fault> {
    get(row, column).map(Timestamp)
}

pub(crate) fn optional_time(row: &Row, column: &'static str) -> Result<Option<Timestamp>, Fault> {
    Ok(get::<Option<i64>>(row, column)?.map(Timestamp))
}

/// The seconds of a time that may be missing.
pub(crate) fn seconds(time: Option<Timestamp>) -> Option<i64> {
    time.map(|time| time.0)
}

/// Bytes of a fixed length.
pub(crate) fn bytes<const N: usize>(column: &'static str, value: &[u8]) -> Result<[u8; N], Fault> {
    value.try_into().map_err(|_| senseless(column, format_args!("{} bytes", value.len())))
}

/// A number that is stored wider than it is.
pub(crate) fn narrow<T: TryFrom<i64>>(column: &'static str, value: i64) -> Result<T, Fault> {
    T::try_from(value).map_err(|_| senseless(column, value))
}

/// One of the values of an enum, by its stable name.
pub(crate) fn named<T: Copy>(
    column: &'static str,
    text: &str,
    all: impl IntoIterator<Item = T>,
    name: impl Fn(T) -> &'static str,
) -> Result<T, Fault> {
    all.into_iter().find(|value| name(*value) == text).ok_or_else(|| senseless(column, text))
}

pub(crate) fn from_json<T: DeserializeOwned>(row: &Row, column: &'static str) -> Result<T, Fault> {
    serde_json::from_str(get(row, column)?).map_err(|error| senseless(column, error))
}

pub(crate) fn to_json(column: &'static str, value: &impl Serialize) -> Result<String, Fault> {
    serde_json::to_string(value).map_err(|error| senseless(column, error))
}

/// Whether a text can stand in a column at all: PostgreSQL has no NUL in a text, so that looking for one finds nothing.
pub(crate) fn is_storable(text: &str) -> bool {
    !text.contains('\0')
}
