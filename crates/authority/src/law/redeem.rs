//! Redeeming a code: rows T-12 (state) to T-16 of table T, and what a second use means (decision D16).

use crate::model::{
    ActiveGrant, App, ApprovedGrant, CodeBinding, CodeReuse, EndReason, Grant, GrantState, RedeemedCode, StateAtToken,
};
use aws_lc_rs::digest;
use keyfob_protocol::pkce::CodeVerifier;
use keyfob_protocol::token_refusal::TokenRefusal;
use keyfob_protocol::token_request::PresentedRedemption;
use keyfob_protocol::{Dialect, Timestamp};

/// What the rule says about a genuine code of the app that presents it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedeemRuling {
    /// The grant becomes active.
    Activate(ActiveGrant),
    /// Refused; nothing changes.
    Refuse(TokenRefusal),
    /// Refused, and noted: the same request came twice.
    Repeated,
    /// Refused, and the grant ends.
    End(EndReason, TokenRefusal),
}

/// The rule. The code's whole text has been compared and the grant belongs to `app`.
pub fn rule(now: Timestamp, app: &App, grant: &Grant, presented: &PresentedRedemption<'_>) -> RedeemRuling {
    let state_concerns = grant.dialect == Dialect::FollowUpBoss && app.policy.state_at_token != StateAtToken::Ignored;
    if state_concerns && presented.state.is_none() {
        return RedeemRuling::Refuse(TokenRefusal::MissingParameters(vec!["state"]));
    }
    match &grant.state {
        GrantState::Approved(approved) => redeem(now, app, approved, presented, state_concerns),
        GrantState::Active(ActiveGrant { code: Some(code), .. }) if now < code.expires_at => {
            second_use(app.policy.code_reuse, code, presented)
        }
        GrantState::Active(_) | GrantState::Ended { .. } => RedeemRuling::Refuse(TokenRefusal::InvalidCode),
    }
}

fn redeem(
    now: Timestamp,
    app: &App,
    approved: &ApprovedGrant,
    presented: &PresentedRedemption<'_>,
    state_concerns: bool,
) -> RedeemRuling {
    if now >= approved.code_expires_at {
        return RedeemRuling::Refuse(TokenRefusal::ExpiredCode);
    }
    // Absent only where the 2.1 profile allows it; then the verifier below is what binds.
    let same_uri = presented.redirect_uri.is_none_or(|uri| uri == approved.redirect_uri);
    if !same_uri || app.redirect_uri(&approved.redirect_uri).is_none() {
        return RedeemRuling::End(EndReason::CodeBurned, TokenRefusal::RedirectUriDiffers);
    }
    let same_state = match (presented.state, approved.state_digest) {
        (Some(state), Some(digest)) => state_digest(state) == digest,
        _ => false,
    };
    if state_concerns && app.policy.state_at_token == StateAtToken::Match && !same_state {
        return RedeemRuling::Refuse(TokenRefusal::StateDiffers);
    }
    let binding = match (approved.code_challenge, presented.code_verifier) {
        (None, None) if same_state => CodeBinding::State,
        (None, None) => CodeBinding::Unbound,
        (Some(challenge), Some(_)) if presented.verifier().is_some_and(|verifier| challenge.matches(&verifier)) => {
            CodeBinding::Pkce(challenge)
        }
        _ => return RedeemRuling::End(EndReason::CodeBurned, TokenRefusal::VerifierFailed),
    };
    RedeemRuling::Activate(ActiveGrant {
        generation: 1,
        branch: 0,
        parent_branch: 0,
        rotated_at: now,
        last_used_at: now,
        code: Some(RedeemedCode {
            expires_at: approved.code_expires_at,
            binding,
            request_digest: request_digest(presented),
        }),
    })
}

/// Always refused. It ends the grant unless it is the same, bound request again (a doubled callback) or, after a redemption with
/// PKCE, one that could never have been valid.
fn second_use(policy: CodeReuse, code: &RedeemedCode, presented: &PresentedRedemption<'_>) -> RedeemRuling {
    let same_request = request_digest(presented) == code.request_digest;
    let harmless = match (policy, code.binding) {
        (CodeReuse::Strict, _) | (CodeReuse::Bound, CodeBinding::Unbound) => false,
        (CodeReuse::Bound, CodeBinding::State) => same_request,
        (CodeReuse::Bound, CodeBinding::Pkce(challenge)) => {
            let bound = presented.verifier().is_some_and(|verifier: CodeVerifier| challenge.matches(&verifier));
            same_request || !bound
        }
    };
    match (harmless, same_request) {
        (true, true) => RedeemRuling::Repeated,
        (true, false) => RedeemRuling::Refuse(TokenRefusal::InvalidCode),
        (false, _) => RedeemRuling::End(EndReason::CodeReused, TokenRefusal::InvalidCode),
    }
}

/// The first 16 bytes of SHA-256: enough to tell states apart, useless for presenting one.
pub fn state_digest(state: &str) -> [u8; 16] {
    truncated(digest::digest(&digest::SHA256, state.as_bytes()))
}

fn request_digest(presented: &PresentedRedemption<'_>) -> [u8; 16] {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in [presented.redirect_uri, presented.state, presented.code_verifier] {
        // Absent and empty cannot meet: an empty parameter counts as absent.
        let part = part.unwrap_or_default();
        context.update(&(part.len() as u32).to_be_bytes());
        context.update(part.as_bytes());
    }
    truncated(context.finish())
}

fn truncated(digest: digest::Digest) -> [u8; 16] {
    digest.as_ref()[..16].try_into().expect("invariant: SHA-256 has 32 bytes")
}
