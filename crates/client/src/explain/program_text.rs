//! The text of a program cut into texts, words and marks, as Python and JavaScript have them in common.

use super::source::Sourced;

/// A piece of a program.
#[derive(Clone, Debug)]
pub(super) enum Token {
    /// What stands between quotes. Where something is filled in, it has a `$`.
    Text(Sourced),
    /// A name with its dots, or a number.
    Word(Sourced),
    /// Any other character.
    Mark(char),
}

/// Cuts it. Never fails: what is no program gives odd tokens.
pub(super) fn cut(source: &Sourced) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut chars = source.text().char_indices().peekable();
    while let Some((index, char)) = chars.next() {
        let next = chars.peek().map(|(_, next)| *next);
        match char {
            '"' | '\'' | '`' => {
                let is_filled = char == '`' || is_prefixed(&mut tokens, source.at(index));
                let mut text = Sourced::empty(source.at(index + 1));
                while let Some((index, inner)) = chars.next().filter(|(_, inner)| *inner != char) {
                    match inner {
                        '\\' => {
                            if let Some((index, escaped)) = chars.next() {
                                text.push(escaped, source.at(index));
                            }
                        }
                        '{' if is_filled => {
                            if !text.text().ends_with('$') {
                                text.push('$', source.at(index));
                            }
                        }
                        '}' if is_filled => {}
                        _ => text.push(inner, source.at(index)),
                    }
                }
                // Python joins texts that follow each other.
                match tokens.last_mut() {
                    Some(Token::Text(before)) => before.append(&text),
                    _ => tokens.push(Token::Text(text)),
                }
            }
            '#' => while chars.next_if(|(_, char)| *char != '\n').is_some() {},
            '/' if next == Some('/') => while chars.next_if(|(_, char)| *char != '\n').is_some() {},
            _ if is_word(char) => {
                let mut end = index + char.len_utf8();
                while let Some((index, char)) = chars.next_if(|(_, char)| is_word(*char)) {
                    end = index + char.len_utf8();
                }
                tokens.push(Token::Word(source.slice(index..end)));
            }
            _ if char.is_whitespace() => {}
            _ => tokens.push(Token::Mark(char)),
        }
    }
    tokens
}

fn is_word(char: char) -> bool {
    char.is_alphanumeric() || matches!(char, '_' | '.' | '$')
}

/// Whether `f` stands before a quote of Python; `f`, `b`, `r` and `u` are taken away.
fn is_prefixed(tokens: &mut Vec<Token>, at: usize) -> bool {
    let prefix = tokens.pop_if(|token| match token {
        Token::Word(word) => word.end() == at && matches!(word.text(), "f" | "F" | "b" | "r" | "u" | "rf" | "fr"),
        _ => false,
    });
    matches!(prefix, Some(Token::Word(word)) if word.text().to_ascii_lowercase().contains('f'))
}
