//! Text that knows from which byte of the input it came, through quotes, line ends and splitting, and the parameters in it.

use keyfob_protocol::form;
use std::ops::Range;

/// A piece of the input, perhaps without the quotes that stood in it.
#[derive(Clone, Debug, Default)]
pub(super) struct Sourced {
    text: String,
    /// For each byte of `text`, where it stood in the input.
    at: Vec<usize>,
    /// The byte of the input behind the last one.
    end: usize,
}

impl Sourced {
    /// The input itself, or a verbatim part of it that begins at `offset`.
    pub(super) fn verbatim(text: &str, offset: usize) -> Sourced {
        let end = offset + text.len();
        Sourced { text: text.to_owned(), at: (offset..end).collect(), end }
    }

    /// Nothing yet, at a place.
    pub(super) fn empty(at: usize) -> Sourced {
        Sourced { end: at, ..Sourced::default() }
    }

    pub(super) fn push(&mut self, char: char, at: usize) {
        self.text.push(char);
        self.at.extend((0..char.len_utf8()).map(|byte| at + byte));
        self.end = at + char.len_utf8();
    }

    pub(super) fn append(&mut self, other: &Sourced) {
        self.text.push_str(&other.text);
        self.at.extend_from_slice(&other.at);
        self.end = other.end;
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Where byte `index` of the text stood in the input; behind the end for an index beyond it.
    pub(super) fn at(&self, index: usize) -> usize {
        self.at.get(index).copied().unwrap_or(self.end)
    }

    /// Where it begins.
    pub(super) fn start(&self) -> usize {
        self.at(0)
    }

    /// Where it ends.
    pub(super) fn end(&self) -> usize {
        self.end
    }

    /// A part. Indices that are no character boundaries give nothing.
    pub(super) fn slice(&self, range: Range<usize>) -> Sourced {
        let Some(text) = self.text.get(range.clone()) else { return Sourced::empty(self.at(range.start)) };
        let end = range.clone().last().map_or(self.at(range.start), |last| self.at(last) + 1);
        Sourced { text: text.to_owned(), at: self.at[range].to_vec(), end }
    }

    /// What is before and behind the first `separator`.
    pub(super) fn split_once(&self, separator: char) -> Option<(Sourced, Sourced)> {
        let at = self.text.find(separator)?;
        Some((self.slice(0..at), self.slice(at + separator.len_utf8()..self.text.len())))
    }

    /// The parts between separators, empty ones included.
    pub(super) fn split(&self, separator: char) -> Vec<Sourced> {
        let mut parts = Vec::new();
        let mut from = 0;
        for (at, found) in self.text.match_indices(separator) {
            parts.push(self.slice(from..at));
            from = at + found.len();
        }
        parts.push(self.slice(from..self.text.len()));
        parts
    }
}

/// One parameter of a query or a form.
#[derive(Clone, Debug)]
pub(super) struct Parameter {
    /// Decoded; as written where that is not possible.
    pub(super) name: String,
    /// Decoded; as written where that is not possible.
    pub(super) value: String,
    /// The value as written.
    pub(super) raw: Sourced,
    /// Where the name begins.
    pub(super) at: usize,
    /// What is wrong with the encoding.
    pub(super) broken: Option<form::FormError>,
}

impl Parameter {
    /// A parameter that curl encodes itself, so that its text is its value.
    pub(super) fn plain(name: &Sourced, value: &Sourced) -> Parameter {
        let at = name.start().min(value.start());
        let (name, text) = (name.text().to_owned(), value.text().to_owned());
        Parameter { name, value: text, raw: value.clone(), at, broken: None }
    }

    /// Whether the value is filled in later: a variable of a shell, or `<client id>`, `{{code}}`, `YOUR_CODE`.
    pub(super) fn is_open(&self) -> bool {
        is_open(&self.value)
    }

    /// Whether the author forgot to fill it in; a variable of a shell is filled in by the shell.
    pub(super) fn is_placeholder(&self) -> bool {
        is_placeholder(&self.value)
    }
}

/// Whether a value is a variable or a placeholder.
pub(super) fn is_open(value: &str) -> bool {
    value.contains('$') || value.contains('`') || is_placeholder(value)
}

fn is_placeholder(value: &str) -> bool {
    let within = |open: &str, close: &str| value.starts_with(open) && value.ends_with(close);
    let shouted = value.to_ascii_uppercase();
    // Also in the midst of a value, as in `<client id>:<client secret>`.
    (value.contains('<') && value.contains('>'))
        || within("{", "}")
        || within("[", "]")
        || shouted.starts_with("YOUR_")
        || value == "…"
}

/// The parameters of a query or a form, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Parameters {
    pub(super) all: Vec<Parameter>,
    /// Where a further one would stand.
    pub(super) end: usize,
}

impl Parameters {
    /// Reads `a=b&c=d`.
    pub(super) fn read(source: &Sourced) -> Parameters {
        let mut all = Vec::new();
        for part in source.split('&').into_iter().filter(|part| !part.text().is_empty()) {
            let (name, raw) = part.split_once('=').unwrap_or_else(|| (part.clone(), Sourced::empty(part.end())));
            let decoded = |text: &str| form::decode(text.as_bytes()).map(|text| text.into_owned());
            let (read_name, read_value) = (decoded(name.text()), decoded(raw.text()));
            all.push(Parameter {
                at: part.start(),
                broken: read_name.as_ref().err().or(read_value.as_ref().err()).copied(),
                name: read_name.unwrap_or_else(|_| name.text().to_owned()),
                value: read_value.unwrap_or_else(|_| raw.text().to_owned()),
                raw,
            });
        }
        Parameters { all, end: source.end() }
    }

    /// The first of this name that has a value.
    pub(super) fn get(&self, name: &str) -> Option<&Parameter> {
        self.all.iter().find(|parameter| parameter.name == name && !parameter.value.is_empty())
    }

    /// The value of the first of this name.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.get(name).map(|parameter| parameter.value.as_str())
    }

    /// Whether the name is there at all.
    pub(super) fn names(&self, name: &str) -> bool {
        self.all.iter().any(|parameter| parameter.name == name)
    }
}
