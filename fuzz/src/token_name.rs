//! Codes and refresh tokens: garbage is refused by shape and checksum, and every accepted text has one spelling.

use keyfob_protocol::token_name::{GrantId, PresentedToken, TokenKind};

pub(crate) fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for kind in [TokenKind::Code, TokenKind::Refresh] {
        let Some(token) = PresentedToken::parse(kind, text) else { continue };
        assert_eq!(token.text(), text);
        assert!(text.starts_with(kind.prefix()) && text.len() < 255, "{text}");
        let name = token.claimed_name();
        // One name and tag, one text.
        let tag = [0x5A; 32];
        let spelled = name.spell(&tag);
        let again = PresentedToken::parse(kind, &spelled).expect("what we write we read");
        assert_eq!(again.claimed_name().to_bytes(), name.to_bytes());
    }
    if let Some(id) = GrantId::parse(text) {
        assert_eq!(id.to_text(), text);
    }
}
