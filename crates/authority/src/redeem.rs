//! Redeeming a code (rows T-13 to T-20): one conditional write `Approved -> Active`.

use crate::access_tokens::{Subject, Terms};
use crate::authority::{ATTEMPTS, Authority, Decision, Fault};
use crate::law;
use crate::law::redeem::RedeemRuling;
use crate::model::{ActiveGrant, App, EndReason, Grant, GrantState, LedgerEntry, LedgerKind, UsageKind};
use crate::store::{GrantChange, GrantWrite, HeldGrant, Written};
use crate::token::{Target, TokenDecision, refuse};
use keyfob_protocol::reason::{ExplainedRefusal, Reason};
use keyfob_protocol::time::HOUR;
use keyfob_protocol::token_name::{PresentedToken, TokenKind};
use keyfob_protocol::token_refusal::TokenRefusal;
use keyfob_protocol::token_request::PresentedRedemption;
use keyfob_protocol::{Dialect, Timestamp};

impl Authority {
    pub(crate) async fn redeem(
        &self,
        app: &App,
        presented: &PresentedRedemption<'_>,
        target: &Target,
        now: Timestamp,
    ) -> Result<TokenDecision, Fault> {
        let code = PresentedToken::parse(TokenKind::Code, presented.code);
        let keys = self.keys.load();
        for _ in 0..ATTEMPTS {
            let Some((HeldGrant { grant, holder }, key)) = self.genuine(app, code, &keys).await? else {
                return refuse(TokenRefusal::InvalidCode);
            };
            match law::redeem::rule(now, app, &grant, presented) {
                RedeemRuling::Refuse(refusal) => {
                    let refusal = match (refusal, &grant.state) {
                        (TokenRefusal::InvalidCode, GrantState::Ended { reason, .. }) => {
                            reason.explain(TokenRefusal::InvalidCode)
                        }
                        (TokenRefusal::InvalidCode, _) => TokenRefusal::InvalidCode.because(Reason::CodeUsed),
                        (refusal, _) => refusal.into(),
                    };
                    return self.refuse_genuine(&grant, refusal, now).await;
                }
                RedeemRuling::Repeated => {
                    let entry = LedgerEntry::about(now, LedgerKind::CodeRepeated, &grant);
                    let once = Some(format!("code_repeated {}", grant.id));
                    self.store.record(vec![LedgerEntry { once, ..entry }]).await?;
                    return refuse(TokenRefusal::InvalidCode.because(Reason::CodeRepeated).of_grant(grant.id));
                }
                RedeemRuling::End(reason, refusal) => {
                    if self.end(&grant, reason, now).await? == Written::Won {
                        let refusal = match refusal {
                            TokenRefusal::InvalidCode => reason.explain(refusal),
                            refusal => refusal.into(),
                        };
                        return refuse(refusal.of_grant(grant.id));
                    }
                }
                RedeemRuling::Activate(next) => {
                    if let Some(problem) = law::holder::problem(&holder) {
                        return self.refuse_genuine(&grant, TokenRefusal::Holder(problem).into(), now).await;
                    }
                    let audience = match self.audience(target, &grant).await? {
                        Decision::Granted(audience) => audience,
                        Decision::Refused(refusal) => return self.refuse_genuine(&grant, refusal, now).await,
                    };
                    let terms = Terms {
                        app,
                        subject: Subject::User(&grant, &holder),
                        scope: &grant.scope,
                        audience,
                        refresh_token: Some(key.refresh_token(next.generation, next.branch)),
                    };
                    // Signed before the write: once the code is spent, nothing may fail any more.
                    let issued = self.access_tokens.issue(now, &keys, &*self.entropy, terms)?;
                    if self.activate(&grant, next, now).await? == Written::Won {
                        let no_pkce = presented.code_verifier.is_none().then_some(UsageKind::NoPkce);
                        let old = (grant.dialect == Dialect::FollowUpBoss).then_some(UsageKind::AuthCodeDialect);
                        self.usage.count(app.id, no_pkce.into_iter().chain(old), now);
                        return Ok(Decision::Granted(issued));
                    }
                }
            }
        }
        Err(Fault::Contended)
    }

    async fn activate(&self, grant: &Grant, next: ActiveGrant, now: Timestamp) -> Result<Written, Fault> {
        self.write_grant(GrantWrite {
            nonce: self.nonce()?,
            what: GrantChange::Update { id: grant.id, expected: grant.state.version(), next: GrantState::Active(next) },
            ledger: vec![LedgerEntry::about(now, LedgerKind::Redeemed, grant)],
            revocations: Vec::new(),
        })
        .await
    }

    /// Ends a grant, with its access tokens, if it still stands as it was read.
    pub(crate) async fn end(&self, grant: &Grant, reason: EndReason, now: Timestamp) -> Result<Written, Fault> {
        let kind = match reason {
            EndReason::CodeBurned => LedgerKind::CodeBurned,
            EndReason::CodeReused => LedgerKind::CodeReused,
            EndReason::RefreshReused => LedgerKind::RefreshReused,
            _ => LedgerKind::GrantEnded,
        };
        self.write_grant(GrantWrite {
            nonce: self.nonce()?,
            what: GrantChange::Update {
                id: grant.id,
                expected: grant.state.version(),
                next: GrantState::Ended { reason, at: now },
            },
            ledger: vec![LedgerEntry::about(now, kind, grant).with_detail(reason.name())],
            // A grant whose code was never redeemed has no tokens to take back.
            revocations: match grant.state {
                GrantState::Active(_) => vec![self.grant_revocation(grant.id, now)],
                _ => Vec::new(),
            },
        })
        .await
    }

    /// The refusal of a genuine code or token goes into the ledger once per grant, reason and hour.
    pub(crate) async fn refuse_genuine(
        &self,
        grant: &Grant,
        refusal: ExplainedRefusal,
        now: Timestamp,
    ) -> Result<TokenDecision, Fault> {
        let row = refusal.refusal.row();
        let said = refusal.reason.map_or(row.to_owned(), |reason| format!("{row} {}", reason.word()));
        let once = Some(format!("refused {} {said} {}", grant.id, now.0.div_euclid(HOUR)));
        let entry = LedgerEntry::about(now, LedgerKind::Refused, grant).with_detail(said);
        self.store.record(vec![LedgerEntry { once, ..entry }]).await?;
        refuse(refusal.of_grant(grant.id))
    }
}
