//! Documents against the sources: each row of their tables ends with the tests that hold it, and those exist (matrix OP-06).

use crate::markdown_table::rows_under;
use std::collections::BTreeSet;

/// What is wrong with the tables under `heading`, which have at least `least` rows together; empty: nothing. `tests` are the names of all test functions.
pub fn problems(document: &str, heading: [&str; 4], least: usize, tests: &BTreeSet<String>) -> Vec<String> {
    let mut problems = Vec::new();
    let mut rows = 0;
    for table in document.split("\n## ") {
        for row in rows_under(table, &heading) {
            rows += 1;
            let [from, _, _, named] = row.as_slice() else {
                problems.push(format!("a row has {} cells: {row:?}", row.len()));
                continue;
            };
            let names: Vec<&str> = named.split('`').skip(1).step_by(2).collect();
            if names.is_empty() {
                problems.push(format!("{from}: no test is named"));
            }
            for name in names {
                if !tests.contains(name) {
                    problems.push(format!("{from}: there is no test {name}"));
                }
            }
        }
    }
    if rows < least {
        problems.push(format!("only {rows} rows were found: the document was not understood"));
    }
    problems
}

/// The names of test functions in a source file.
pub fn test_names(source: &str) -> impl Iterator<Item = String> + '_ {
    let names = source.lines().filter_map(|line| {
        let line = line.trim_start();
        let rest = line.strip_prefix("async fn ").or_else(|| line.strip_prefix("fn "))?;
        rest.split(['(', '<']).next()
    });
    names.map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn sources(directory: &Path, into: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(directory).expect("a directory").flatten() {
            let path = entry.path();
            let name = entry.file_name();
            if path.is_dir() && name != "target" && !name.to_string_lossy().starts_with('.') {
                sources(&path, into);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                into.extend(test_names(&std::fs::read_to_string(&path).expect("a source")));
            }
        }
    }

    fn told(document: &str, heading: [&str; 4], least: usize) -> Vec<String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace");
        let mut tests = BTreeSet::new();
        sources(&root.join("crates"), &mut tests);
        let document = std::fs::read_to_string(root.join(document)).expect("the document");
        problems(&document, heading, least, &tests)
    }

    #[test]
    fn op_06_every_divergence_names_a_test_that_exists() {
        let heading = ["from", "there", "here, and why", "test"];
        assert_eq!(told("docs/divergences.md", heading, 15), Vec::<String>::new());
    }

    #[test]
    fn every_section_and_advisory_names_a_test_that_exists() {
        let (sections, advisories) =
            (["section", "what", "status", "test"], ["advisory", "the kind of mistake", "our row", "test"]);
        assert_eq!(told("docs/conformance.md", sections, 20), Vec::<String>::new());
        assert_eq!(told("docs/conformance.md", advisories, 12), Vec::<String>::new());
    }

    #[test]
    fn a_test_that_is_gone_is_named() {
        let row = "| a | b | c | test |\n|---|---|---|---|\n| RFC 1 | a | b | `no_such_test` |\n";
        let told = problems(row, ["a", "b", "c", "test"], 1, &BTreeSet::new());
        assert!(told.len() == 1 && told[0].contains("no_such_test"), "{told:?}");
    }
}
