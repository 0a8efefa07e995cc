//! What the test of the databases of earlier versions shares, whichever engine they are of: the migrations, and rows for any schema.

use crate::moving::STORE;
use std::path::Path;

/// All migrations of a directory, in order; the version is the place, from 1 on.
pub fn migrations(directory: &Path) -> Vec<String> {
    let mut files: Vec<_> = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for (number, file) in (1..).zip(&files) {
        let name = file.file_name().unwrap().to_str().unwrap();
        assert!(name.starts_with(&format!("{number:04}_")), "{name} is not number {number}");
    }
    files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect()
}

/// The tables of a version: the name of each, and its columns with their kinds, the key first.
pub type Columns = Vec<(&'static str, Vec<(String, String)>)>;

/// The columns' names, separated by commas.
pub fn names(columns: &[(String, String)]) -> String {
    columns.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ")
}

/// What an engine calls its kinds of columns; any other is a truth value.
pub struct Kinds {
    /// Whole numbers.
    pub integer: &'static str,
    /// Text.
    pub text: &'static str,
    /// Bytes.
    pub bytes: &'static str,
    /// A literal of those, with `{}` in place of the hexadecimal digits.
    pub bytes_literal: &'static str,
}

impl Kinds {
    /// Statements that put three rows in each table, and one in the store's own.
    pub fn rows_for(&self, tables: &Columns) -> String {
        let mut sql = format!("DELETE FROM {}", STORE.name);
        for (table, columns) in tables {
            for number in if *table == STORE.name { 1..=1 } else { 1..=3 } {
                let values =
                    (0..).zip(columns).map(|(place, (name, kind))| self.literal(name, kind, place == 0, number));
                let values = values.collect::<Vec<_>>().join(", ");
                sql.push_str(&format!("; INSERT INTO {table} ({}) VALUES ({values})", names(columns)));
            }
        }
        sql
    }

    /// A literal that the schema takes: references lead to the first row, and no two rows have the same text or bytes.
    fn literal(&self, column: &str, kind: &str, is_key: bool, number: u32) -> String {
        match kind {
            _ if kind == self.integer && is_key => number.to_string(),
            _ if kind == self.integer => "1".to_owned(),
            _ if kind == self.text => format!("'{column} ''é'' {number}'"),
            _ if kind == self.bytes => self.bytes_literal.replace("{}", &format!("{number:02x}").repeat(16)),
            _ => "true".to_owned(),
        }
    }
}
