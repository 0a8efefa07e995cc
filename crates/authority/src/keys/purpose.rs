//! What a key is for. One key never serves two purposes (matrix KM-03).

use keyfob_protocol::access_token::SigningAlgorithm;

/// The purpose of a sealed key; part of its seal's associated data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyPurpose {
    /// Root of the keys that codes and refresh tokens derive from.
    Token,
    /// Seals interactions.
    Interaction,
    /// Makes CSRF tokens.
    Csrf,
    /// Signs access tokens.
    Signing(SigningAlgorithm),
}

impl KeyPurpose {
    /// The purpose's name in the store.
    pub fn name(self) -> &'static str {
        match self {
            KeyPurpose::Token => "token",
            KeyPurpose::Interaction => "interaction",
            KeyPurpose::Csrf => "csrf",
            KeyPurpose::Signing(SigningAlgorithm::EdDsa) => "signing-eddsa",
            KeyPurpose::Signing(SigningAlgorithm::Es256) => "signing-es256",
        }
    }

    /// Reads [`KeyPurpose::name`].
    pub fn parse(name: &str) -> Option<KeyPurpose> {
        let signing = [KeyPurpose::Signing(SigningAlgorithm::EdDsa), KeyPurpose::Signing(SigningAlgorithm::Es256)];
        let all = [KeyPurpose::Token, KeyPurpose::Interaction, KeyPurpose::Csrf].into_iter().chain(signing);
        all.into_iter().find(|purpose| purpose.name() == name)
    }
}
