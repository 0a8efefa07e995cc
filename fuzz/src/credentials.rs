//! The two schemes of the `Authorization` header.

use crate::parts;
use keyfob_protocol::{Secret, basic, bearer};

pub(crate) fn basic(bytes: &[u8]) {
    if let Ok(presented) = basic::parse(bytes) {
        assert!(!presented.secret.raw.expose().chars().any(|char| char.is_ascii_control()));
    }
    // What our client writes the server reads.
    let [id, secret] = parts(bytes);
    let (Ok(id), Ok(secret)) = (std::str::from_utf8(id), std::str::from_utf8(secret)) else { return };
    let written = basic::header(id, &Secret::from(secret));
    let read = basic::parse(written.expose().as_bytes());
    if id.contains('\0') || secret.contains('\0') {
        // A form holds no NUL.
        return;
    }
    let read = read.expect("what we write we read");
    assert_eq!(read.id, id);
    let decoded = read.secret.decoded.unwrap_or(read.secret.raw);
    assert_eq!(decoded.expose(), secret);
}

pub(crate) fn bearer(bytes: &[u8]) {
    if let bearer::PresentedBearer::Token(token) = bearer::parse(bytes) {
        assert!(!token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()), "{token:?}");
    }
}
