//! Which protocol requirements have a test named after them.
//!
//! A row `AZ-03` of `docs/requirements.md`, or `T-15a` of its table T, is covered by a test whose name starts with the
//! id as an identifier (`az_03_…`, `t_15a_…`). Names only: whether the test proves the row is for a reader to judge.

use std::collections::BTreeSet;
use std::path::Path;
use std::{fs, io};

use crate::markdown_table;

/// One row of the matrix.
#[derive(Debug, PartialEq, Eq)]
pub struct Requirement {
    /// The stable id, such as `AZ-03`.
    pub id: String,
    /// 1, 2 or 3: the order of work.
    pub wave: u8,
    /// `MUST` or `SHOULD`.
    pub level: String,
    /// What is required, as the row says it.
    pub text: String,
}

/// The rows of the matrix, in its order. Rows of table T belong to wave 1.
///
/// # Errors
/// A sentence, when the matrix holds no row, or one id twice.
pub fn requirements(matrix: &str) -> Result<Vec<Requirement>, String> {
    let rows: Vec<_> = matrix.lines().filter_map(markdown_table::cells).filter_map(|row| requirement(&row)).collect();
    let mut seen = BTreeSet::new();
    if let Some(twice) = rows.iter().find(|row| !seen.insert(&row.id)) {
        return Err(format!("the matrix holds {} twice", twice.id));
    }
    if rows.is_empty() {
        return Err("the matrix holds no requirement".to_owned());
    }
    Ok(rows)
}

fn requirement(row: &[&str]) -> Option<Requirement> {
    let (wave, level, text) = match row {
        [id, text, ..] if is_table_t(id) => (1, "MUST", text),
        [id, wave, level @ ("MUST" | "SHOULD"), text, ..] if is_group_id(id) => (wave.parse().ok()?, *level, text),
        _ => return None,
    };
    Some(Requirement { id: row[0].to_owned(), wave, level: level.to_owned(), text: (*text).to_owned() })
}

fn is_table_t(id: &str) -> bool {
    id.strip_prefix("T-").is_some_and(|number| two_digits(number.strip_suffix('a').unwrap_or(number)))
}

fn is_group_id(id: &str) -> bool {
    id.split_once('-').is_some_and(|(group, number)| {
        group.len() == 2 && group.bytes().all(|b| b.is_ascii_uppercase()) && two_digits(number)
    })
}

fn two_digits(number: &str) -> bool {
    number.len() == 2 && number.bytes().all(|b| b.is_ascii_digit())
}

/// Ids that some test in `source` is named after. A test begins with `fn`, `def`, `test("` or `it("`.
pub fn test_ids(source: &str) -> BTreeSet<String> {
    let starts = ["fn ", "def ", "test(", "it("];
    let mut ids = BTreeSet::new();
    for start in starts {
        for (at, _) in source.match_indices(start) {
            let inside_a_word = source[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
            if !inside_a_word && let Some(id) = leading_id(&source[at + start.len()..]) {
                ids.insert(id);
            }
        }
    }
    ids
}

fn leading_id(text: &str) -> Option<String> {
    let name = text.strip_prefix(['"', '\'', '`']).unwrap_or(text);
    let name = name.strip_prefix("test_").unwrap_or(name);
    let (group, rest) = name.split_once('_')?;
    let (number, _) = rest.split_once(['_', ' '])?;
    let id = format!("{}-{number}", group.to_ascii_uppercase());
    let lower_case = group.bytes().all(|b| b.is_ascii_lowercase());
    (lower_case && (is_table_t(&id) || is_group_id(&id))).then_some(id)
}

/// Ids that tests below `root` are named after, in Rust, Python, JavaScript and TypeScript sources.
///
/// # Errors
/// What the file system answers.
pub fn test_ids_below(root: &Path) -> io::Result<BTreeSet<String>> {
    let mut ids = BTreeSet::new();
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        if kind.is_dir() {
            if !["target", "node_modules", ".git"].iter().any(|skipped| entry.file_name() == *skipped) {
                ids.append(&mut test_ids_below(&path)?);
            }
        } else if kind.is_file() && is_source(&path) {
            ids.append(&mut test_ids(&String::from_utf8_lossy(&fs::read(&path)?)));
        }
    }
    Ok(ids)
}

fn is_source(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    matches!(extension, Some("rs" | "py" | "mjs" | "js" | "ts"))
}

// The samples below use groups that the matrix does not have, so that this file covers no real requirement.
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_the_groups_and_of_table_t_are_read() {
        let matrix = "| ID | W | Lvl | Requirement | Bad input |\n|---|---|---|---|---|\n\
                      | ZZ-01 | 1 | MUST | exact, as `a|b` | - |\n| ZZ-02 | 3 | SHOULD | later | - |\n\
                      | T-95a | differs | J(400) | | - |\n| D12 | a question | an answer | why |\n| T-nn | the row |\n";
        let found = requirements(matrix).unwrap();
        let brief: Vec<_> = found.iter().map(|row| (row.id.as_str(), row.wave, row.level.as_str())).collect();
        assert_eq!(brief, [("ZZ-01", 1, "MUST"), ("ZZ-02", 3, "SHOULD"), ("T-95a", 1, "MUST")]);
        assert_eq!(found[0].text, "exact, as `a|b`");
    }

    #[test]
    fn an_empty_matrix_or_a_doubled_id_is_an_error() {
        assert!(requirements("# nothing\n").is_err());
        assert!(requirements("| ZZ-01 | 1 | MUST | a | b |\n| ZZ-01 | 2 | MUST | c | d |\n").is_err());
    }

    #[test]
    fn tests_of_four_languages_are_recognised() {
        let source = "fn zz_01_is_exact() {}\nasync fn zz_02_waits() {}\ndef test_zz_03_python(self):\n\
                      test(\"zz_04 with words\", () => {})\n  it('zz_05_quotes')\nfn t_95a_state() {}\n";
        let found: Vec<_> = test_ids(source).into_iter().collect();
        assert_eq!(found, ["T-95a", "ZZ-01", "ZZ-02", "ZZ-03", "ZZ-04", "ZZ-05"]);
    }

    #[test]
    fn other_names_cover_nothing() {
        for source in
            ["fn zz_1_short()", "fn helper_zz_01_x()", "fn zz_011_long()", "fn zz_01()", "orphan_fn zz_01_x", "zz_01_x"]
        {
            assert_eq!(test_ids(source), BTreeSet::new(), "{source}");
        }
    }

    #[test]
    fn the_matrix_of_this_repository_is_complete() {
        let matrix = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/requirements.md");
        let found = requirements(&fs::read_to_string(matrix).unwrap()).unwrap();
        let in_wave = |wave| found.iter().filter(|row| row.wave == wave).count();
        assert_eq!((in_wave(1), in_wave(2), in_wave(3)), (139, 47, 24), "say so here when the matrix grows");
    }
}
