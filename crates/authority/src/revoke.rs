//! Ending grants: by the user, the app or an administrator. What has ended stays ended.

use crate::authority::{ATTEMPTS, Authority, Fault};
use crate::model::{EndReason, Grant, GrantState, UserId};
use crate::store::{GrantFilter, Written};
use keyfob_protocol::Timestamp;
use keyfob_protocol::token_name::GrantId;

/// What ending a grant came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It has ended now.
    Now,
    /// It had ended before, or never was.
    NothingToEnd,
}

impl Authority {
    /// Ends a grant, whatever races with it. Its access tokens are refused at once by the gate of this process.
    pub async fn end_grant(&self, id: GrantId, reason: EndReason, now: Timestamp) -> Result<Ended, Fault> {
        for _ in 0..ATTEMPTS {
            let Some(held) = self.store.held_grant(id).await? else { return Ok(Ended::NothingToEnd) };
            if let GrantState::Ended { .. } = held.grant.state {
                return Ok(Ended::NothingToEnd);
            }
            if self.end(&held.grant, reason, now).await? == Written::Won {
                return Ok(Ended::Now);
            }
        }
        Err(Fault::Contended)
    }

    /// Ends a grant of this user; somebody else's is nothing to end.
    pub async fn end_own_grant(&self, user: UserId, id: GrantId, now: Timestamp) -> Result<Ended, Fault> {
        match self.store.held_grant(id).await? {
            Some(held) if held.grant.user == user => self.end_grant(id, EndReason::RevokedByUser, now).await,
            _ => Ok(Ended::NothingToEnd),
        }
    }

    /// Ends every grant of this user that is not over, codes that nobody has exchanged yet among them.
    pub(crate) async fn end_grants_of(&self, user: UserId, reason: EndReason, now: Timestamp) -> Result<(), Fault> {
        let filter = GrantFilter { user: Some(user), app: None, live: true };
        loop {
            let grants = self.store.grants(filter, 500).await?;
            if grants.is_empty() {
                return Ok(());
            }
            for grant in grants {
                self.end_grant(grant.id, reason, now).await?;
            }
        }
    }

    /// The user's grants that tokens may be out for, newest first (matrix IN-09).
    pub async fn connections(&self, user: UserId) -> Result<Vec<Grant>, Fault> {
        let filter = GrantFilter { user: Some(user), app: None, live: true };
        let grants = self.store.grants(filter, 500).await?;
        Ok(grants.into_iter().filter(|grant| matches!(grant.state, GrantState::Active(_))).collect())
    }
}
