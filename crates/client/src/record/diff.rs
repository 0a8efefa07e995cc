//! Two transcripts, question by question. Only answers are compared: the evidence differs with every run.

use super::question::{PROBES, Question};
use super::transcript::Transcript;
use serde::Serialize;
use serde_json::Value;

/// A question that two transcripts answer differently.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Its name.
    pub question: String,
    /// In words, where this version of the program knows it.
    pub asks: Option<&'static str>,
    /// The answer of the first.
    pub first: Option<Value>,
    /// The answer of the second.
    pub second: Option<Value>,
}

/// What differs, in the order of the script. A question that one of them leaves unanswered (it was not asked, or did not come to an end)
/// differs only if the other answers it.
pub fn differences(first: &Transcript, second: &Transcript) -> Vec<Difference> {
    let known: Vec<&Question> = PROBES.iter().flat_map(|probe| probe.questions).collect();
    let place = |id: &str| known.iter().position(|question| question.id == id).unwrap_or(usize::MAX);
    let mut ids: Vec<&String> = first.answers.keys().chain(second.answers.keys()).collect();
    ids.sort_by_key(|id| (place(id), id.as_str()));
    ids.dedup();
    let differs = ids.into_iter().filter(|id| first.answers.get(*id) != second.answers.get(*id));
    let difference = |id: &String| Difference {
        question: id.clone(),
        asks: known.iter().find(|question| question.id == id).map(|question| question.asks),
        first: first.answers.get(id).cloned(),
        second: second.answers.get(id).cloned(),
    };
    differs.map(difference).collect()
}
