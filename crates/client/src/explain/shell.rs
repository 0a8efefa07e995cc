//! A command as a shell would cut it into words, with the accidents that happen to URLs on the way (POSIX Shell, section 2.2).

use super::source::Sourced;

/// One word of a command.
#[derive(Clone, Debug)]
pub(super) struct Word {
    pub(super) text: Sourced,
    /// Where a `&` stood that was not quoted. The shell ends the command there; the text goes on, as it was meant.
    pub(super) cut_at: Option<usize>,
}

/// What the shell would stumble over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Accident {
    /// A quote that is not closed.
    OpenQuote(usize),
    /// A typographic quote, which quotes nothing.
    CurlyQuote(usize),
    /// A backslash that is followed by a space and a line end, and so continues nothing.
    BrokenContinuation(usize),
}

/// A command in words.
#[derive(Clone, Debug, Default)]
pub(super) struct Command {
    pub(super) words: Vec<Word>,
    pub(super) accidents: Vec<Accident>,
}

/// Cuts a command. Ends at a pipe, a semicolon, a redirection or a line end, as the command itself does.
pub(super) fn cut(input: &str, offset: usize) -> Command {
    let mut command = Command::default();
    let mut word: Option<Word> = None;
    let mut quote: Option<(char, usize)> = None;
    let mut chars = input.char_indices().peekable();
    while let Some((index, char)) = chars.next() {
        let at = offset + index;
        let next = chars.peek().map(|(_, next)| *next);
        let current = |word: &mut Option<Word>| {
            word.get_or_insert_with(|| Word { text: Sourced::empty(at), cut_at: None });
        };
        match (quote, char) {
            (Some((open, _)), _) if char == open => quote = None,
            (Some(('"', _)), '\\') if next.is_some_and(|next| "\"\\$`\n".contains(next)) => {
                if let Some((index, escaped)) = chars.next().filter(|(_, escaped)| *escaped != '\n') {
                    push(&mut word, escaped, offset + index);
                }
            }
            (Some(_), _) => push(&mut word, char, at),
            (None, '\'' | '"') => {
                current(&mut word);
                quote = Some((char, at));
            }
            // `^` continues a line in the command prompt of Windows.
            (None, '\\' | '^') if next == Some('\n') || next == Some('\r') => {
                while chars.next_if(|(_, next)| matches!(next, '\r' | '\n')).is_some() {}
                command.words.extend(word.take());
            }
            (None, '\\') => match chars.next() {
                Some((_, ' ')) if chars.peek().is_some_and(|(_, next)| matches!(next, '\r' | '\n')) => {
                    command.accidents.push(Accident::BrokenContinuation(at));
                    while chars.next_if(|(_, next)| matches!(next, '\r' | '\n')).is_some() {}
                    command.words.extend(word.take());
                }
                Some((index, escaped)) => push(&mut word, escaped, offset + index),
                None => {}
            },
            (None, '&') => {
                match word.as_mut().filter(|_| next.is_some_and(|next| next != '&' && !next.is_whitespace())) {
                    Some(cut) => {
                        cut.cut_at.get_or_insert(at);
                        push(&mut word, '&', at);
                    }
                    None => break,
                }
            }
            (None, '|' | ';' | '\n') => break,
            (None, '<' | '>') if word.is_none() => break,
            (None, '“' | '”' | '‘' | '’') => {
                command.accidents.push(Accident::CurlyQuote(at));
                current(&mut word);
            }
            (None, _) if char.is_whitespace() => command.words.extend(word.take()),
            (None, _) => push(&mut word, char, at),
        }
    }
    if let Some((_, at)) = quote {
        command.accidents.push(Accident::OpenQuote(at));
    }
    command.words.extend(word);
    command
}

fn push(word: &mut Option<Word>, char: char, at: usize) {
    word.get_or_insert_with(|| Word { text: Sourced::empty(at), cut_at: None }).text.push(char, at);
}
