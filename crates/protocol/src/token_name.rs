//! What a code or refresh token says about itself: a name plus a proof (docs/architecture.md, "Tokens are arithmetic").
//!
//! Text = prefix of the kind + base62(name, tag) + base62(CRC-32 of all before). The checksum turns garbage away before any
//! I/O; it proves nothing. Only the authority can compute the tag, and a name means nothing before its tag holds.

use crate::base62;
use std::fmt;

/// A grant's identity: 16 bytes, of which the first five are the second of its making, so that rows lie in order of time.
/// Never reused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GrantId(pub [u8; 16]);

impl GrantId {
    /// Builds the id of a grant that may come to be at `now`.
    pub fn new(now: crate::Timestamp, random: [u8; 11]) -> GrantId {
        let mut bytes = [0; 16];
        bytes[..5].copy_from_slice(&now.0.to_be_bytes()[3..]);
        bytes[5..].copy_from_slice(&random);
        GrantId(bytes)
    }

    /// As text: 22 letters and digits.
    pub fn to_text(self) -> String {
        base62::encode(&self.0)
    }

    /// Reads [`GrantId::to_text`].
    pub fn parse(text: &str) -> Option<GrantId> {
        base62::decode(text.as_bytes()).map(GrantId)
    }
}

impl fmt::Debug for GrantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GrantId({})", self.to_text())
    }
}

impl fmt::Display for GrantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_text())
    }
}

/// What a derived token may be used for. The kind is part of the name, so one kind can never pass for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// An authorization code.
    Code,
    /// A refresh token.
    Refresh,
}

impl TokenKind {
    /// The prefix that secret scanners look for.
    pub fn prefix(self) -> &'static str {
        match self {
            TokenKind::Code => "keyfobac_",
            TokenKind::Refresh => "keyfobrt_",
        }
    }

    fn byte(self) -> u8 {
        match self {
            TokenKind::Code => 1,
            TokenKind::Refresh => 2,
        }
    }
}

/// The name part of a derived token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenName {
    /// Code or refresh token.
    pub kind: TokenKind,
    /// Which root key the tag was made under.
    pub root_key: u32,
    /// The grant.
    pub grant: GrantId,
    /// Which rotation of the grant; 0 for a code.
    pub generation: u32,
    /// Which branch; inherited by successors, grows when a dropped successor is replaced.
    pub branch: u32,
}

const VERSION: u8 = 1;
const NAME_BYTES: usize = 30;
const TAG_BYTES: usize = 32;

impl TokenName {
    /// The bytes that the tag authenticates.
    pub fn to_bytes(&self) -> [u8; NAME_BYTES] {
        let mut bytes = [0; NAME_BYTES];
        bytes[0] = VERSION;
        bytes[1] = self.kind.byte();
        bytes[2..6].copy_from_slice(&self.root_key.to_be_bytes());
        bytes[6..22].copy_from_slice(&self.grant.0);
        bytes[22..26].copy_from_slice(&self.generation.to_be_bytes());
        bytes[26..30].copy_from_slice(&self.branch.to_be_bytes());
        bytes
    }

    /// The whole text of a token: the name, its tag, the checksum. 101 characters.
    pub fn spell(&self, tag: &[u8; TAG_BYTES]) -> String {
        let mut body = [0; NAME_BYTES + TAG_BYTES];
        body[..NAME_BYTES].copy_from_slice(&self.to_bytes());
        body[NAME_BYTES..].copy_from_slice(tag);
        let mut text = String::with_capacity(104);
        text.push_str(self.kind.prefix());
        base62::encode_into(&mut text, &body);
        let checksum = crc32fast::hash(text.as_bytes());
        base62::encode_into(&mut text, &checksum.to_be_bytes());
        text
    }
}

/// A text that has the form of a derived token. Its name is a claim until the authority has compared the whole text with the one
/// it would have issued.
#[derive(Clone, Copy)]
pub struct PresentedToken<'t> {
    text: &'t str,
    name: TokenName,
}

impl<'t> PresentedToken<'t> {
    /// Reads a token of this kind. `None` for everything that was never a token of this kind: wrong prefix, length, alphabet,
    /// checksum or version.
    pub fn parse(kind: TokenKind, text: &'t str) -> Option<PresentedToken<'t>> {
        let body = text.strip_prefix(kind.prefix())?;
        let (body, checksum) = body.split_at_checked(body.len().checked_sub(6)?)?;
        let checksum: [u8; 4] = base62::decode(checksum.as_bytes())?;
        if crc32fast::hash(&text.as_bytes()[..text.len() - 6]).to_be_bytes() != checksum {
            return None;
        }
        let bytes: [u8; NAME_BYTES + TAG_BYTES] = base62::decode(body.as_bytes())?;
        if bytes[0] != VERSION || bytes[1] != kind.byte() {
            return None;
        }
        let word = |at: usize| u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let mut grant = [0; 16];
        grant.copy_from_slice(&bytes[6..22]);
        let name = TokenName { kind, root_key: word(2), grant: GrantId(grant), generation: word(22), branch: word(26) };
        Some(PresentedToken { text, name })
    }

    /// What the token claims to be.
    pub fn claimed_name(&self) -> TokenName {
        self.name
    }

    /// The text, for the comparison with the expected one.
    pub fn text(&self) -> &'t str {
        self.text
    }
}

impl fmt::Debug for PresentedToken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PresentedToken").field("name", &self.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(kind: TokenKind) -> TokenName {
        TokenName { kind, root_key: 7, grant: GrantId([9; 16]), generation: 3, branch: 1 }
    }

    #[test]
    fn rd_08_a_code_is_short_and_of_safe_characters() {
        let text = name(TokenKind::Code).spell(&[0xff; 32]);
        assert!(text.len() <= 200, "{}", text.len());
        assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'));
    }

    #[test]
    fn st_03_one_kind_never_reads_as_another() {
        let code = name(TokenKind::Code).spell(&[1; 32]);
        assert!(PresentedToken::parse(TokenKind::Code, &code).is_some());
        assert!(PresentedToken::parse(TokenKind::Refresh, &code).is_none());
        let swapped = code.replacen("keyfobac_", "keyfobrt_", 1);
        assert!(PresentedToken::parse(TokenKind::Refresh, &swapped).is_none());
    }

    proptest! {
        #[test]
        fn a_token_reads_back(root_key: u32, grant: [u8; 16], generation: u32, branch: u32, tag: [u8; 32]) {
            let name = TokenName { kind: TokenKind::Refresh, root_key, grant: GrantId(grant), generation, branch };
            let text = name.spell(&tag);
            let presented = PresentedToken::parse(TokenKind::Refresh, &text).expect("own output");
            prop_assert_eq!(presented.claimed_name(), name);
        }

        #[test]
        fn any_changed_character_is_turned_away_by_the_checksum(at in 0usize..101, to in "[0-9A-Za-z_]") {
            let text = name(TokenKind::Code).spell(&[5; 32]);
            let mut changed = text.clone();
            changed.replace_range(at..at + 1, &to);
            prop_assume!(changed != text);
            prop_assert!(PresentedToken::parse(TokenKind::Code, &changed).is_none());
        }

        #[test]
        fn garbage_never_panics(text in "\\PC{0,200}") {
            let _ = PresentedToken::parse(TokenKind::Code, &text);
            let _ = PresentedToken::parse(TokenKind::Code, &format!("keyfobac_{text}"));
        }
    }
}
