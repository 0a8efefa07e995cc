//! What was found, and the rule that nothing secret of the input stands in it.

use serde::Serialize;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; nothing has to change.
    Note,
    /// Works, until somebody attacks or something small changes.
    Risky,
    /// Does not work, or gives a secret away.
    Wrong,
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Which of the inputs, from 0.
    pub input: usize,
    /// The byte of the input where it stands, from 0; for something that is missing, where it should stand.
    pub at: usize,
    /// The parameter, the header or the part that is meant.
    pub what: String,
    /// What is the matter with it, and what happens because of it.
    pub why: String,
    /// What to write or to do instead.
    pub write: String,
}

/// Collects findings, and the input's secrets so that no finding quotes one.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) input: usize,
    pub(super) all: Vec<Finding>,
    secrets: Vec<String>,
}

/// Shorter texts are too common for being told apart from ordinary words.
const SHORTEST_SECRET: usize = 4;
/// Longest text that is quoted, in characters.
const LONGEST_QUOTE: usize = 300;
/// Prefixes that say what kind of secret it is; they may be shown.
const PREFIXES: [&str; 3] = ["keyfobsecret", "keyfobac_", "keyfobrt_"];

impl Findings {
    /// A text of the input that must not be quoted.
    pub(super) fn keep_secret(&mut self, text: &str) {
        let text = text.trim();
        if text.len() >= SHORTEST_SECRET && !super::source::is_open(text) && !self.secrets.iter().any(|s| s == text) {
            self.secrets.push(text.to_owned());
            // Longest first, so that no tail of a longer one is left standing.
            self.secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        }
    }

    /// A text of the input, fit to be shown: without secrets and control characters, not too long.
    pub(super) fn shown(&self, text: &str) -> String {
        let mut shown = text.to_owned();
        for secret in &self.secrets {
            shown = shown.replace(secret.as_str(), "…");
        }
        for prefix in PREFIXES {
            while let Some(at) = secret_after(&shown, prefix) {
                shown.replace_range(at, "…");
            }
        }
        let mut chars = shown.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c });
        let mut short: String = chars.by_ref().take(LONGEST_QUOTE).collect();
        if chars.next().is_some() {
            short.push('…');
        }
        short
    }

    pub(super) fn wrong(
        &mut self,
        at: usize,
        what: impl Into<String>,
        why: impl Into<String>,
        write: impl Into<String>,
    ) {
        self.add(Severity::Wrong, at, what.into(), why.into(), write.into());
    }

    pub(super) fn risky(
        &mut self,
        at: usize,
        what: impl Into<String>,
        why: impl Into<String>,
        write: impl Into<String>,
    ) {
        self.add(Severity::Risky, at, what.into(), why.into(), write.into());
    }

    pub(super) fn note(
        &mut self,
        at: usize,
        what: impl Into<String>,
        why: impl Into<String>,
        write: impl Into<String>,
    ) {
        self.add(Severity::Note, at, what.into(), why.into(), write.into());
    }

    pub(super) fn add(&mut self, severity: Severity, at: usize, what: String, why: String, write: String) {
        self.all.push(Finding { severity, input: self.input, at, what, why, write });
    }
}

/// The characters of a token behind its prefix, if there are enough of them to matter.
fn secret_after(text: &str, prefix: &str) -> Option<std::ops::Range<usize>> {
    text.match_indices(prefix).find_map(|(at, _)| {
        let from = at + prefix.len();
        let length = text[from..].bytes().take_while(u8::is_ascii_alphanumeric).count();
        (length >= SHORTEST_SECRET).then_some(from..from + length)
    })
}
