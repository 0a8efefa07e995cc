//! The loop of the use case, over one row: read, decide, compare-and-set on the version, and read again when another node was first.

use super::history::Answer;
use super::{Rule, Token};
use keyfob_authority::law::refresh::{
    PresentedPosition, RefreshNote, RefreshRuling, RefreshTerms, caught_up_from_approved,
};
use keyfob_authority::model::{ActiveGrant, ApprovedGrant, EndReason, GrantState};
use keyfob_protocol::Timestamp;

/// The store and the nodes in front of it.
pub(super) struct Authority {
    pub(super) rule: Rule,
    pub(super) terms: RefreshTerms,
    pub(super) row: GrantState,
}

/// How a node answered.
pub(super) struct Reply {
    pub(super) answer: Answer,
    pub(super) note: Option<RefreshNote>,
    /// Decided on the row as first read, without a write: it counts as answered before whatever others wrote since.
    pub(super) on_first_read: bool,
}

pub(super) fn approved() -> GrantState {
    GrantState::Approved(ApprovedGrant {
        code_expires_at: Timestamp(i64::MAX),
        redirect_uri: "https://app.example.com/callback".into(),
        state_digest: None,
        code_challenge: None,
    })
}

impl Authority {
    pub(super) fn redeem(&mut self, now: Timestamp) {
        let first =
            ActiveGrant { generation: 1, branch: 0, parent_branch: 0, rotated_at: now, last_used_at: now, code: None };
        self.row = GrantState::Active(first);
    }

    /// One node's whole request, which read `read` before the others wrote.
    pub(super) fn refresh(&mut self, mut read: GrantState, now: Timestamp, token: Token) -> Reply {
        let mut on_first_read = true;
        loop {
            let (answer, next, note) = self.decide(&read, now, token);
            let Some(next) = next else { return Reply { answer, note, on_first_read } };
            if self.row.version() == read.version() {
                self.row = next;
                return Reply { answer, note, on_first_read: false };
            }
            read = self.row.clone();
            on_first_read = false;
        }
    }

    fn decide(
        &self,
        read: &GrantState,
        now: Timestamp,
        token: Token,
    ) -> (Answer, Option<GrantState>, Option<RefreshNote>) {
        let row = match read {
            GrantState::Approved(_) => caught_up_from_approved(now),
            GrantState::Active(active) => active.clone(),
            GrantState::Ended { .. } => return (Answer::Refused, None, None),
        };
        let presented = PresentedPosition { generation: token.0, branch: token.1 };
        match (self.rule)(now, self.terms, &row, presented) {
            RefreshRuling::Expired => (Answer::Expired, None, None),
            RefreshRuling::Same => (Answer::Token((row.generation, row.branch)), None, None),
            RefreshRuling::Refused => (Answer::Refused, None, None),
            RefreshRuling::EndGrant => {
                (Answer::Ended, Some(GrantState::Ended { reason: EndReason::RefreshReused, at: now }), None)
            }
            RefreshRuling::Become { next, note } => {
                (Answer::Token((next.generation, next.branch)), Some(GrantState::Active(next)), note)
            }
        }
    }
}
