//! `keyfob explain`: people paste anything, and the explanation is read by whoever looks over their shoulder.

use keyfob_client::explain::{ExplainOptions, explain};

pub(crate) fn run(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let inputs: Vec<&str> = text.split('\u{1e}').take(4).collect();
    let explanation = explain(&inputs, &ExplainOptions::default());
    assert_eq!((explanation.kinds.len(), explanation.instead.len()), (inputs.len(), inputs.len()));
    let told = serde_json::to_string(&explanation).expect("plain data");
    assert!(told.len() < 100_000 + 100 * text.len(), "an answer of {} bytes to {} bytes", told.len(), text.len());
}
