//! Hiding what is secret in a message, and nothing else of it.

use keyfob_pages::Masked;
use keyfob_protocol::form::{self, Form};
use serde_json::Value;

/// Parameters whose values stay behind "Reveal".
const SECRET: [&str; 5] = ["access_token", "client_secret", "code", "code_verifier", "refresh_token"];
/// The same in JSON, where `code` is a postal code.
const SECRET_IN_JSON: [&str; 3] = ["access_token", "clientSecret", "refresh_token"];
/// What is shown of a body; the rest is said to be left out. A page of people is longer than anybody reads.
const LONGEST: usize = 6_000;

fn is_secret(name: &str) -> bool {
    SECRET.contains(&name)
}

/// A value by its name.
pub(super) fn value(name: &str, value: &str) -> Masked {
    if is_secret(name) { Masked::secret(value) } else { Masked::plain(value) }
}

/// `before`, a query or form body, and `after`, with the secret values hidden.
pub(super) fn form_text(before: &str, pairs: &str, after: &str) -> Masked {
    let hidden: Vec<String> = pairs
        .split('&')
        .map(|pair| match pair.split_once('=') {
            Some((name, value)) if is_secret(&decoded(name)) && !value.is_empty() => {
                format!("{name}={}", Masked::secret(decoded(value)).shown)
            }
            _ => pair.to_owned(),
        })
        .collect();
    between(before, &hidden.join("&"), pairs, after)
}

/// A JSON body with line breaks, its secret strings hidden.
pub(super) fn json_text(text: &str) -> Masked {
    let Ok(value) = serde_json::from_str::<Value>(text) else { return cut(Masked::plain(text)) };
    let full = indented(text);
    let mut shown = full.clone();
    for secret in secrets(&value) {
        shown = shown.replace(&format!("\"{secret}\""), &format!("\"{}\"", Masked::secret(secret).shown));
    }
    let full = (full != shown).then_some(full);
    cut(Masked { shown, full })
}

/// The value of a header that may hold a credential: the scheme stays readable.
pub(super) fn header(value: &str) -> Masked {
    match value.split_once(' ') {
        Some((scheme @ ("Basic" | "Bearer"), credentials)) => {
            Masked { shown: format!("{scheme} {}", Masked::secret(credentials).shown), full: Some(value.to_owned()) }
        }
        _ => Masked::secret(value),
    }
}

/// Name and value of the JSON object's members, also of those one level deeper in `data`.
pub(super) fn json_members(text: &str) -> Vec<(String, String)> {
    let Ok(Value::Object(object)) = serde_json::from_str(text) else { return Vec::new() };
    let data = object.get("data").and_then(Value::as_object).into_iter().flatten();
    let members = object.iter().filter(|(_, value)| !value.is_object() && !value.is_array()).chain(data);
    members
        .map(|(name, value)| {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            (name.clone(), value)
        })
        .collect()
}

/// Name and value of a form's parameters.
pub(super) fn form_members(text: &str) -> Vec<(String, String)> {
    let Ok(form) = Form::parse(text.as_bytes()) else { return Vec::new() };
    form.pairs().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn between(before: &str, shown: &str, full: &str, after: &str) -> Masked {
    let shown = format!("{before}{shown}{after}");
    let full = format!("{before}{full}{after}");
    let full = (full != shown).then_some(full);
    cut(Masked { shown, full })
}

fn cut(masked: Masked) -> Masked {
    let cut = |text: String| match text.char_indices().nth(LONGEST) {
        None => text,
        Some((at, _)) => format!("{}\n… {} more bytes", &text[..at], text.len() - at),
    };
    Masked { shown: cut(masked.shown), full: masked.full.map(cut) }
}

fn decoded(text: &str) -> String {
    form::decode(text.as_bytes()).map_or_else(|_| text.to_owned(), |decoded| decoded.into_owned())
}

/// Every string that stands behind a secret name, wherever it is.
fn secrets(value: &Value) -> Vec<&str> {
    match value {
        Value::Object(object) => object
            .iter()
            .flat_map(|(name, value)| match value {
                Value::String(text) if SECRET_IN_JSON.contains(&name.as_str()) && !text.is_empty() => {
                    vec![text.as_str()]
                }
                other => secrets(other),
            })
            .collect(),
        Value::Array(items) => items.iter().flat_map(secrets).collect(),
        _ => Vec::new(),
    }
}

/// JSON with line breaks and its members in the order of the wire, which a parser would not keep.
fn indented(json: &str) -> String {
    let mut out = String::with_capacity(json.len() * 2);
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    let mut rest = json.chars().peekable();
    while let Some(c) = rest.next() {
        if in_string {
            out.push(c);
            match (escaped, c) {
                (true, _) => escaped = false,
                (false, '\\') => escaped = true,
                (false, '"') => in_string = false,
                _ => {}
            }
            continue;
        }
        let empty = matches!((c, rest.peek()), ('{', Some('}')) | ('[', Some(']')));
        match c {
            '"' => {
                in_string = true;
                out.push(c);
            }
            '{' | '[' if empty => {
                out.push(c);
                out.extend(rest.next());
            }
            '{' | '[' => {
                depth += 1;
                out.push(c);
                new_line(&mut out, depth);
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                new_line(&mut out, depth);
                out.push(c);
            }
            ',' => {
                out.push(c);
                new_line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            c if c.is_whitespace() => {}
            c => out.push(c),
        }
    }
    out
}

fn new_line(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n("  ", depth));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_shows_everything_but_its_secrets() {
        let masked = form_text("GET /t?", "grant_type=auth_code&code=kfbcodABCDEFGHIJKL&state=s%201", " HTTP/1.1");
        assert_eq!(masked.shown, "GET /t?grant_type=auth_code&code=kfbcod••••••&state=s%201 HTTP/1.1");
        let full = "GET /t?grant_type=auth_code&code=kfbcodABCDEFGHIJKL&state=s%201 HTTP/1.1";
        assert_eq!(masked.full.as_deref(), Some(full));
        assert_eq!(form_text("", "a=b", "").full, None);
    }

    #[test]
    fn json_keeps_its_order_and_hides_tokens_at_any_depth() {
        let masked = json_text(r#"{"success":true,"data":{"refresh_token":"rrrrrrrrrrrrrr","code":"98103","x":[]}}"#);
        let shown = "{\n  \"success\": true,\n  \"data\": {\n    \"refresh_token\": \"rrrrrr••••••\",\n    \"code\": \"98103\",\n    \"x\": []\n  }\n}";
        assert_eq!(masked.shown, shown);
        assert!(masked.full.expect("a secret").contains("rrrrrrrrrrrrrr"));
        assert_eq!(json_text(r#"{"a":"{\"[,"}"#), Masked::plain("{\n  \"a\": \"{\\\"[,\"\n}"));
        assert_eq!(json_text("not json"), Masked::plain("not json"));
    }

    #[test]
    fn a_long_body_says_how_much_is_missing() {
        let long = json_text(&"é".repeat(LONGEST + 3));
        assert!(long.shown.ends_with("… 6 more bytes"), "{}", long.shown);
    }

    #[test]
    fn credentials_in_headers_are_hidden_behind_their_scheme() {
        assert_eq!(header("Basic M2Y5YzFlOnNhbXBsZQ==").shown, "Basic M2Y5Yz••••••");
        assert_eq!(header("5f1d5f1d5f1d5f1d").shown, "5f1d5f••••••");
    }
}
