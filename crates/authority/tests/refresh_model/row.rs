//! The stored row as the searches see it: ages instead of times, so that equal futures are equal states.
//!
//! The rule compares times with two thresholds only, the window and the 90 days. An age is therefore cut at the window, and of the time
//! since the last use only "at once" and "almost 90 days" are kept; `Wait` stays below 90 days in all.

use super::{Rule, Token};
use keyfob_authority::law::refresh::{PresentedPosition, RefreshNote, RefreshRuling, RefreshTerms};
use keyfob_authority::model::ActiveGrant;
use keyfob_protocol::Timestamp;
use keyfob_protocol::time::DAY;

const NOW: Timestamp = Timestamp(1_700_000_000);
const LONG: i64 = 89 * DAY;

/// How long nothing happens before a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Wait {
    AtOnce,
    /// The last second of the window after a rotation.
    LastSecondOfWindow,
    /// The first second after the window.
    Window,
    Days89,
}

impl Wait {
    pub(super) const ALL: [Wait; 4] = [Wait::AtOnce, Wait::LastSecondOfWindow, Wait::Window, Wait::Days89];
}

/// A row. Generation 0: approved, the code is not redeemed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Row {
    pub(super) generation: u32,
    pub(super) branch: u32,
    pub(super) parent_branch: u32,
    /// Seconds since the rotation, cut at the window.
    pub(super) age: i64,
    /// Almost 90 days since the last use.
    pub(super) almost_idle: bool,
}

/// The rule's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ruled {
    Same,
    Become(Row, Option<RefreshNote>),
    Refused,
    Expired,
    Ended,
}

impl Row {
    pub(super) const APPROVED: Row = Row { generation: 0, branch: 0, parent_branch: 0, age: 0, almost_idle: false };
    pub(super) const FIRST: Row = Row { generation: 1, ..Row::APPROVED };

    pub(super) fn current(self) -> Token {
        (self.generation, self.branch)
    }

    pub(super) fn in_window(self, terms: RefreshTerms) -> bool {
        self.age < terms.replay_window
    }

    /// The row after a wait; none if that would be 90 days.
    pub(super) fn after(self, wait: Wait, terms: RefreshTerms) -> Option<Row> {
        let seconds = match wait {
            Wait::AtOnce => 0,
            Wait::LastSecondOfWindow if terms.replay_window == 0 => return None,
            Wait::LastSecondOfWindow => terms.replay_window - 1,
            Wait::Window => terms.replay_window,
            Wait::Days89 if self.almost_idle => return None,
            Wait::Days89 => LONG,
        };
        Some(self.later(seconds, terms))
    }

    pub(super) fn later(self, seconds: i64, terms: RefreshTerms) -> Row {
        if self.generation == 0 {
            return self;
        }
        Row {
            age: (self.age + seconds.max(0)).min(terms.replay_window),
            almost_idle: self.almost_idle || seconds >= LONG,
            ..self
        }
    }

    pub(super) fn present(self, rule: Rule, terms: RefreshTerms, (generation, branch): Token) -> Ruled {
        let row = ActiveGrant {
            generation: self.generation,
            branch: self.branch,
            parent_branch: self.parent_branch,
            rotated_at: NOW.plus(-self.age),
            last_used_at: NOW.plus(if self.almost_idle { -LONG } else { -self.age }),
            code: None,
        };
        match rule(NOW, terms, &row, PresentedPosition { generation, branch }) {
            RefreshRuling::Same => Ruled::Same,
            RefreshRuling::Refused => Ruled::Refused,
            RefreshRuling::Expired => Ruled::Expired,
            RefreshRuling::EndGrant => Ruled::Ended,
            RefreshRuling::Become { next, note } => {
                let rotated = next.rotated_at == NOW;
                let row = Row {
                    generation: next.generation,
                    branch: next.branch,
                    parent_branch: next.parent_branch,
                    age: if rotated { 0 } else { self.age },
                    almost_idle: next.last_used_at != NOW,
                };
                Ruled::Become(row, note)
            }
        }
    }
}
