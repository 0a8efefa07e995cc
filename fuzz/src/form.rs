//! Form encoding: what is read can be written, and reads the same again.

use keyfob_protocol::form::{Form, encode};

pub(crate) fn run(bytes: &[u8]) {
    let Ok(form) = Form::parse(bytes) else { return };
    let pairs: Vec<(&str, &str)> = form.pairs().collect();
    let written = encode(pairs.iter().copied());
    let again = Form::parse(written.as_bytes()).expect("what we write we read");
    assert_eq!(again.pairs().collect::<Vec<_>>(), pairs, "{written}");
    let most = bytes.split(|byte| *byte == b'&').count();
    assert!(pairs.len() <= most, "no pair comes from nowhere");
    if let Ok(Some(state)) = form.one("state") {
        assert!(pairs.contains(&("state", state)));
    }
}
