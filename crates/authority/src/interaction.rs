//! An authorization request between its validation and the user's decision (matrix AZ-12, IN-04).
//!
//! It lives in the browser, sealed: no row is written before the user decides. Its id is the future grant's, known only inside the
//! seal. Sealed is not trusted: app, redirect URI, scope and user are checked again at the decision.

use crate::keys::Keyring;
use crate::model::{AppId, SessionId};
use keyfob_protocol::pkce::CodeChallenge;
use keyfob_protocol::resource::Resources;
use keyfob_protocol::scope::Scope;
use keyfob_protocol::token_name::GrantId;
use keyfob_protocol::{Dialect, Entropy, EntropyFailed, Timestamp};
use serde::{Deserialize, Serialize};

/// Longest sealed interaction, in characters (matrix AZ-12). Longer requests are refused, never cut.
pub const MAX_SEALED: usize = 6 * 1024;
/// How much longer it gets when a session signs in for it: 32 bytes in base64, rounded up.
pub(crate) const SIGN_IN_ADDS: usize = 44;

/// SHA-256 of the flow cookie: the browser that opened the request, whoever signs in there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowId(pub [u8; 32]);

/// A validated request, frozen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interaction {
    grant: [u8; 16],
    flow: FlowId,
    expires_at: Timestamp,
    /// The app that asks.
    pub app: AppId,
    /// Where the answer goes.
    pub redirect_uri: String,
    /// How it is spelled.
    pub dialect: Dialect,
    /// What goes back with it.
    pub state: Option<String>,
    /// What a consent would grant.
    pub scope: Scope,
    /// The client's PKCE commitment.
    pub code_challenge: Option<CodeChallenge>,
    prompt_login: bool,
    signed_in: Option<[u8; 32]>,
    /// For which APIs.
    pub resources: Resources,
}

/// What goes into an interaction beside what it makes up itself.
pub(crate) struct Frozen {
    pub(crate) app: AppId,
    pub(crate) redirect_uri: String,
    pub(crate) dialect: Dialect,
    pub(crate) state: Option<String>,
    pub(crate) scope: Scope,
    pub(crate) resources: Resources,
    pub(crate) code_challenge: Option<CodeChallenge>,
    pub(crate) prompt_login: bool,
}

/// Why a sealed interaction is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InteractionProblem {
    /// Not one of ours, or altered.
    Invalid,
    /// Older than it may get.
    Expired,
    /// Opened in another browser.
    OtherBrowser,
}

impl Interaction {
    pub(crate) fn begin(
        frozen: Frozen,
        flow: FlowId,
        expires_at: Timestamp,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<Interaction, EntropyFailed> {
        let grant = GrantId::new(now, keyfob_protocol::entropy::random(entropy)?);
        let Frozen { app, redirect_uri, dialect, state, scope, resources, code_challenge, prompt_login } = frozen;
        Ok(Interaction {
            grant: grant.0,
            flow,
            expires_at,
            app,
            redirect_uri,
            dialect,
            state,
            scope,
            code_challenge,
            prompt_login,
            signed_in: None,
            resources,
        })
    }

    /// Opens a form field.
    pub(crate) fn open(
        sealed: &str,
        flow: Option<FlowId>,
        keys: &Keyring,
        now: Timestamp,
    ) -> Result<Interaction, InteractionProblem> {
        let plain = keys.open_interaction(sealed).ok_or(InteractionProblem::Invalid)?;
        let interaction: Interaction = postcard::from_bytes(&plain).map_err(|_| InteractionProblem::Invalid)?;
        if flow != Some(interaction.flow) {
            return Err(InteractionProblem::OtherBrowser);
        }
        if now >= interaction.expires_at {
            return Err(InteractionProblem::Expired);
        }
        Ok(interaction)
    }

    /// The form field.
    pub(crate) fn seal(&self, keys: &Keyring, entropy: &dyn Entropy) -> Result<String, EntropyFailed> {
        let plain = postcard::to_allocvec(self).expect("invariant: an interaction is plain data");
        keys.seal_interaction(&plain, entropy)
    }

    /// The future grant's id.
    pub(crate) fn grant(&self) -> GrantId {
        GrantId(self.grant)
    }

    /// Whether this session may decide: any, or only the one that signed in for this very request (`prompt=login`).
    pub fn accepts(&self, session: SessionId) -> bool {
        !self.prompt_login || self.signed_in == Some(session.0)
    }

    /// Whether the user must sign in anew for it.
    pub fn asks_for_login(&self) -> bool {
        self.prompt_login
    }

    /// The same, signed in to by this session.
    pub fn signed_in_by(self, session: SessionId) -> Interaction {
        Interaction { signed_in: Some(session.0), ..self }
    }

    /// The same, as it lies here: what a CSRF token is bound to.
    pub(crate) fn grant_bytes(&self) -> &[u8] {
        &self.grant
    }
}
