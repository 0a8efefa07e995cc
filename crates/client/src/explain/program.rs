//! A call in a program: `requests` and `httpx` of Python, `fetch` and `axios` of JavaScript. As far as it is written out; nothing is run.
//!
//! Values that the program holds in variables are open, as the shell's are. What is assigned in the same text is looked up there.

use super::program_text::{Token, cut};
use super::request::{Address, Body, HeaderField, Request, read_body};
use super::source::{Parameter, Parameters, Sourced};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Deepest nesting and longest chain of variables that are followed.
const DEEPEST: usize = 8;
/// Variables that are looked up; a call has a handful.
const MOST_VARIABLES: usize = 50;
/// Functions that pass on what they are given.
const WRAPPERS: [&str; 11] = [
    "URLSearchParams",
    "JSON.stringify",
    "json.dumps",
    "urlencode",
    "urllib.parse.urlencode",
    "qs.stringify",
    "querystring.stringify",
    "dict",
    "HTTPBasicAuth",
    "requests.auth.HTTPBasicAuth",
    "Headers",
];

/// What a text with a call is.
pub(super) enum Called {
    /// This request.
    Request(Box<Request>),
    /// A call, at this byte, whose address is not there.
    WithoutAddress(usize),
}

/// A value and the keys that lead to it; positions have the empty key.
struct Leaf {
    keys: Vec<String>,
    value: Sourced,
}

impl Leaf {
    fn is_below(&self, names: &[&str]) -> bool {
        self.keys.iter().any(|key| names.contains(&key.as_str()))
    }

    /// The name of the field that it is.
    fn name(&self) -> &str {
        self.keys.last().map(String::as_str).unwrap_or_default()
    }
}

/// Reads the first call. `None` if there is none.
pub(super) fn read(source: &Sourced) -> Option<Called> {
    let tokens = cut(source);
    let (index, function) = tokens.windows(2).enumerate().find_map(|(index, pair)| match pair {
        [Token::Word(word), Token::Mark('(')] => Some((index, word)).filter(|(_, word)| is_call(word.text())),
        _ => None,
    })?;
    let mut reader = Reader { tokens: &tokens, at: index + 2, leaves: Vec::new(), variables: MOST_VARIABLES };
    reader.list(')', &mut Vec::new(), 0);
    Some(build(function, reader.leaves))
}

fn is_call(name: &str) -> bool {
    let (object, method) = name.rsplit_once('.').unwrap_or(("", name));
    let object = object.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    let is_client = ["requests", "httpx", "axios", "session", "client", "http", "s"].contains(&object.as_str());
    matches!(name, "fetch" | "axios" | "window.fetch") || (is_client && verb(method).is_some())
}

/// The method that a function is named after; empty for `request`, which is told.
fn verb(function: &str) -> Option<&'static str> {
    match function {
        "get" => Some("GET"),
        "post" => Some("POST"),
        "put" => Some("PUT"),
        "patch" => Some("PATCH"),
        "delete" => Some("DELETE"),
        "request" => Some(""),
        _ => None,
    }
}

struct Reader<'t> {
    tokens: &'t [Token],
    at: usize,
    leaves: Vec<Leaf>,
    /// How many may still be looked up.
    variables: usize,
}

impl Reader<'_> {
    fn next_is(&self, mark: char) -> bool {
        matches!(self.tokens.get(self.at), Some(Token::Mark(own)) if *own == mark)
    }

    /// The entries up to the closing mark, which is passed.
    fn list(&mut self, close: char, keys: &mut Vec<String>, depth: usize) {
        while self.at < self.tokens.len() && !self.next_is(close) {
            let before = self.at;
            let key = match (self.tokens.get(self.at), self.tokens.get(self.at + 1)) {
                (Some(Token::Text(key) | Token::Word(key)), Some(Token::Mark(':' | '='))) => {
                    self.at += 2;
                    key.text().to_owned()
                }
                // `{ code, state }` of JavaScript.
                (Some(Token::Word(name)), Some(Token::Mark(',' | '}'))) if close == '}' => name.text().to_owned(),
                _ => String::new(),
            };
            keys.push(key);
            self.value(keys, depth);
            keys.pop();
            self.rest_of_entry();
            self.at += usize::from(self.next_is(','));
            if self.at == before {
                self.at += 1;
            }
        }
        self.at += 1;
    }

    fn value(&mut self, keys: &mut Vec<String>, depth: usize) {
        let is_word = |token: &Token| matches!(token, Token::Word(word) if ["new", "await"].contains(&word.text()));
        while self.tokens.get(self.at).is_some_and(is_word) {
            self.at += 1;
        }
        let Some(token) = self.tokens.get(self.at) else { return };
        match token {
            Token::Mark(open @ ('{' | '[' | '(')) if depth < DEEPEST => {
                self.at += 1;
                self.list(closing(*open), keys, depth + 1);
            }
            Token::Mark(_) => {}
            Token::Text(text) => {
                self.at += 1;
                let mut value = text.clone();
                // What is added to it is not known.
                if self.next_is('+') || self.next_is('%') {
                    value.push('$', text.end());
                }
                self.leaves.push(Leaf { keys: keys.clone(), value });
            }
            Token::Word(word) => {
                self.at += 1;
                let is_wrapper = WRAPPERS.contains(&word.text());
                if is_wrapper && self.next_is('(') && depth < DEEPEST {
                    self.at += 1;
                    keys.push(word.text().to_owned());
                    self.list(')', keys, depth + 1);
                    keys.pop();
                } else if let Some(assigned) = self.assignment(word.text()).filter(|_| depth < DEEPEST) {
                    let here = std::mem::replace(&mut self.at, assigned);
                    self.value(keys, depth + 1);
                    self.at = here;
                } else {
                    self.leaves.push(Leaf { keys: keys.clone(), value: open(word) });
                }
            }
        }
    }

    /// Where the value stands that a variable has.
    fn assignment(&mut self, name: &str) -> Option<usize> {
        self.variables = self.variables.checked_sub(1)?;
        let is_set = |pair: &[Token]| matches!(pair, [Token::Word(word), Token::Mark('=')] if word.text() == name);
        self.tokens[..self.at].windows(2).position(is_set).map(|index| index + 2)
    }

    /// Passes what belongs to the entry still: a call, an index, something that is added.
    fn rest_of_entry(&mut self) {
        let mut open = 0_usize;
        while let Some(token) = self.tokens.get(self.at) {
            match token {
                Token::Mark(',' | ')' | ']' | '}') if open == 0 => return,
                Token::Mark('(' | '[' | '{') => open += 1,
                Token::Mark(')' | ']' | '}') => open -= 1,
                _ => {}
            }
            self.at += 1;
        }
    }
}

fn closing(open: char) -> char {
    match open {
        '{' => '}',
        '[' => ']',
        _ => ')',
    }
}

/// A variable, marked as the shell marks one.
fn open(word: &Sourced) -> Sourced {
    let mut value = Sourced::empty(word.start());
    value.push('$', word.start());
    value.append(word);
    value
}

fn build(function: &Sourced, leaves: Vec<Leaf>) -> Called {
    let name = function.text();
    let verb = verb(name.rsplit('.').next().unwrap_or_default()).unwrap_or_default();
    let mut positions = leaves.iter().filter(|leaf| leaf.keys.len() == 1 && leaf.keys[0].is_empty());
    let told = leaves.iter().find(|leaf| leaf.keys.len() <= 2 && leaf.name() == "method");
    let told = told.or_else(|| name.ends_with(".request").then(|| positions.next()).flatten());
    let (method, method_at) = match (verb, told) {
        ("", Some(told)) => (told.value.text().to_ascii_uppercase(), told.value.start()),
        ("", None) => ("GET".to_owned(), function.start()),
        (verb, _) => (verb.to_owned(), function.start()),
    };
    let named = leaves.iter().find(|leaf| leaf.keys.len() <= 2 && leaf.name() == "url");
    let Some(whole) = named.or(positions.next()).map(|leaf| &leaf.value).filter(|url| url.text().contains("://"))
    else {
        return Called::WithoutAddress(function.start());
    };
    let mut url = Address::read(whole);
    let mut headers = Vec::new();
    let (mut query, mut form, mut json) = (Vec::new(), Vec::new(), Vec::new());
    let (mut text, mut user) = (None, Vec::new());
    // `axios.post(url, {…})` sends JSON, `requests.post(url, {…})` a form.
    let sends_json = name.starts_with("axios");
    for leaf in &leaves {
        let is_json = leaf.is_below(&["json", "JSON.stringify", "json.dumps"]);
        let is_form = leaf.is_below(&["URLSearchParams", "urlencode", "qs.stringify", "querystring.stringify"]);
        let is_body = leaf.is_below(&["data", "body", "content"]);
        let name = Sourced::verbatim(leaf.name(), leaf.value.start());
        let parameter = || Parameter::plain(&name, &leaf.value);
        match () {
            () if leaf.is_below(&["headers", "Headers"]) && leaf.keys.len() > 1 => {
                headers.push(HeaderField {
                    name: leaf.name().to_owned(),
                    value: leaf.value.clone(),
                    at: leaf.value.start(),
                });
            }
            () if leaf.is_below(&["auth", "HTTPBasicAuth"]) => user.push(&leaf.value),
            () if leaf.is_below(&["params"]) => query.push(parameter()),
            () if leaf.keys.len() > 1
                && !leaf.name().is_empty()
                && (is_json || (is_body && !is_form && sends_json)) =>
            {
                json.push(leaf);
            }
            () if leaf.keys.len() > 1 && !leaf.name().is_empty() && (is_form || is_body) => form.push(parameter()),
            () if is_body && !leaf.value.text().starts_with('$') => text = Some(leaf.value.clone()),
            // The second position is the body.
            () if leaf.keys.len() == 2 && leaf.keys[0].is_empty() && !is_option(leaf.name()) => match sends_json {
                true => json.push(leaf),
                false => form.push(parameter()),
            },
            () => {}
        }
    }
    headers.extend(basic(&user));
    let end = leaves.last().map_or(whole.end(), |leaf| leaf.value.end());
    url.query.all.append(&mut query);
    let content_type = headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-type"));
    let body = match text {
        Some(text) => read_body(&text, content_type.map(|header| header.value.text())),
        None if !json.is_empty() => Body::Json(as_json(&json)),
        None if !form.is_empty() => Body::Form(Parameters { all: form, end }),
        None => Body::None,
    };
    Called::Request(Box::new(Request { method, method_at, url, headers, body, bare: false }))
}

/// Keys of `fetch`'s and `axios`'s own, which stand where a body's could.
fn is_option(name: &str) -> bool {
    matches!(
        name,
        "" | "method"
            | "url"
            | "body"
            | "data"
            | "headers"
            | "auth"
            | "timeout"
            | "credentials"
            | "mode"
            | "cache"
            | "redirect"
    )
}

/// What the library makes of a name and a password.
fn basic(halves: &[&Sourced]) -> Option<HeaderField> {
    let [id, secret] = halves else { return None };
    let joined = format!("{}:{}", id.text(), secret.text());
    let text = if super::source::is_open(&joined) { joined } else { STANDARD.encode(joined) };
    let mut value = Sourced::empty(id.start());
    format!("Basic {text}").chars().for_each(|char| value.push(char, id.start()));
    Some(HeaderField { name: "Authorization".to_owned(), value, at: id.start() })
}

/// The object that is sent, all of it at the place of its first value.
fn as_json(leaves: &[&Leaf]) -> Sourced {
    let fields = leaves.iter().map(|leaf| (leaf.name().to_owned(), leaf.value.text().into()));
    let object = serde_json::Value::Object(fields.collect());
    let at = leaves.first().map_or(0, |leaf| leaf.value.start());
    let mut text = Sourced::empty(at);
    object.to_string().chars().for_each(|char| text.push(char, at));
    text
}
