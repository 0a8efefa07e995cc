//! Cells of a markdown table. Only what our documents use: a row is a line that starts and ends with `|`, and a cell
//! ends at ` |`, so that a lone `|` inside code stays text.

/// The trimmed cells of one line, or nothing when the line is no table row.
pub fn cells(line: &str) -> Option<Vec<&str>> {
    let inner = line.trim().strip_prefix('|')?.strip_suffix('|')?;
    Some(inner.split(" |").map(str::trim).collect())
}

/// The rows below the heading row `heading`, in order; empty when there is no such table.
pub fn rows_under<'text>(text: &'text str, heading: &[&str]) -> Vec<Vec<&'text str>> {
    text.lines()
        .skip_while(|line| cells(line).is_none_or(|row| row != heading))
        .skip(1)
        .map_while(cells)
        .filter(|row| !row.iter().all(|cell| is_rule(cell)))
        .collect()
}

fn is_rule(cell: &str) -> bool {
    !cell.is_empty() && cell.chars().all(|c| matches!(c, '-' | ':' | '|'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_split_at_its_cell_borders() {
        assert_eq!(cells("| a | `x|y` |  | b |"), Some(vec!["a", "`x|y`", "", "b"]));
        assert_eq!(cells("plain text"), None);
    }

    #[test]
    fn rows_are_those_of_the_named_table_only() {
        let text = "| x | y |\n|---|---|\n| 1 | 2 |\n\n| crate | may |\n|---|---|\n| a | b |\n| c | |\n\n| d | e |\n";
        assert_eq!(rows_under(text, &["crate", "may"]), [vec!["a", "b"], vec!["c", ""]]);
        assert!(rows_under(text, &["no", "table"]).is_empty());
    }
}
