//! Tokens are arithmetic: a code or refresh token is computed from its grant's row, never stored.

use crate::model::Grant;
use aws_lc_rs::{constant_time, hkdf, hmac};
use keyfob_protocol::Secret;
use keyfob_protocol::token_name::{PresentedToken, TokenKind, TokenName};

/// The key under which one grant's tokens are made.
///
/// HKDF-SHA256(root key, salt of the row, purpose, issuer, app, user): a row copied under another issuer or moved to another user or
/// app makes other tokens.
pub struct GrantKey {
    key: hmac::Key,
    root_key: u32,
    grant: keyfob_protocol::token_name::GrantId,
}

impl GrantKey {
    pub(super) fn derive(root: &Secret<[u8; 32]>, issuer: &str, grant: &Grant) -> GrantKey {
        let parts: [&[u8]; 3] = [issuer.as_bytes(), &grant.app.0.to_be_bytes(), &grant.user.0.to_be_bytes()];
        let info = super::framed("keyfob grant tokens", &parts);
        let info = [info.as_slice()];
        let extracted = hkdf::Salt::new(hkdf::HKDF_SHA256, &grant.salt).extract(root.expose());
        let expanded = extracted.expand(&info, hmac::HMAC_SHA256).expect("invariant: 32 bytes are within HKDF's limit");
        GrantKey { key: hmac::Key::from(expanded), root_key: grant.root_key, grant: grant.id }
    }

    /// The code.
    pub fn code(&self) -> Secret<String> {
        self.text(TokenKind::Code, 0, 0)
    }

    /// The refresh token of a generation and branch.
    pub fn refresh_token(&self, generation: u32, branch: u32) -> Secret<String> {
        self.text(TokenKind::Refresh, generation, branch)
    }

    /// Whether the presented token is, as a whole text, the one that this grant would have issued under the name it claims. Takes
    /// the same time wherever it differs.
    pub fn proves(&self, presented: &PresentedToken<'_>) -> bool {
        let name = presented.claimed_name();
        if name.grant != self.grant || name.root_key != self.root_key {
            return false;
        }
        let expected = self.text(name.kind, name.generation, name.branch);
        constant_time::verify_slices_are_equal(expected.expose().as_bytes(), presented.text().as_bytes()).is_ok()
    }

    fn text(&self, kind: TokenKind, generation: u32, branch: u32) -> Secret<String> {
        let name = TokenName { kind, root_key: self.root_key, grant: self.grant, generation, branch };
        let tag = hmac::sign(&self.key, &name.to_bytes());
        Secret::new(name.spell(tag.as_ref().try_into().expect("invariant: HMAC-SHA256 has 32 bytes")))
    }
}
