//! Redeeming a code (rows T-13 to T-20): one conditional write `Approved -> Active`.

use crate::access_tokens::{Subject, Terms};
use crate::authority::{ATTEMPTS, Authority, Decision, Fault};
use crate::law;
use crate::law::redeem::RedeemRuling;
use crate::model::{ActiveGrant, App, EndReason, Grant, GrantState, LedgerEntry, LedgerKind};
use crate::store::{GrantChange, GrantWrite, HeldGrant, Written};
use crate::token::{Target, TokenDecision};
use keyfob_protocol::Timestamp;
use keyfob_protocol::time::HOUR;
use keyfob_protocol::token_name::{PresentedToken, TokenKind};
use keyfob_protocol::token_refusal::TokenRefusal;
use keyfob_protocol::token_request::PresentedRedemption;

impl Authority {
    pub(crate) async fn redeem(
        &self,
        app: &App,
        presented: &PresentedRedemption<'_>,
        target: &Target,
        now: Timestamp,
    ) -> Result<TokenDecision, Fault> {
        let refuse = |refusal| Ok(Decision::Refused(refusal));
        let Some(code) = PresentedToken::parse(TokenKind::Code, presented.code) else {
            return refuse(TokenRefusal::InvalidCode);
        };
        let keys = self.keys.load();
        for _ in 0..ATTEMPTS {
            let Some(HeldGrant { grant, holder }) = self.store.held_grant(code.claimed_name().grant).await? else {
                return refuse(TokenRefusal::InvalidCode);
            };
            let Some(key) = keys.grant_key(&grant).filter(|key| key.proves(&code)) else {
                return refuse(TokenRefusal::InvalidCode);
            };
            if grant.app != app.id {
                return refuse(TokenRefusal::InvalidCode);
            }
            match law::redeem::rule(now, app, &grant, presented) {
                RedeemRuling::Refuse(refusal) => {
                    self.note_refusal(&grant, &refusal, now).await?;
                    return refuse(refusal);
                }
                RedeemRuling::Repeated => {
                    let entry = LedgerEntry::about(now, LedgerKind::CodeRepeated, &grant);
                    let once = Some(format!("code_repeated {}", grant.id));
                    self.store.record(vec![LedgerEntry { once, ..entry }]).await?;
                    return refuse(TokenRefusal::InvalidCode);
                }
                RedeemRuling::End(reason, refusal) => {
                    if self.end(&grant, reason, now).await? == Written::Won {
                        return refuse(refusal);
                    }
                }
                RedeemRuling::Activate(next) => {
                    if let Some(problem) = law::holder::problem(&holder) {
                        return refuse(TokenRefusal::Holder(problem));
                    }
                    let Some(audience) = self.audience(target, &grant).await? else {
                        return refuse(TokenRefusal::InvalidTarget);
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

    /// The refusal of a genuine token goes into the ledger once per grant, reason and hour.
    pub(crate) async fn note_refusal(
        &self,
        grant: &Grant,
        refusal: &TokenRefusal,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let row = refusal.row();
        let once = Some(format!("refused {} {row} {}", grant.id, now.0.div_euclid(HOUR)));
        let entry = LedgerEntry::about(now, LedgerKind::Refused, grant).with_detail(row);
        Ok(self.store.record(vec![LedgerEntry { once, ..entry }]).await?)
    }
}
