//! The token endpoint's requests, by GET and POST, in the order in which table T asks.

use crate::parts;
use keyfob_protocol::token_request::{HttpParts, PresentedTokenRequest, ReplyShape};

/// Lines: content type, two `Authorization` headers, query; then the body.
pub(crate) fn run(bytes: &[u8]) {
    let [content_type, first, second, query, body] = parts(bytes);
    let some = |line: &'static str, part| if part == line.as_bytes() { None } else { Some(part) };
    for shape in [ReplyShape::Legacy, ReplyShape::Rfc6749] {
        let http = HttpParts {
            shape,
            query,
            content_type: some("", content_type),
            body,
            authorization: [some("", first), some("", second)],
        };
        if let Ok(request) = PresentedTokenRequest::read(http) {
            let _ = request.client();
            if request.grant_type().is_ok() {
                if let Ok(redemption) = request.redemption(false) {
                    let _ = redemption.verifier();
                    assert!(!redemption.code.is_empty());
                }
                if let Ok(refresh) = request.refresh() {
                    assert!(!refresh.refresh_token.is_empty());
                }
            }
        }
        if let Ok(request) = PresentedTokenRequest::read_about_token(http) {
            assert!(request.token().is_ok_and(|token| !token.is_empty()) || request.token().is_err());
        }
    }
}
