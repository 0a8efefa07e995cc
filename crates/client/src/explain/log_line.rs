//! An answer inside of a line of a log: what people have at hand when a connection broke at night.

use super::findings::Findings;
use super::source::Sourced;
use serde_json::Value;

/// Keys that tell an answer from other data in braces.
const KEYS: [&str; 6] = ["access_token", "refresh_token", "error", "errorCode", "errorMessage", "success"];

/// The answer in the line, and a word on what else stands in that log.
pub(super) fn read(line: &Sourced, found: &mut Findings) -> Option<Sourced> {
    let text = line.text();
    let (from, to) = (text.find('{')?, text.rfind('}')?);
    // Braces in the midst of a URL are a parameter's.
    if !text[..from].ends_with(|char: char| char.is_whitespace() || ":=\"'(>".contains(char))
        || !text[..from].contains(' ')
    {
        return None;
    }
    let braces = (from < to).then(|| line.slice(from..to + 1))?;
    let answer = [braces.clone(), unescaped(&braces)].into_iter().find(|answer| is_answer(answer.text()))?;
    if answer.text().contains("_token\"") {
        found.risky(
            line.start(),
            "tokens in a log",
            "If this line is from a log, everybody who reads the log, or its backup, can use these tokens.",
            "Log status and error code of the answer, never its body. Delete the line; if strangers could read it, revoke the connection and let the user connect again.",
        );
    }
    Some(answer)
}

fn is_answer(text: &str) -> bool {
    let Ok(Value::Object(object)) = serde_json::from_str(text) else { return false };
    KEYS.iter().any(|key| object.contains_key(*key))
}

/// Without the backslashes of a line that is itself JSON.
fn unescaped(text: &Sourced) -> Sourced {
    let mut plain = Sourced::empty(text.start());
    let mut chars = text.text().char_indices().peekable();
    while let Some((index, char)) = chars.next() {
        match (char, chars.peek()) {
            ('\\', Some((_, '"' | '\\'))) => {
                let Some((index, escaped)) = chars.next() else { break };
                plain.push(escaped, text.at(index));
            }
            _ => plain.push(char, text.at(index)),
        }
    }
    plain
}
