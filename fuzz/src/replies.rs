//! What comes back to a client: the callback, and the token endpoint's answer in any state of disrepair.

use crate::parts;
use keyfob_client::{Header, HttpResponse, TokenStep, read_reply};
use keyfob_protocol::callback::{self, Callback};
use keyfob_protocol::{Secret, Timestamp, form::Form};

pub(crate) fn callback(bytes: &[u8]) {
    let Ok(query) = std::str::from_utf8(bytes) else { return };
    let Ok(read) = callback::read(query) else { return };
    let form = Form::parse(bytes).expect("it was read");
    let has = |name: &'static str| form.one(name).expect("CL-02: repeated parameters are refused");
    match read.callback {
        Callback::Approved { code } => {
            assert!(!code.is_empty() && has("code") == Some(&code));
            assert!(matches!(has("response"), None | Some("approved")) && has("error").is_none(), "{query}");
        }
        Callback::Denied => assert!(has("code").is_none(), "{query}"),
    }
    assert_eq!(read.state.as_deref(), has("state"));
}

/// Lines: status, content type, `Retry-After`; then the body.
pub(crate) fn token(bytes: &[u8]) {
    let [status, content_type, retry_after, body] = parts(bytes);
    let text = |part| std::str::from_utf8(part).unwrap_or_default();
    let status = text(status).parse().unwrap_or(200);
    let headers =
        vec![Header::plain("Content-Type", text(content_type)), Header::plain("Retry-After", text(retry_after))];
    let response = HttpResponse { status, headers, body: Secret::new(body.to_vec()) };
    for step in [TokenStep::Exchange, TokenStep::Refresh] {
        match read_reply(step, &response, Timestamp(1_800_000_000)) {
            Ok(tokens) => {
                assert!((200..300).contains(&status) && !tokens.access_token.expose().is_empty());
                assert!(
                    !format!("{tokens:?}").contains(tokens.access_token.expose().as_str())
                        || tokens.access_token.expose().len() < 8
                );
            }
            // Told to a person, who reads it on one screen.
            Err(failure) => assert!(failure.to_string().len() < 4096 + 4 * body.len()),
        }
    }
}
