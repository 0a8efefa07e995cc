//! One page of a collection (matrix SB-03).
//!
//! The cursor holds where the page ended (sort key and id of its last record) and the query it belongs to, so a walk meets
//! every record once, however many are added meanwhile, and a client may follow with `next` alone. It grants nothing: what a
//! caller may see is filtered before paging.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::error::{ApiError, quoted};
use super::query::Query;

const DEFAULT_LIMIT: i64 = 10;
const MAX_LIMIT: i64 = 100;
const MAX_OFFSET: i64 = i32::MAX as i64;

/// What kind of list it is.
pub(super) struct Collection {
    /// The name in the path, in `_metadata` and above the records.
    pub(super) name: &'static str,
    /// What it may be sorted by.
    pub(super) sortable: &'static [&'static str],
    /// What `fields` may name; empty if the collection does not take it.
    pub(super) fields: &'static [&'static str],
}

/// A record as it is answered.
pub(super) type Shown = Map<String, Value>;

/// Where a page begins, and the query it belongs to.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cursor {
    /// Sort key of the last record seen.
    k: Key,
    /// Its id.
    i: i64,
    /// How many were seen.
    o: i64,
    /// The query, without limit, offset and next.
    q: String,
}

/// A value to sort by.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
enum Key {
    Nothing,
    Number(i64),
    Text(String),
}

impl Key {
    fn of(record: &Shown, field: &str) -> Key {
        match record.get(field) {
            Some(Value::Number(number)) => number.as_i64().map_or(Key::Nothing, Key::Number),
            Some(Value::String(text)) => Key::Text(text.to_lowercase()),
            Some(Value::Bool(flag)) => Key::Number((*flag).into()),
            _ => Key::Nothing,
        }
    }
}

/// A page to come: parameters read, records not yet. Two steps, so that the filters of a collection are taken from the same
/// query, the cursor's, as the order.
pub(super) struct Paging {
    limit: i64,
    offset: i64,
    after: Option<(Key, i64)>,
    /// The filters.
    pub(super) query: Query,
}

impl Paging {
    /// Reads `limit`, `offset` and `next`. With `next`, the cursor's query is taken and `offset` is not.
    pub(super) fn read(query: Query) -> Result<Paging, ApiError> {
        let limit = query.whole("limit", 1, MAX_LIMIT)?;
        let offset = query.whole("offset", 0, MAX_OFFSET)?;
        let Some(next) = query.one("next")? else {
            let (limit, offset) = (limit.unwrap_or(DEFAULT_LIMIT), offset.unwrap_or(0));
            return Ok(Paging { limit, offset, after: None, query });
        };
        let cursor = URL_SAFE_NO_PAD.decode(next).ok().and_then(|bytes| serde_json::from_slice::<Cursor>(&bytes).ok());
        let Some(cursor) = cursor else {
            let sent = quoted(next);
            return Err(ApiError::bad_request(format!(
                "\"next\" must be a value from _metadata.next, unchanged, not {sent}."
            )));
        };
        let query = Query::parse(&cursor.q)?;
        Ok(Paging { limit: limit.unwrap_or(DEFAULT_LIMIT), offset: cursor.o, after: Some((cursor.k, cursor.i)), query })
    }

    /// The answer: sorts the records, cuts the page out and says how to go on.
    pub(super) fn answer(self, origin: &str, collection: &Collection, records: Vec<Shown>) -> Result<Value, ApiError> {
        let (field, descending) = self.sort(collection)?;
        let fields = self.fields(collection)?;
        let total = records.len();
        let mut keyed: Vec<((Key, i64), Shown)> = records
            .into_iter()
            .map(|record| ((Key::of(&record, field), record.get("id").and_then(Value::as_i64).unwrap_or(0)), record))
            .collect();
        keyed.sort_by(|(a, _), (b, _)| if descending { b.cmp(a) } else { a.cmp(b) });
        let start = match &self.after {
            Some(after) => keyed.partition_point(|(key, _)| if descending { key >= after } else { key <= after }),
            None => usize::try_from(self.offset).unwrap_or(usize::MAX).min(total),
        };
        let end = total.min(start + usize::try_from(self.limit).unwrap_or(0));

        let next = match keyed[start..end].last() {
            Some(((key, id), _)) if end < total => {
                let q = self.query.without(&["limit", "offset", "next"]);
                let cursor = Cursor { k: key.clone(), i: *id, o: self.offset + (end - start) as i64, q };
                Some(URL_SAFE_NO_PAD.encode(serde_json::to_vec(&cursor).expect("invariant: a cursor is plain data")))
            }
            _ => None,
        };
        // Follow Up Boss's own example has the doubled ampersand; clients that split on it by hand must cope.
        let next_link = next.as_ref().map(|next| {
            let kept = self.query.without(&["limit", "offset", "next"]);
            let kept = if kept.is_empty() { kept } else { format!("&{kept}") };
            format!("{origin}/v1/{}?limit={}{kept}&&next={next}", collection.name, self.limit)
        });
        let page: Vec<Value> =
            keyed.drain(start..end).map(|(_, record)| Value::Object(chosen(record, fields.as_deref()))).collect();
        Ok(json!({
            "_metadata": {
                "collection": collection.name,
                "offset": self.offset,
                "limit": self.limit,
                "total": total,
                "next": next,
                "nextLink": next_link,
            },
            (collection.name): page,
        }))
    }

    /// The field and whether it descends; newest id first without `sort`.
    fn sort(&self, collection: &Collection) -> Result<(&'static str, bool), ApiError> {
        let Some(sort) = self.query.one("sort")? else { return Ok(("id", true)) };
        let (name, descending) = sort.strip_prefix('-').map_or((sort, false), |name| (name, true));
        match collection.sortable.iter().find(|field| **field == name) {
            Some(field) => Ok((field, descending)),
            None => {
                let allowed = collection.sortable.join(", ");
                let sent = quoted(sort);
                let message =
                    format!("\"sort\" must be one of {allowed}, with a minus before it for descending, not {sent}.");
                Err(ApiError::bad_request(message))
            }
        }
    }

    /// The fields asked for; `None` for all.
    fn fields(&self, collection: &Collection) -> Result<Option<Vec<String>>, ApiError> {
        let Some(fields) = self.query.one("fields")?.filter(|_| !collection.fields.is_empty()) else { return Ok(None) };
        let names: Vec<&str> = fields.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
        if names.contains(&"allFields") {
            return Ok(None);
        }
        // Custom fields are an account's own; this one has none, which is no error.
        let known = |name: &str| collection.fields.contains(&name) || name.starts_with("custom");
        if let Some(unknown) = names.iter().find(|name| !known(name)) {
            let allowed = collection.fields.join(", ");
            let message = format!("\"fields\" may name allFields or {allowed}, not {}.", quoted(unknown));
            return Err(ApiError::bad_request(message));
        }
        Ok(Some(names.into_iter().map(str::to_owned).collect()))
    }
}

/// The record with the chosen fields and its id.
fn chosen(mut record: Shown, fields: Option<&[String]>) -> Shown {
    if let Some(fields) = fields {
        record.retain(|name, _| name == "id" || fields.contains(name));
    }
    record
}

/// A record as an object.
pub(super) fn shown(record: &impl Serialize) -> Shown {
    match serde_json::to_value(record) {
        Ok(Value::Object(object)) => object,
        _ => unreachable!("invariant: records are plain structures"),
    }
}
