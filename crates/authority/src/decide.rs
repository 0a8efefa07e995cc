//! The user's decision: the one write that makes a grant, or records a denial (matrix IN-03, IN-04, IN-08).
//!
//! The insert of the row under the interaction's id is the single use of the decision, on every node.

use crate::authority::{Authority, Decision, Fault};
use crate::interaction::{FlowId, Interaction, InteractionProblem};
use crate::law;
use crate::model::{App, ApprovedGrant, EndReason, Grant, GrantState, Holder, LedgerEntry, LedgerKind};
use crate::session::SignedIn;
use crate::store::{GrantChange, GrantFilter, GrantWrite, Written};
use keyfob_protocol::callback::AuthorizeAnswer;
use keyfob_protocol::{Timestamp, entropy};

/// What the user chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The app may act for them.
    Approve,
    /// It may not.
    Deny,
}

/// Why no decision is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecisionRefusal {
    /// The interaction is not acceptable.
    Interaction(InteractionProblem),
    /// The form was not made for this session.
    ForeignForm,
    /// The request demands a fresh sign-in, and this session is not one.
    SignInAgain,
    /// The app is gone or disabled, or its redirect URI or scope is no longer registered.
    AppChanged,
    /// The user is disabled or their account suspended.
    Inactive,
    /// The decision was taken already, and differently or too long ago.
    Decided,
}

impl Authority {
    /// Opens an interaction for display, with its app as it is now.
    pub async fn open_interaction(
        &self,
        sealed: &str,
        flow: Option<FlowId>,
        now: Timestamp,
    ) -> Result<Decision<(Interaction, App), DecisionRefusal>, Fault> {
        let interaction = match Interaction::open(sealed, flow, &self.keys.load(), now) {
            Ok(interaction) => interaction,
            Err(problem) => return Ok(Decision::Refused(DecisionRefusal::Interaction(problem))),
        };
        Ok(match self.app_of(&interaction).await? {
            Decision::Granted(app) => Decision::Granted((interaction, app)),
            Decision::Refused(refusal) => Decision::Refused(refusal),
        })
    }

    /// Whether a sealed text is this very request, opened in this browser.
    pub fn is_same_request(
        &self,
        sealed: &str,
        interaction: &Interaction,
        flow: Option<FlowId>,
        now: Timestamp,
    ) -> bool {
        let opened = Interaction::open(sealed, flow, &self.keys.load(), now);
        opened.is_ok_and(|opened| opened.grant() == interaction.grant())
    }

    /// The app that asks, as it is now, if it may still have what it asked for.
    pub async fn app_of(&self, interaction: &Interaction) -> Result<Decision<App, DecisionRefusal>, Fault> {
        Ok(match self.store.app(interaction.app).await? {
            Some(app) if is_still_welcome(&app, interaction) => Decision::Granted(app),
            _ => Decision::Refused(DecisionRefusal::AppChanged),
        })
    }

    /// The interaction after this session signed in for it, sealed anew.
    pub fn signed_in_for(
        &self,
        interaction: Interaction,
        signed_in: &SignedIn,
    ) -> Result<(Interaction, String), Fault> {
        let interaction = interaction.signed_in_by(signed_in.session.id);
        let sealed = interaction.seal(&self.keys.load(), &*self.entropy)?;
        Ok((interaction, sealed))
    }

    /// The CSRF token of a consent form.
    pub fn consent_csrf(&self, interaction: &Interaction, signed_in: &SignedIn) -> String {
        self.keys.load().csrf_token("decision", &[&consent_binding(interaction, signed_in)])
    }

    /// Takes the decision and returns the URL to redirect to. `app` is what [`Authority::open_interaction`] or [`Authority::app_of`] said
    /// of this interaction a moment ago; the caller keeps both, so that the app can be told of a fault.
    pub async fn decide(
        &self,
        interaction: &Interaction,
        app: &App,
        csrf: &str,
        signed_in: &SignedIn,
        choice: Choice,
        now: Timestamp,
    ) -> Result<Decision<String, DecisionRefusal>, Fault> {
        if !self.keys.load().is_csrf_token(csrf, "decision", &[&consent_binding(interaction, signed_in)]) {
            return Ok(Decision::Refused(DecisionRefusal::ForeignForm));
        }
        if !interaction.accepts(signed_in.session.id) {
            return Ok(Decision::Refused(DecisionRefusal::SignInAgain));
        }
        if !is_active(signed_in) {
            return Ok(Decision::Refused(DecisionRefusal::Inactive));
        }
        let grant = match self.write_decision(interaction, app, signed_in, choice, "", now).await? {
            Decision::Granted(grant) => grant,
            Decision::Refused(refusal) => return Ok(Decision::Refused(refusal)),
        };
        // Also when the form was submitted again: the first time may have failed between the two.
        if choice == Choice::Approve && app.policy.one_grant_per_user {
            self.supersede(&grant, now).await?;
        }
        Ok(Decision::Granted(self.decided_answer(interaction, app, &grant)))
    }

    /// The one write; a decision that was written already is found again if it is the same.
    pub(crate) async fn write_decision(
        &self,
        interaction: &Interaction,
        app: &App,
        signed_in: &SignedIn,
        choice: Choice,
        detail: &str,
        now: Timestamp,
    ) -> Result<Decision<Grant, DecisionRefusal>, Fault> {
        let grant = self.decided_grant(interaction, app, signed_in, choice, now)?;
        let kind = match choice {
            Choice::Approve => LedgerKind::Consented,
            Choice::Deny => LedgerKind::Denied,
        };
        let entry = LedgerEntry { account: Some(signed_in.user.account), ..LedgerEntry::about(now, kind, &grant) };
        let write = GrantWrite {
            nonce: self.nonce()?,
            what: GrantChange::Insert(grant.clone()),
            ledger: vec![entry.with_detail(detail)],
            revocations: Vec::new(),
        };
        Ok(match self.write_grant(write).await? {
            Written::Won => Decision::Granted(grant),
            Written::Lost => match self.store.held_grant(interaction.grant()).await? {
                Some(held) if is_same_decision(&held.grant, signed_in, choice, now) => Decision::Granted(held.grant),
                _ => Decision::Refused(DecisionRefusal::Decided),
            },
        })
    }

    fn decided_grant(
        &self,
        interaction: &Interaction,
        app: &App,
        signed_in: &SignedIn,
        choice: Choice,
        now: Timestamp,
    ) -> Result<Grant, Fault> {
        let state = match choice {
            Choice::Deny => GrantState::Ended { reason: EndReason::Denied, at: now },
            Choice::Approve => GrantState::Approved(ApprovedGrant {
                code_expires_at: now.plus(self.settings.code_lifetime),
                redirect_uri: interaction.redirect_uri.clone(),
                state_digest: interaction.state.as_deref().map(law::redeem::state_digest),
                code_challenge: interaction.code_challenge,
            }),
        };
        Ok(Grant {
            id: interaction.grant(),
            app: app.id,
            user: signed_in.user.id,
            root_key: self.keys.load().current_root(),
            salt: entropy::random(&*self.entropy)?,
            dialect: interaction.dialect,
            scope: interaction.scope.clone(),
            resources: interaction.resources.clone(),
            created_at: now,
            state,
        })
    }

    fn decided_answer(&self, interaction: &Interaction, app: &App, grant: &Grant) -> String {
        let code = match &grant.state {
            GrantState::Approved(_) => self.keys.load().grant_key(grant).map(|key| key.code()),
            _ => None,
        };
        let answer = match &code {
            Some(code) => AuthorizeAnswer::Approved { code: code.expose() },
            None => AuthorizeAnswer::Denied,
        };
        let redirect_uri = app.redirect_uri(&interaction.redirect_uri).expect("invariant: app_of checked it");
        self.answer_on(app, &redirect_uri, interaction.dialect, &answer, interaction.state.as_deref())
    }

    /// Ends the user's earlier grants to the same app (decision D19).
    async fn supersede(&self, newest: &Grant, now: Timestamp) -> Result<(), Fault> {
        let filter = GrantFilter { user: Some(newest.user), app: Some(newest.app), live: true };
        for earlier in self.store.grants(filter, 1000).await? {
            if earlier.id != newest.id {
                self.end_grant(earlier.id, EndReason::Superseded, now).await?;
            }
        }
        Ok(())
    }
}

/// What the CSRF token of a consent form must not outlive: this session, this request.
/// Session, request, and the account whose data the page named: whoever was moved meanwhile has not seen the other one.
fn consent_binding(interaction: &Interaction, signed_in: &SignedIn) -> Vec<u8> {
    [&signed_in.session.id.0[..], interaction.grant_bytes(), &signed_in.user.account.0.to_be_bytes()].concat()
}

/// Whether the app may still have what was validated when the request was frozen. All of its scope or nothing: less could come down
/// to no scope, which is the whole role.
fn is_still_welcome(app: &App, interaction: &Interaction) -> bool {
    app.enabled
        && app.redirect_uri(&interaction.redirect_uri).is_some()
        && law::authorize::is_allowed(&app.policy, &interaction.scope)
}

/// Whether user and account may consent at this moment.
pub fn is_active(signed_in: &SignedIn) -> bool {
    let account = signed_in.account.as_ref();
    let holder = Holder {
        user: Some(signed_in.user.status),
        account: account.map(|account| (account.id, account.status)),
        user_tokens_after: signed_in.user.tokens_after,
        account_tokens_after: account.map_or(Timestamp(0), |account| account.tokens_after),
    };
    law::holder::problem(&holder).is_none()
}

/// Whether a second submit of the form finds its own decision: same user, same choice, code alive and unredeemed (or denied).
fn is_same_decision(existing: &Grant, signed_in: &SignedIn, choice: Choice, now: Timestamp) -> bool {
    let same_choice = match (&existing.state, choice) {
        (GrantState::Approved(approved), Choice::Approve) => now < approved.code_expires_at,
        (GrantState::Ended { reason: EndReason::Denied, .. }, Choice::Deny) => true,
        _ => false,
    };
    existing.user == signed_in.user.id && same_choice
}
