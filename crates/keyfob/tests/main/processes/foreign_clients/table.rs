//! The tables of `docs/interoperability.md` and `docs/differences.md`: each is written by the test whose run it tells of, and a difference
//! fails that test.

use super::installed::workspace;
use std::path::Path;

/// Set it, to anything, and the run writes its table instead of comparing it.
const RENEW: &str = "KEYFOB_RENEW";

/// Of clients, APIs and authorization servers.
pub(super) const INTEROPERABILITY: &str = "docs/interoperability.md";

/// One table.
pub(super) struct Table {
    /// Where it stands.
    pub(super) document: &'static str,
    /// Names it in the document.
    pub(super) name: &'static str,
    pub(super) head: &'static [&'static str],
    pub(super) rows: Vec<Vec<String>>,
}

impl Table {
    /// Compares it with the document, or writes it there.
    ///
    /// # Panics
    /// If they differ, with how to renew it.
    pub(super) fn must_stand_in_the_document(&self) {
        let path = workspace().join(self.document);
        let renew = std::env::var_os(RENEW).is_some();
        // Two tests may write at once.
        let lock = std::fs::File::open(&path).expect("the document");
        if renew {
            lock.lock().expect("a lock");
        }
        let document = std::fs::read_to_string(&path).expect("the document");
        let (start, end) = (format!("<!-- table: {} -->\n", self.name), "<!-- end of the table -->");
        let (before, rest) = document.split_once(&start).unwrap_or_else(|| panic!("no place for {}", self.name));
        let (stands, after) = rest.split_once(end).expect("its end");
        let is = self.markdown();
        if renew && stands != is {
            write(&path, &format!("{before}{start}{is}{end}{after}"));
            return;
        }
        let lines = |of: &str, other: &str| {
            let only = of.lines().filter(|line| !other.lines().any(|known| known == *line));
            only.collect::<Vec<_>>().join("\n")
        };
        assert!(
            stands == is,
            "{} says\n{}\nand the run\n{}\nIf the run is right: {RENEW}=1 cargo nextest run -p keyfob foreign_clients",
            self.document,
            lines(stands, &is),
            lines(&is, stands)
        );
    }

    fn markdown(&self) -> String {
        let line = |cells: &mut dyn Iterator<Item = &str>| format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "));
        let mut text = format!("\n{}", line(&mut self.head.iter().copied()));
        text.push_str(&format!("|{}\n", "---|".repeat(self.head.len())));
        for row in &self.rows {
            assert_eq!(row.len(), self.head.len(), "{row:?}");
            text.push_str(&line(&mut row.iter().map(String::as_str)));
        }
        text.push('\n');
        text
    }
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).expect("written");
}
