//! What was asked and what came, redacted: one JSON document that can be shown to anybody.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use thiserror::Error;

/// The version of this form.
const VERSION: u32 = 1;

/// A recording.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Transcript {
    /// The form of the document.
    pub keyfob_transcript: u32,
    /// The day, UTC.
    pub recorded_on: String,
    /// The answers by question.
    pub answers: BTreeMap<String, Value>,
    /// Questions without an answer, and why.
    pub unanswered: BTreeMap<String, String>,
    /// The evidence: what each probe sent and got, in order.
    pub probes: Vec<Recorded>,
}

/// A probe that ran.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recorded {
    /// Which.
    pub probe: String,
    /// Its messages.
    pub steps: Vec<Step>,
}

/// One pair of messages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Step {
    /// What the script meant by it.
    pub what: String,
    /// Seconds since the start of the recording, rounded to ten.
    pub at: i64,
    /// What was sent. For the browser's part, what the authorize URL carried.
    pub request: RequestShape,
    /// What came; none for the browser's part, or where nothing came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<AnswerShape>,
    /// What the callback carried, for the browser's part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callback: Option<Vec<String>>,
}

/// A request without its values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestShape {
    /// The method.
    pub method: String,
    /// Where it went, in the words of the script.
    pub path: String,
    /// `Name: value or label`.
    pub headers: Vec<String>,
    /// `name=value or label`, of the query or the form.
    pub parameters: Vec<String>,
}

/// An answer without its values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnswerShape {
    /// The status.
    pub status: u16,
    /// Listed headers; `…` stands for a value that is not told.
    pub headers: BTreeMap<String, Vec<String>>,
    /// Keys and types, labels and listed words; or `empty`, or `not JSON`.
    pub body: Value,
}

/// A document that is no transcript.
#[derive(Debug, Error)]
pub enum Unreadable {
    /// Not this kind of document.
    #[error("not a transcript: {0}")]
    Malformed(#[from] serde_json::Error),
    /// Of another version of this program.
    #[error("a transcript of version {0}; this program reads version {VERSION}")]
    Version(u32),
}

impl Transcript {
    pub(super) fn new(recorded_on: String) -> Transcript {
        let (answers, unanswered) = Default::default();
        Transcript { keyfob_transcript: VERSION, recorded_on, answers, unanswered, probes: Vec::new() }
    }

    /// Reads one.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub fn parse(text: &[u8]) -> Result<Transcript, Unreadable> {
        let transcript: Transcript = serde_json::from_slice(text)?;
        match transcript.keyfob_transcript {
            VERSION => Ok(transcript),
            other => Err(Unreadable::Version(other)),
        }
    }
}
