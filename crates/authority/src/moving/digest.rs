//! A digest over the rows of a table in the order of their keys, made the same way of rows from any store.

use super::{Row, Table, Value};
use aws_lc_rs::digest::{Context, SHA256};

/// SHA-256 over table, columns and rows. Each value goes in with its kind and length, so that no two lists of rows give the same bytes.
pub struct Digest {
    context: Context,
    rows: u64,
}

impl Digest {
    /// Of no rows yet.
    pub fn of(table: &Table) -> Digest {
        let mut digest = Digest { context: Context::new(&SHA256), rows: 0 };
        digest.sized(b'#', table.name.as_bytes());
        for column in table.columns {
            digest.sized(b'|', column.name.as_bytes());
        }
        digest
    }

    /// Takes in rows that follow those before.
    pub fn add(&mut self, rows: &[Row]) {
        for row in rows {
            self.context.update(b"-");
            for value in row {
                match value {
                    Value::Null => self.context.update(b"n"),
                    Value::Int(number) => self.sized(b'i', &number.to_be_bytes()),
                    Value::Text(text) => self.sized(b't', text.as_bytes()),
                    Value::Blob(bytes) => self.sized(b'b', bytes),
                    Value::Bool(yes) => self.sized(b'y', &[u8::from(*yes)]),
                }
            }
        }
        self.rows += rows.len() as u64;
    }

    /// How many rows, and the digest in hexadecimal.
    pub fn finish(self) -> (u64, String) {
        let digest = self.context.finish();
        (self.rows, digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect())
    }

    fn sized(&mut self, kind: u8, bytes: &[u8]) {
        self.context.update(&[kind]);
        self.context.update(&(bytes.len() as u64).to_be_bytes());
        self.context.update(bytes);
    }
}
