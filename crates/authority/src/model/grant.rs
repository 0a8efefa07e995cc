//! A grant: one row whatever happens to it. Codes and refresh tokens are arithmetic on it (see [`crate::keys`]).

use super::{AppId, UserId};
use keyfob_protocol::pkce::CodeChallenge;
use keyfob_protocol::reason::{ExplainedRefusal, Reason};
use keyfob_protocol::resource::Resources;
use keyfob_protocol::scope::Scope;
use keyfob_protocol::token_name::GrantId;
use keyfob_protocol::token_refusal::TokenRefusal;
use keyfob_protocol::{Dialect, Timestamp};

/// What a user gave an app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Chosen before the user decided; never reused.
    pub id: GrantId,
    /// To whom.
    pub app: AppId,
    /// By whom.
    pub user: UserId,
    /// The root key its tokens derive from.
    pub root_key: u32,
    /// The salt of its token key.
    pub salt: [u8; 16],
    /// The dialect of the authorize request; the state policy concerns followupboss only.
    pub dialect: Dialect,
    /// What was granted.
    pub scope: Scope,
    /// For which APIs (RFC 8707); none: the authority's own (decision D17).
    pub resources: Resources,
    /// When the user decided.
    pub created_at: Timestamp,
    /// The lifecycle.
    pub state: GrantState,
}

/// The lifecycle. `Approved` becomes `Active` once; `Ended` is final.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GrantState {
    /// The code is out.
    Approved(ApprovedGrant),
    /// Tokens are out.
    Active(ActiveGrant),
    /// Nothing works any more; kept for a while, then swept.
    Ended {
        /// Why.
        reason: EndReason,
        /// When.
        at: Timestamp,
    },
}

/// What the code is bound to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApprovedGrant {
    /// Valid while now < this.
    pub code_expires_at: Timestamp,
    /// The redirect URI of the authorize request.
    pub redirect_uri: String,
    /// Digest of its state, if it had one: the first 16 bytes of SHA-256.
    pub state_digest: Option<[u8; 16]>,
    /// Its PKCE commitment, if it had one.
    pub code_challenge: Option<CodeChallenge>,
}

/// Where the chain of refresh tokens stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActiveGrant {
    /// The current token's generation; the first is 1.
    pub generation: u32,
    /// The current token's branch.
    pub branch: u32,
    /// The branch of the parent, whose generation is one less.
    pub parent_branch: u32,
    /// When the current token was made.
    pub rotated_at: Timestamp,
    /// When a refresh last succeeded.
    pub last_used_at: Timestamp,
    /// How the code was redeemed; forgotten once the code's lifetime is over.
    pub code: Option<RedeemedCode>,
}

/// What is remembered of a redemption, to tell a doubled callback from an injected code (decision D16).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedeemedCode {
    /// The end of the code's lifetime.
    pub expires_at: Timestamp,
    /// What proved that the redemption belonged to the authorize request.
    pub binding: CodeBinding,
    /// Digest of the redeeming request's redirect URI, state and verifier: the first 16 bytes of SHA-256.
    pub request_digest: [u8; 16],
}

/// What proved that a redemption belonged to its authorize request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeBinding {
    /// The right PKCE verifier for this challenge.
    Pkce(CodeChallenge),
    /// The state of the authorize request.
    State,
    /// Nothing.
    Unbound,
}

/// Why a grant ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EndReason {
    /// The user said no.
    Denied,
    /// A failed redemption by the rightful client (matrix TK-09).
    CodeBurned,
    /// A second use of the code (matrix TK-08).
    CodeReused,
    /// Reuse of a refresh token (matrix RF-06).
    RefreshReused,
    /// The user took it back.
    RevokedByUser,
    /// The app gave it back.
    RevokedByApp,
    /// An administrator ended it.
    RevokedByAdmin,
    /// A newer grant of the same user to the same app replaced it (decision D19).
    Superseded,
    /// The user came from another account: what they had consented to were the data of the one they left.
    UserMoved,
}

impl EndReason {
    /// Every reason, for stores that keep them as text.
    pub const ALL: [EndReason; 9] = [
        EndReason::Denied,
        EndReason::CodeBurned,
        EndReason::CodeReused,
        EndReason::RefreshReused,
        EndReason::RevokedByUser,
        EndReason::RevokedByApp,
        EndReason::RevokedByAdmin,
        EndReason::Superseded,
        EndReason::UserMoved,
    ];

    /// What a client is told that comes with a code or token of the grant.
    pub fn explain(self, refusal: TokenRefusal) -> ExplainedRefusal {
        let reason = match self {
            // Nobody comes with one: a denied grant is born ended, and no code of it was ever sent. The app learned of it by redirect.
            EndReason::Denied => return refusal.into(),
            EndReason::CodeBurned => Reason::CodeBurned,
            EndReason::CodeReused => Reason::CodeReused,
            EndReason::RefreshReused => Reason::ReuseDetected,
            EndReason::RevokedByUser => Reason::RevokedByUser,
            EndReason::RevokedByApp => Reason::RevokedByApp,
            EndReason::RevokedByAdmin => Reason::RevokedByAdmin,
            EndReason::Superseded => Reason::Superseded,
            EndReason::UserMoved => Reason::UserMoved,
        };
        refusal.because(reason)
    }

    /// The reason's stable name.
    pub fn name(self) -> &'static str {
        match self {
            EndReason::Denied => "denied",
            EndReason::CodeBurned => "code_burned",
            EndReason::CodeReused => "code_reused",
            EndReason::RefreshReused => "reuse_detected",
            EndReason::RevokedByUser => "revoked_by_user",
            EndReason::RevokedByApp => "revoked_by_app",
            EndReason::RevokedByAdmin => "revoked_by_admin",
            EndReason::Superseded => "superseded",
            EndReason::UserMoved => "user_moved",
        }
    }
}

/// The stage of a grant's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// The code is out.
    Approved = 0,
    /// Tokens are out.
    Active = 1,
    /// Over.
    Ended = 2,
}

/// What a conditional write compares: it is won only while the row still has this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GrantVersion {
    /// The stage.
    pub stage: Stage,
    /// The generation; 0 unless active.
    pub generation: u32,
    /// The branch; 0 unless active.
    pub branch: u32,
}

impl GrantState {
    /// The version that a conditional write compares.
    pub fn version(&self) -> GrantVersion {
        match self {
            GrantState::Approved(_) => GrantVersion { stage: Stage::Approved, generation: 0, branch: 0 },
            GrantState::Active(active) => {
                GrantVersion { stage: Stage::Active, generation: active.generation, branch: active.branch }
            }
            GrantState::Ended { .. } => GrantVersion { stage: Stage::Ended, generation: 0, branch: 0 },
        }
    }
}
