//! Reading an export: JSON (an array, or one object a line) or CSV (comma, semicolon or tab, with a heading).

use super::columns::{Column, ColumnsUnclear, Mapping};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use thiserror::Error;

/// Where something stands in an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A line, from 1.
    Line(u64),
    /// An item of a JSON array, from 1.
    Item(u64),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Line(number) => write!(f, "line {number}"),
            Place::Item(number) => write!(f, "item {number}"),
        }
    }
}

/// The whole export cannot be read. Says nothing of what is in it.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum ExportUnreadable {
    /// Not text.
    #[error("the export is not UTF-8 text")]
    NotText,
    /// There is nothing in it.
    #[error("the export is empty")]
    Empty,
    /// A JSON array that is none.
    #[error("the export begins like a JSON array and breaks off or goes wrong at line {line}, column {column}")]
    Json {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
    /// It cannot be told which column is which.
    #[error(transparent)]
    Columns(#[from] ColumnsUnclear),
    /// A column that nothing can be imported without.
    #[error("no column is {0}; there are {1}. Say which by --map COLUMN={0}")]
    Missing(&'static str, String),
}

/// A line that cannot be read: the column, where one is to blame, and what is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unreadable {
    pub(super) column: Option<String>,
    pub(super) reason: String,
}

/// The values of one line.
pub(super) type Values = BTreeMap<Column, String>;

/// An export, line by line.
pub struct Export(pub(super) Vec<(Place, Result<Values, Unreadable>)>);

impl Export {
    /// Reads an export.
    ///
    /// # Errors
    /// [`ExportUnreadable`]. A single line that cannot be read is none: the import reports it.
    pub fn read(bytes: &[u8], mapping: &Mapping) -> Result<Export, ExportUnreadable> {
        let text = std::str::from_utf8(bytes).map_err(|_| ExportUnreadable::NotText)?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        match text.trim_start().chars().next() {
            None => Err(ExportUnreadable::Empty),
            Some('[') => array(text, mapping),
            Some('{') => match list_of(text) {
                Some(items) => numbered(items, mapping),
                None => objects(text, mapping),
            },
            Some(_) => table(text, mapping),
        }
    }

    /// How many lines it has.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn array(text: &str, mapping: &Mapping) -> Result<Export, ExportUnreadable> {
    let items: Vec<Value> = serde_json::from_str(text)
        .map_err(|error| ExportUnreadable::Json { line: error.line(), column: error.column() })?;
    numbered(items, mapping)
}

/// The list of an export that is one object around it, such as `{"users": […]}`.
fn list_of(text: &str) -> Option<Vec<Value>> {
    let Ok(Value::Object(whole)) = serde_json::from_str(text) else { return None };
    let mut lists = whole.into_iter().filter_map(|(_, value)| match value {
        Value::Array(items) if items.iter().any(Value::is_object) => Some(items),
        _ => None,
    });
    let list = lists.next()?;
    lists.next().is_none().then_some(list)
}

fn numbered(items: Vec<Value>, mapping: &Mapping) -> Result<Export, ExportUnreadable> {
    json((1..).map(Place::Item).zip(items.into_iter().map(Ok)), mapping)
}

fn objects(text: &str, mapping: &Mapping) -> Result<Export, ExportUnreadable> {
    let lines = (1..).map(Place::Line).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    let read = |line| {
        serde_json::from_str(line).map_err(|error: serde_json::Error| Unreadable {
            column: None,
            reason: format!("this is no JSON, from character {} on", error.column()),
        })
    };
    json(lines.map(|(place, line)| (place, read(line))), mapping)
}

fn json(
    items: impl Iterator<Item = (Place, Result<Value, Unreadable>)>,
    mapping: &Mapping,
) -> Result<Export, ExportUnreadable> {
    let items: Vec<_> = items.collect();
    let objects = items.iter().filter_map(|(_, item)| item.as_ref().ok()?.as_object());
    mapping.check(objects.flat_map(|object| object.keys().map(String::as_str)))?;
    let mut lines = Vec::with_capacity(items.len());
    for (place, item) in items {
        let line = match item {
            Ok(Value::Object(object)) => {
                let columns = mapping.read(object.keys().map(String::as_str))?;
                let fields =
                    object.into_iter().zip(columns).filter_map(|((name, value), column)| Some((name, value, column?)));
                let values = fields.filter_map(|(name, value, column)| match plain(value) {
                    Ok(text) => text.map(|text| Ok((column, text))),
                    Err(reason) => Some(Err(Unreadable { column: Some(name), reason: reason.to_owned() })),
                });
                values.collect()
            }
            Ok(_) => Err(Unreadable { column: None, reason: "this is no JSON object".to_owned() }),
            Err(unreadable) => Err(unreadable),
        };
        lines.push((place, line));
    }
    Ok(Export(lines))
}

/// A value as text. A list is a list of scopes.
fn plain(value: Value) -> Result<Option<String>, &'static str> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text)),
        Value::Number(number) => Ok(Some(number.to_string())),
        Value::Array(items) => {
            let words: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
            words.map(|words| Some(words.join(" "))).ok_or("a list of something else than text")
        }
        Value::Bool(_) | Value::Object(_) => Err("neither text nor a number"),
    }
}

fn table(text: &str, mapping: &Mapping) -> Result<Export, ExportUnreadable> {
    let heading = text.trim_start().lines().next().unwrap_or_default();
    let delimiter = [b',', b';', b'\t'];
    let delimiter = delimiter.into_iter().max_by_key(|mark| heading.bytes().filter(|byte| byte == mark).count());
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter.unwrap_or(b','))
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let names: Vec<String> = match reader.headers() {
        Ok(names) => names.iter().map(str::to_owned).collect(),
        Err(_) => return Err(ExportUnreadable::NotText),
    };
    mapping.check(names.iter().map(String::as_str))?;
    let columns = mapping.read(names.iter().map(String::as_str))?;
    if !columns.contains(&Some(Column::Id)) {
        // The names of columns are no secrets, but a file without a heading begins with some.
        let shown = names.iter().filter(|name| name.len() <= 24 && !name.contains(char::is_numeric));
        let shown = shown.map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ");
        return Err(ExportUnreadable::Missing(
            "id",
            if shown.is_empty() { "none that could be shown".to_owned() } else { shown },
        ));
    }
    let (mut lines, mut line_of) = (Vec::new(), Lines::of(text));
    for record in reader.records() {
        let Ok(record) = record else { return Err(ExportUnreadable::NotText) };
        let place = Place::Line(record.position().map_or(0, |at| line_of.at(at)));
        let line = match record.len() == names.len() {
            true => Ok(columns
                .iter()
                .zip(&record)
                .filter(|(_, value)| !value.is_empty())
                .filter_map(|(column, value)| Some(((*column)?, value.to_owned())))
                .collect()),
            false => {
                let reason = format!("{} values below {} headings", record.len(), names.len());
                Err(Unreadable { column: None, reason })
            }
        };
        lines.push((place, line));
    }
    Ok(Export(lines))
}

/// Counts lines on the way through a text, each byte once.
struct Lines<'t> {
    text: &'t [u8],
    counted: usize,
    line: u64,
}

impl<'t> Lines<'t> {
    fn of(text: &'t str) -> Lines<'t> {
        Lines { text: text.as_bytes(), counted: 0, line: 1 }
    }

    /// The line of a record, which lies behind those that were asked for before. Its position may still be at the end of the line before, or at
    /// empty lines.
    fn at(&mut self, at: &csv::Position) -> u64 {
        let before = usize::try_from(at.byte()).unwrap_or(usize::MAX).clamp(self.counted, self.text.len());
        let skipped = self.text[before..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        let passed = &self.text[self.counted..before + skipped];
        self.line += passed.iter().filter(|byte| **byte == b'\n').count() as u64;
        self.counted = before + skipped;
        self.line
    }
}
