//! Refreshing (rows T-17 to T-20): one conditional write on one primary key, by the two-token rule.

use crate::access_tokens::{Subject, Terms};
use crate::authority::{ATTEMPTS, Authority, Decision, Fault};
use crate::law;
use crate::law::refresh::{PresentedPosition, RefreshNote, RefreshRuling, RefreshTerms};
use crate::model::{ActiveGrant, App, EndReason, Grant, GrantState, LedgerEntry, LedgerKind};
use crate::store::{GrantChange, GrantWrite, HeldGrant, Written};
use crate::token::{Target, TokenDecision, refuse};
use keyfob_protocol::Timestamp;
use keyfob_protocol::reason::Reason;
use keyfob_protocol::scope::Scope;
use keyfob_protocol::token_name::{PresentedToken, TokenKind};
use keyfob_protocol::token_refusal::TokenRefusal;
use keyfob_protocol::token_request::PresentedRefresh;

impl Authority {
    pub(crate) async fn refresh(
        &self,
        app: &App,
        presented: &PresentedRefresh<'_>,
        target: &Target,
        now: Timestamp,
    ) -> Result<TokenDecision, Fault> {
        let Some(token) = PresentedToken::parse(TokenKind::Refresh, presented.refresh_token) else {
            return refuse(TokenRefusal::InvalidRefreshToken);
        };
        let name = token.claimed_name();
        let position = PresentedPosition { generation: name.generation, branch: name.branch };
        let keys = self.keys.load();
        for _ in 0..ATTEMPTS {
            let Some((HeldGrant { grant, holder }, key)) = self.genuine(app, Some(token), &keys).await? else {
                return refuse(TokenRefusal::InvalidRefreshToken);
            };
            let row = match &grant.state {
                GrantState::Active(active) => active.clone(),
                GrantState::Approved(_) => law::refresh::caught_up_from_approved(now),
                GrantState::Ended { reason, .. } => {
                    return self.refuse_genuine(&grant, reason.explain(TokenRefusal::InvalidRefreshToken), now).await;
                }
            };
            let (next, note) = match law::refresh::rule(now, RefreshTerms::from(&app.policy), &row, position) {
                RefreshRuling::Expired => {
                    return self.refuse_genuine(&grant, TokenRefusal::ExpiredRefreshToken.into(), now).await;
                }
                RefreshRuling::Refused => {
                    return self
                        .refuse_genuine(&grant, TokenRefusal::InvalidRefreshToken.because(Reason::RotatedOut), now)
                        .await;
                }
                RefreshRuling::EndGrant => match self.end(&grant, EndReason::RefreshReused, now).await? {
                    Written::Won => {
                        let refusal = TokenRefusal::InvalidRefreshToken.because(Reason::ReuseDetected);
                        return refuse(refusal.of_grant(grant.id));
                    }
                    Written::Lost => continue,
                },
                RefreshRuling::Same => (None, None),
                RefreshRuling::Become { next, note } => (Some(next), note),
            };
            if let Some(problem) = law::holder::problem(&holder) {
                return self.refuse_genuine(&grant, TokenRefusal::Holder(problem).into(), now).await;
            }
            let Some(scope) = narrowed(&grant.scope, presented.scope) else {
                let refusal = TokenRefusal::InvalidScope.because(Reason::ScopeExceedsGrant);
                return self.refuse_genuine(&grant, refusal, now).await;
            };
            let audience = match self.audience(target, &grant).await? {
                Decision::Granted(audience) => audience,
                Decision::Refused(refusal) => return self.refuse_genuine(&grant, refusal, now).await,
            };
            let current = next.as_ref().unwrap_or(&row);
            let terms = Terms {
                app,
                subject: Subject::User(&grant, &holder),
                scope: &scope,
                audience,
                refresh_token: Some(key.refresh_token(current.generation, current.branch)),
            };
            // Signed before the write: once the successor stands, nothing may fail any more.
            let issued = self.access_tokens.issue(now, &keys, &*self.entropy, terms)?;
            let Some(next) = next else { return Ok(Decision::Granted(issued)) };
            if self.advance(&grant, next, note, now).await? == Written::Won {
                return Ok(Decision::Granted(issued));
            }
        }
        Err(Fault::Contended)
    }

    async fn advance(
        &self,
        grant: &Grant,
        next: ActiveGrant,
        note: Option<RefreshNote>,
        now: Timestamp,
    ) -> Result<Written, Fault> {
        let kind = note.map(|note| match note {
            RefreshNote::Healed => LedgerKind::Healed,
            RefreshNote::Contested => LedgerKind::Contested,
            RefreshNote::StoreBehind => LedgerKind::StoreBehind,
        });
        let generation = next.generation;
        if note == Some(RefreshNote::StoreBehind) {
            tracing::error!(grant = %grant.id, "the store had lost writes of this grant; its row caught up");
        }
        self.write_grant(GrantWrite {
            nonce: self.nonce()?,
            what: GrantChange::Update { id: grant.id, expected: grant.state.version(), next: GrantState::Active(next) },
            // A generation that heals or is contested again and again says so once.
            ledger: kind
                .map(|kind| LedgerEntry {
                    once: Some(format!("{} {} {generation}", kind.name(), grant.id)),
                    ..LedgerEntry::about(now, kind, grant)
                })
                .into_iter()
                .collect(),
            revocations: Vec::new(),
        })
        .await
    }
}

/// The scope of the new access token: the grant's, or a part of it (RFC 6749 section 6). The grant itself never shrinks. Spaces alone
/// name no part: a token without scope would be the user's whole role.
fn narrowed(granted: &Scope, requested: Option<&str>) -> Option<Scope> {
    match requested {
        None => Some(granted.clone()),
        Some(requested) => Scope::parse(requested).ok().filter(|scope| !scope.is_empty() && scope.within(granted)),
    }
}
