//! What TOML refuses of a file, told with the rest: a key that nobody knows, or a value of another kind, is told and passed over, and the file is read on.

use std::ops::Range;

/// Refusals that are told of one file.
const MOST: usize = 20;

/// The file without what was refused of it, if enough of it is left, and each refusal, by line. No line is repeated: it may hold a database's password.
pub(super) fn read<T: serde::de::DeserializeOwned>(text: &str) -> (Option<T>, Vec<String>) {
    let mut left = text.to_owned();
    let mut refused: Vec<(usize, String)> = Vec::new();
    let read = loop {
        let error = match toml::from_str(&left) {
            Ok(read) => break Some(read),
            Err(error) => error,
        };
        // What is missing may be what was passed over.
        if refused.is_empty() || !error.message().starts_with("missing field") {
            refused.push((line_of(&error, &left), error.message().to_owned()));
        }
        let key = error.span().and_then(|span| passable(&left, span));
        match key.filter(|_| refused.len() < MOST && left.parse::<toml::Table>().is_ok()) {
            Some(lines) => {
                let blank: String = left[lines.clone()].chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect();
                left.replace_range(lines, &blank);
            }
            None => break None,
        }
    };
    refused.sort();
    (read, refused.into_iter().map(|(line, message)| format!("line {line}: {message}")).collect())
}

fn line_of(error: &toml::de::Error, text: &str) -> usize {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    before.matches('\n').count() + 1
}

/// The lines of a key that can be left out. Without a section's heading its keys would be another section's.
fn passable(text: &str, span: Range<usize>) -> Option<Range<usize>> {
    let begin = text.get(..span.start)?.rfind('\n').map_or(0, |at| at + 1);
    let end = text.get(span.end..)?.find('\n').map_or(text.len(), |at| span.end + at);
    let lines = text.get(begin..end)?.trim_start();
    (!lines.is_empty() && !lines.starts_with('[')).then_some(begin..end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use std::collections::BTreeMap;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Section {
        name: String,
        count: Option<u8>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Whole {
        top: Option<bool>,
        #[serde(default)]
        sections: BTreeMap<String, Section>,
    }

    fn lines(text: &str) -> (bool, Vec<usize>) {
        let (read, refused) = read::<Whole>(text);
        let line = |told: &String| told.strip_prefix("line ")?.split_once(':')?.0.parse().ok();
        (read.is_some(), refused.iter().filter_map(line).collect())
    }

    #[test]
    fn what_is_refused_is_told_by_its_line_and_hides_nothing_behind_it() {
        assert_eq!(lines("top = true\n[sections.a]\nname = \"a\"\n"), (true, vec![]));
        let many = "top = 1\nwhat = \"ü\"\n[sections.a]\nname = \"a\"\ncount = \"x\"\n[sections.b]\nnam = \"b\"\nname = \"b\"\n";
        assert_eq!(lines(many), (true, vec![1, 2, 5, 7]));
        let (read, _) = read::<Whole>(many);
        let read = read.expect("enough is left");
        assert_eq!((read.top, &*read.sections["a"].name, read.sections["b"].count), (None, "a", None));
        // What is needed and was refused is not told as missing as well; what is missing is.
        assert_eq!(lines("[sections.a]\nname = 1\n"), (false, vec![2]));
        assert_eq!(lines("[sections.a]\ncount = 1\n"), (false, vec![1]));
        // Nothing can be said of what stands behind these.
        assert_eq!(lines("[section.a]\nname = 1\n"), (false, vec![1]));
        assert_eq!(lines("top = \ntop = 1\n").1.len(), 1);
    }
}
