//! The arrows between our crates, as `docs/architecture.md` declares them and as `cargo metadata` reports them.
//!
//! Normal and build dependencies count; dev-dependencies do not, since tests may look at the house from any side. The
//! table is a permission, not a description: an arrow that is declared and not used is fine.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::markdown_table;

/// A crate's name (package name) and those of our crates that it depends on, or may depend on.
pub type Arrows = BTreeMap<String, BTreeSet<String>>;

/// The heading of the table in `docs/architecture.md`.
pub const HEADING: [&str; 2] = ["crate", "may depend on"];

/// Reads the table below [`HEADING`]. Names stand there without the `keyfob-` of the package name; `-` means none.
///
/// # Errors
/// A sentence that says what is wrong with the table.
pub fn declared(document: &str) -> Result<Arrows, String> {
    let mut arrows = Arrows::new();
    for row in markdown_table::rows_under(document, &HEADING) {
        let [from, to] = row.as_slice() else {
            return Err(format!("the table of arrows has a row with {} cells: {row:?}", row.len()));
        };
        let targets = to.split(',').map(bare).filter(|name| !matches!(*name, "" | "-")).map(package).collect();
        if arrows.insert(package(bare(from)), targets).is_some() {
            return Err(format!("the table of arrows names {from} twice"));
        }
    }
    if arrows.is_empty() {
        return Err(format!("no table with the heading | {} | {} |", HEADING[0], HEADING[1]));
    }
    Ok(arrows)
}

fn bare(cell: &str) -> &str {
    cell.trim().trim_matches('`')
}

fn package(name: &str) -> String {
    if name == "keyfob" { name.to_owned() } else { format!("keyfob-{name}") }
}

/// Reads the answer of `cargo metadata --no-deps --format-version 1`.
///
/// # Errors
/// A sentence, when the text is not what cargo answers.
pub fn actual(metadata: &str) -> Result<Arrows, String> {
    let metadata: Value = serde_json::from_str(metadata).map_err(|e| format!("cargo metadata is not JSON: {e}"))?;
    let packages = metadata["packages"].as_array().ok_or("cargo metadata has no packages")?;
    let ours: BTreeSet<&str> = packages.iter().filter_map(|package| package["name"].as_str()).collect();
    let mut arrows = Arrows::new();
    for package in packages {
        let name = package["name"].as_str().ok_or("cargo metadata has a package without a name")?;
        let dependencies =
            package["dependencies"].as_array().ok_or("cargo metadata has a package without dependencies")?;
        let targets = dependencies
            .iter()
            .filter(|dependency| dependency["kind"] != "dev")
            .filter_map(|dependency| dependency["name"].as_str())
            .filter(|name| ours.contains(name))
            .map(str::to_owned)
            .collect();
        arrows.insert(name.to_owned(), targets);
    }
    Ok(arrows)
}

/// Everything in which the workspace departs from the table, one sentence each; empty when they agree.
pub fn departures(declared: &Arrows, actual: &Arrows) -> Vec<String> {
    let mut found = Vec::new();
    for (from, targets) in actual {
        let Some(allowed) = declared.get(from) else {
            found.push(format!("{from} is not in the table"));
            continue;
        };
        for to in targets.difference(allowed) {
            found.push(format!("{from} depends on {to}, which the table does not allow"));
        }
    }
    for (from, allowed) in declared {
        if !actual.contains_key(from) {
            found.push(format!("the table names {from}, which is no crate of the workspace"));
        }
        for to in allowed.iter().filter(|to| !actual.contains_key(*to)) {
            found.push(format!("the table lets {from} depend on {to}, which is no crate of the workspace"));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "| crate | may depend on |\n|---|---|\n| protocol | - |\n| `gate` | `protocol` |\n\
                         | keyfob | protocol, gate |\n";

    fn metadata(gate: &str) -> String {
        format!(
            r#"{{"packages":[
                {{"name":"keyfob-protocol","dependencies":[{{"name":"serde","kind":null}}]}},
                {{"name":"keyfob-gate","dependencies":[{gate}]}},
                {{"name":"keyfob","dependencies":[{{"name":"keyfob-gate","kind":null}}]}}]}}"#
        )
    }

    fn departures_with(gate: &str) -> Vec<String> {
        departures(&declared(TABLE).unwrap(), &actual(&metadata(gate)).unwrap())
    }

    #[test]
    fn declared_arrows_are_allowed_and_need_not_be_used() {
        assert_eq!(departures_with(r#"{"name":"keyfob-protocol","kind":null}"#), Vec::<String>::new());
        assert_eq!(departures_with(""), Vec::<String>::new());
    }

    #[test]
    fn an_undeclared_arrow_is_found_unless_only_tests_use_it() {
        let expected = ["keyfob-gate depends on keyfob, which the table does not allow"];
        assert_eq!(departures_with(r#"{"name":"keyfob","kind":null}"#), expected);
        assert_eq!(departures_with(r#"{"name":"keyfob","kind":"build"}"#), expected);
        assert_eq!(departures_with(r#"{"name":"keyfob","kind":"dev"}"#), Vec::<String>::new());
    }

    #[test]
    fn table_and_workspace_name_the_same_crates() {
        let table = declared("| crate | may depend on |\n|---|---|\n| protocol | attic |\n| cellar | |\n").unwrap();
        let workspace = actual(&metadata("")).unwrap();
        assert_eq!(
            departures(&table, &workspace),
            [
                "keyfob is not in the table",
                "keyfob-gate is not in the table",
                "the table names keyfob-cellar, which is no crate of the workspace",
                "the table lets keyfob-protocol depend on keyfob-attic, which is no crate of the workspace",
            ]
        );
    }

    #[test]
    fn a_missing_or_contradictory_table_is_an_error() {
        assert!(declared("no table here").is_err());
        assert!(declared("| crate | may depend on |\n|---|---|\n| gate | - |\n| gate | - |\n").is_err());
        assert!(declared("| crate | may depend on |\n|---|---|\n| gate |\n").is_err());
        assert!(actual("[]").is_err());
    }
}
