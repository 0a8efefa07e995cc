//! A client gives a token back (RFC 7009). A refresh token takes its grant along, an access token goes alone.

use crate::authority::{ATTEMPTS, Authority, Fault};
use crate::model::{App, EndReason, GrantState, LedgerEntry, LedgerKind};
use crate::store::{GrantChange, GrantWrite, NewRevocation, Written};
use keyfob_protocol::Timestamp;
use keyfob_protocol::revocation::RevokedKind;
use keyfob_protocol::time::MINUTE;
use keyfob_protocol::token_name::{GrantId, PresentedToken, TokenKind};

/// What giving a token back came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenRevocation {
    /// It works no more.
    Revoked,
    /// It was of no use before: not one of ours, or over.
    NothingToRevoke,
    /// It is another client's; nothing was changed (RFC 7009 section 2.1).
    AnotherClients,
}

impl Authority {
    /// Ends the grant of a refresh token of this app. A rotated-out one ends it, too: it is genuine, and its holder wants it gone.
    ///
    /// # Errors
    /// [`Fault`] where the store fails.
    pub async fn revoke_refresh_token(&self, app: &App, text: &str, now: Timestamp) -> Result<TokenRevocation, Fault> {
        let Some(presented) = PresentedToken::parse(TokenKind::Refresh, text) else {
            return Ok(TokenRevocation::NothingToRevoke);
        };
        let Some(held) = self.store.held_grant(presented.claimed_name().grant).await? else {
            return Ok(TokenRevocation::NothingToRevoke);
        };
        let genuine = self.keys().grant_key(&held.grant).is_some_and(|key| key.proves(&presented));
        if !genuine {
            return Ok(TokenRevocation::NothingToRevoke);
        }
        if held.grant.app != app.id {
            return Ok(TokenRevocation::AnotherClients);
        }
        self.end_grant(held.grant.id, EndReason::RevokedByApp, now).await?;
        Ok(TokenRevocation::Revoked)
    }

    /// Revokes the access token that an app has for itself, which somebody has verified to be this app's.
    ///
    /// # Errors
    /// [`Fault`] where the store fails.
    pub async fn revoke_own_token(
        &self,
        app: &App,
        jti: &str,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<TokenRevocation, Fault> {
        let revocation = token_revocation(jti, expires_at, now);
        let entry = LedgerEntry { app: Some(app.id), ..LedgerEntry::new(now, LedgerKind::TokenRevoked) };
        self.store.revoke(revocation.clone(), entry).await?;
        self.tell_gate(&[revocation]);
        Ok(TokenRevocation::Revoked)
    }

    /// Revokes one access token of a grant, which somebody has verified to be this app's. The grant goes on.
    ///
    /// # Errors
    /// [`Fault`] where the store fails.
    pub async fn revoke_access_token(
        &self,
        grant: GrantId,
        jti: &str,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<TokenRevocation, Fault> {
        let revocation = token_revocation(jti, expires_at, now);
        for _ in 0..ATTEMPTS {
            let Some(held) = self.store.held_grant(grant).await? else { return Ok(TokenRevocation::NothingToRevoke) };
            let grant = held.grant;
            if let GrantState::Ended { .. } = grant.state {
                return Ok(TokenRevocation::NothingToRevoke);
            }
            let entry = LedgerEntry::about(now, LedgerKind::TokenRevoked, &grant);
            // The row becomes what it is: the write only has to be one with the revocation, and to lose against the grant's end.
            let change =
                GrantChange::Update { id: grant.id, expected: grant.state.version(), next: grant.state.clone() };
            let (nonce, ledger, revocations) = (self.nonce()?, vec![entry], vec![revocation.clone()]);
            if self.write_grant(GrantWrite { nonce, what: change, ledger, revocations }).await? == Written::Won {
                return Ok(TokenRevocation::Revoked);
            }
        }
        Err(Fault::Contended)
    }
}

fn token_revocation(jti: &str, expires_at: Timestamp, now: Timestamp) -> NewRevocation {
    NewRevocation {
        kind: RevokedKind::Token,
        id: jti.to_owned(),
        not_before: now,
        // The minute is for gates whose clocks are behind.
        until: expires_at.plus(MINUTE),
    }
}
